"""SavedModels that store the nonzeros of their weights only.

The checkpoint holds the values that are not zero, and zlib-compressed bits
that say where they stand. When the folder is loaded, in Python or by a
server, an initializer unpacks them once; from then on the model computes with
dense weights like any other.
"""

import hashlib
import zlib

import keras
import numpy as np

from keras_moduli.export.programs.tracing import call_with
from keras_moduli.export.programs.tracing import own_states
from keras_moduli.export.programs.tracing import tensor_specs
from keras_moduli.export.programs.tracing import without_cudnn


def is_worth(weight):
    """Whether storing a weight's nonzeros takes much less than the weight."""
    return stored_bytes(keras.ops.convert_to_numpy(weight)) < (
        _WORTH * np.prod(weight.shape) * 4
    )


def stored_bytes(array):
    """About how many bytes an array takes when stored this way."""
    if array.dtype != "float32" or array.size < _SMALLEST:
        return np.inf
    return 4 * np.count_nonzero(array) + len(_packed(array))


def compact_module(program, used):
    """A module that computes a program from compactly stored weights.

    Args:
        program: A `Program`.
        used: The variables of the model that inference reads.

    Returns:
        A pair: the `tf.Module` with a function `serve`, and the concrete
        function of its signature.
    """
    import tensorflow as tf

    module = tf.Module()
    states = own_states(program, module)
    stateful = {id(state) for state, _ in states}
    module.weights, readers = [], []
    for weight in used:
        if id(weight) not in stateful:
            tracked, read = _stored(weight)
            module.weights.append(tracked)
            readers.append((weight, read))

    def computed(function):
        weights = [(weight, read()) for weight, read in readers]
        return call_with(function, weights, states)

    specs = tensor_specs(program, None)
    module.serve = tf.function(
        lambda inputs: computed(lambda: program.model(inputs, training=False)),
        input_signature=[program.pack(specs)],
        autograph=False,
    )
    with without_cudnn(program.model):
        module.serve.get_concrete_function()
        signature = tf.function(
            lambda **tensors: computed(lambda: program.call(tensors)),
            autograph=False,
        ).get_concrete_function(**specs)
    return module, signature


def _stored(weight):
    """What to keep for a weight, and a function that reads it."""
    import tensorflow as tf

    array = keras.ops.convert_to_numpy(weight)
    if not is_worth(weight):
        variable = tf.Variable(array, trainable=False)
        return variable, variable.read_value
    module = tf.Module()
    module.values = tf.Variable(array[array != 0], trainable=False)
    module.places = tf.Variable(_packed(array), trainable=False)
    name = hashlib.sha256(array.tobytes() + str(array.shape).encode())
    module.unpacked = _unpacked(
        module.values, module.places, array.shape, name.hexdigest()
    )

    def read():
        tensor = tf.raw_ops.ReadVariableOp(
            resource=module.unpacked.resource_handle, dtype=tf.float32
        )
        return tf.ensure_shape(tensor, array.shape)

    return module, read


def _unpacked(values, places, shape, name):
    """The resource that an initializer fills when a SavedModel is loaded."""
    import tensorflow as tf

    size = int(np.prod(shape))

    class Unpacked(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            # Named by what it holds: models in one process may share it, and
            # never by mistake.
            return tf.raw_ops.VarHandleOp(
                dtype=tf.float32, shape=shape, shared_name=name
            )

        def _initialize(self):
            packed = tf.io.decode_raw(
                tf.io.decode_compressed(places, "ZLIB"), tf.uint8
            )
            shifts = tf.constant(list(range(7, -1, -1)), tf.uint8)
            bits = tf.bitwise.right_shift(packed[:, None], shifts) % 2
            found = tf.where(tf.reshape(bits, [-1]))
            dense = tf.scatter_nd(found, values, tf.constant([size], tf.int64))
            tf.raw_ops.AssignVariableOp(
                resource=self.resource_handle, value=tf.reshape(dense, shape)
            )

    resource = Unpacked()
    resource._initialize()
    return resource


def _packed(array):
    return zlib.compress(np.packbits(array != 0).tobytes(), 9)


_SMALLEST = 1024  # weights; fewer are not worth an initializer
_WORTH = 0.7  # of the dense bytes
