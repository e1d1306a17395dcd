"""A program as TensorFlow functions that converters and savers take."""

import contextlib

import keras

from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import state_variables

SIGNATURE = "serving_default"


def constant_module(program, batch_size, sequence_length=None):
    """A `tf.Module` whose signatures hold the weights as constants.

    A converter then has nothing left to freeze: with variables it would write
    files that fail at READ_VARIABLE. Only the states of stateful layers stay
    variables; they start at zero.

    Args:
        program: A `Program`.
        batch_size: The fixed batch size.
        sequence_length: The length of open dimensions, `None` to leave them
            open.

    Returns:
        The module; its signatures are in `module.functions`, by name.
    """
    import tensorflow as tf

    module = tf.Module()
    states = own_states(program, module)
    with without_cudnn(program.model):
        module.functions = {
            name: _constant_function(one, states, batch_size, sequence_length)
            for name, one in program.signatures.items()
        }
    return module


def _constant_function(program, states, batch_size, sequence_length):
    import tensorflow as tf

    values = [
        (weight, keras.ops.convert_to_numpy(weight))
        for weight in program.model.variables
    ]

    def call(**tensors):
        weights = [(weight, tf.constant(value)) for weight, value in values]
        outputs = call_with(lambda: program.call(tensors), weights, states)
        # A state or an input handed through unchanged needs a tensor of its
        # own to be a signature's output.
        return {name: tf.identity(value) for name, value in outputs.items()}

    return tf.function(call, autograph=False).get_concrete_function(
        **tensor_specs(program, batch_size, sequence_length)
    )


def own_states(program, module):
    """Variables of a module that take the place of the model's states.

    Returns:
        A list of pairs: the model's variable, the module's.
    """
    import tensorflow as tf

    states = state_variables(program.model)
    module.states = [
        tf.Variable(tf.zeros(state.shape, state.dtype)) for state in states
    ]
    return list(zip(states, module.states, strict=True))


def call_with(function, weights, states):
    """Calls a function of a model with other weights and other states.

    Args:
        function: A function without arguments.
        weights: A list of pairs: a variable of the model, a tensor.
        states: What `own_states` gives; the states are updated.
    """
    given = [(state, variable.read_value()) for state, variable in states]
    with keras.StatelessScope(weights + given) as scope:
        outputs = function()
    for state, variable in states:
        variable.assign(scope.get_current_value(state))
    return outputs


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


@contextlib.contextmanager
def in_float32(model):
    """Makes the layers of a mixed-precision model compute in float32.

    Their weights are float32 anyway, and runtimes on devices have no half
    precision arithmetic to offer.
    """
    layers = [
        (layer, layer.dtype_policy)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Layer)
        and layer.variable_dtype == "float32"
        and layer.compute_dtype in ("float16", "bfloat16")
    ]
    try:
        for layer, _ in layers:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in layers:
            layer.dtype_policy = policy
