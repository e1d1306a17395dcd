"""A program as TensorFlow functions that converters and savers take."""

import contextlib

import keras

from keras_moduli.export.layers import all_layers
from keras_moduli.export.layers import state_variables

SIGNATURE = "serving_default"


def constant_module(program, batch_size, sequence_length=None):
    """A `tf.Module` whose one signature holds the weights as constants.

    A converter then has nothing left to freeze: with variables it would write
    files that fail at READ_VARIABLE. Only the states of stateful layers stay
    variables; they start at zero.

    Args:
        program: A `Program`.
        batch_size: The fixed batch size.
        sequence_length: The length of open dimensions, `None` to leave them
            open.

    Returns:
        The module; its signature is in `module.function`.
    """
    import tensorflow as tf

    states = [
        (state, tf.Variable(tf.zeros(state.shape, state.dtype)))
        for state in state_variables(program.model)
    ]
    weights = [
        (weight, keras.ops.convert_to_numpy(weight))
        for weight in program.model.variables
    ]

    def call(**tensors):
        constants = [(weight, tf.constant(value)) for weight, value in weights]
        with keras.StatelessScope(constants + states) as scope:
            outputs = program.call(tensors)
        for state, variable in states:
            variable.assign(scope.get_current_value(state))
        return _identities(outputs)

    module = tf.Module()
    module.states = [variable for _, variable in states]
    with without_cudnn(program.model):
        module.function = tf.function(call, autograph=False)
        module.function = module.function.get_concrete_function(
            **tensor_specs(program, batch_size, sequence_length)
        )
    return module


def tensor_specs(program, batch_size, sequence_length=None):
    """The program's inputs as `tf.TensorSpec`s, by name."""
    import tensorflow as tf

    return {
        name: tf.TensorSpec(
            spec.sized(batch_size, sequence_length), spec.dtype, name
        )
        for name, spec in program.specs.items()
    }


@contextlib.contextmanager
def without_cudnn(model):
    """Keeps a machine's GPU out of the graph: no runtime but CUDA has it."""
    layers = [
        (layer, layer.use_cudnn)
        for layer in all_layers(model)
        if hasattr(layer, "use_cudnn")
    ]
    try:
        for layer, _ in layers:
            layer.use_cudnn = False
        yield
    finally:
        for layer, value in layers:
            layer.use_cudnn = value


def _identities(outputs):
    # A state or an input handed through unchanged needs a tensor of its own
    # to be a signature's output.
    import tensorflow as tf

    return {name: tf.identity(value) for name, value in outputs.items()}
