"""Which weights live, during `fit`: groups, schedules, ranking, masks.

A model and a schedule come in; masks that hold in the compiled step go out.
Needs no regularizer.
"""

from keras_moduli.pruning.fixed_masks import fixed_masks as fixed_masks
from keras_moduli.pruning.group import PruningGroup as PruningGroup
from keras_moduli.pruning.magnitude_pruning import (
    MagnitudePruning as MagnitudePruning,
)
from keras_moduli.pruning.masks import apply_masks as apply_masks
from keras_moduli.pruning.masks import load_masks as load_masks
from keras_moduli.pruning.masks import masks_of as masks_of
from keras_moduli.pruning.masks import remove_masks as remove_masks
from keras_moduli.pruning.masks import save_masks as save_masks
from keras_moduli.pruning.once_pruned import OncePruned as OncePruned
