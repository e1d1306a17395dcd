"""Penalties on weights: points on a space, an inhibitor, and a factor.

A kernel comes in, a scalar goes out.
"""

from keras_moduli.regularizers.embedding_learning_rate import (
    EmbeddingLearningRate as EmbeddingLearningRate,
)
from keras_moduli.regularizers.moduli_regularizer import (
    ModuliRegularizer as ModuliRegularizer,
)
from keras_moduli.regularizers.trainable import OnSpace as OnSpace
from keras_moduli.regularizers.trainable import (
    TrainableModuliRegularizer as TrainableModuliRegularizer,
)
