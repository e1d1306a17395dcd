"""What a built Keras model is made of: kernels, layers, units, sparsity.

A model comes in; its weights by path, and what can be said of them, go out.
"""

from keras_moduli.models.sparsity import sparsity as sparsity
