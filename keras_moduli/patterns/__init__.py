"""The shapes in which weights live: one by one, blocks, tiles, whole units.

A kernel is seen as an array `(rows, gates, columns)`: a row is a source, a
column a target, and a recurrent layer's gates stand side by side. A pattern
splits these axes and says which of the parts make one *unit*, something that
lives or is pruned as a whole.
"""

from keras_moduli.patterns.base import Pattern as Pattern
from keras_moduli.patterns.base import Unstructured as Unstructured
from keras_moduli.patterns.blocks import Blocks as Blocks
from keras_moduli.patterns.blocks import Tiles as Tiles
from keras_moduli.patterns.hidden_units import HiddenUnits as HiddenUnits
from keras_moduli.patterns.n_of_m import NOfM as NOfM
from keras_moduli.patterns.shared_sources import SharedSources as SharedSources
