"""Geometric sparsity for recurrent Keras models."""

from keras_moduli import inhibitors as inhibitors
from keras_moduli import keras2 as keras2
from keras_moduli import layers as layers
from keras_moduli import patterns as patterns
from keras_moduli import spaces as spaces
from keras_moduli.export import evaluate_tflite as evaluate_tflite
from keras_moduli.export import export_saved_model as export_saved_model
from keras_moduli.export import export_tflite as export_tflite
from keras_moduli.models import sparsity as sparsity
from keras_moduli.plotting.tensorboard import (
    SparsityTensorBoard as SparsityTensorBoard,
)
from keras_moduli.pruning import MagnitudePruning as MagnitudePruning
from keras_moduli.pruning import OncePruned as OncePruned
from keras_moduli.pruning import PruningGroup as PruningGroup
from keras_moduli.pruning import apply_masks as apply_masks
from keras_moduli.pruning import fixed_masks as fixed_masks
from keras_moduli.pruning import load_masks as load_masks
from keras_moduli.pruning import masks_of as masks_of
from keras_moduli.pruning import remove_masks as remove_masks
from keras_moduli.pruning import save_masks as save_masks
from keras_moduli.regularizers import (
    EmbeddingLearningRate as EmbeddingLearningRate,
)
from keras_moduli.regularizers import ModuliRegularizer as ModuliRegularizer
from keras_moduli.shrinking import dead_units as dead_units
from keras_moduli.shrinking import shrink as shrink
from keras_moduli.spaces import curves as curves
from keras_moduli.version import __version__ as __version__
