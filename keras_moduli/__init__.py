"""Geometric sparsity for recurrent Keras models."""

from keras_moduli import inhibitors as inhibitors
from keras_moduli import spaces as spaces
from keras_moduli.export import export_saved_model as export_saved_model
from keras_moduli.export import export_tflite as export_tflite
from keras_moduli.pruning import MagnitudePruning as MagnitudePruning
from keras_moduli.regularizers import ModuliRegularizer as ModuliRegularizer
from keras_moduli.report import sparsity as sparsity
from keras_moduli.version import __version__ as __version__
