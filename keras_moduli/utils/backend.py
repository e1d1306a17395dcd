"""Every difference between TensorFlow, JAX and PyTorch, in one place."""

import contextlib

import keras
import numpy as np
from keras import ops

# JAX compiles the values of variables that belong to no layer into its step,
# unless they are its arguments.
BAKES_MASKS = keras.backend.backend() == "jax"
# There `steps_per_execution` is a loop in Python, which saves nothing.
CALLS_EVERY_STEP = keras.backend.backend() == "jax"


def eager():
    """A scope in which values are computed now, also while tracing.

    A matrix computed inside a traced function would become part of it, and be
    computed (or stored as a constant) in every function anew. An eager tensor
    is captured by reference.
    """
    return _EAGER.get(keras.backend.backend(), contextlib.nullcontext)()


def _eager_tensorflow():
    import tensorflow as tf

    return tf.init_scope()


def _eager_jax():
    import jax

    return jax.ensure_compile_time_eval()


_EAGER = {"tensorflow": _eager_tensorflow, "jax": _eager_jax}


def held(array):
    """An array from `pairwise_array` as an eager tensor of the backend."""
    with eager():
        return _HELD.get(keras.backend.backend(), ops.convert_to_tensor)(array)


def _held_by_tensorflow(array):
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return tf.convert_to_tensor(array)
    # Conversion would copy the matrix twice. This shares its memory, which
    # nobody else holds.
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


_HELD = {"tensorflow": _held_by_tensorflow}


def peek(variable):
    """A variable's present values, where possible without a copy.

    A NumPy array to be read at once: not to be written to, nor to be kept.
    """
    look = _PEEK.get(keras.backend.backend(), ops.convert_to_numpy)
    return look(variable)


def _peek_tensorflow(variable):
    import tensorflow as tf

    tensor = tf.convert_to_tensor(variable.value)
    if tensor.dtype not in (tf.bool, tf.float32, tf.float64):
        return tensor.numpy()  # NumPy itself does not know bfloat16
    return np.asarray(memoryview(tensor))


_PEEK = {"tensorflow": _peek_tensorflow}


def strategy_scope(model):
    """Where variables are made that a strategy mirrors like the weights."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()


def retrace(model):
    """Makes the next training step compile anew, if one has been compiled."""
    if getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)
