"""What the sparse recurrent layers share: one sparse cell over time."""

import keras


def _of_cell(name):
    return property(lambda self: getattr(self.cell, name))


class SparseRNN(keras.layers.RNN):
    """A `keras.layers.RNN` that takes its cell's arguments.

    Derived classes say which cell: `cell_class`.
    """

    cell_class: type

    def __init__(
        self,
        units,
        activation="tanh",
        *,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        activity_regularizer=None,
        name=None,
        dtype=None,
        trainable=True,
        **cell_arguments,
    ):
        cell = self.cell_class(
            units,
            activation,
            dtype=dtype,
            trainable=trainable,
            name=self.cell_class.default_name,
            **cell_arguments,
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            activity_regularizer=activity_regularizer,
            name=name,
            dtype=dtype,
            trainable=trainable,
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)

    units = _of_cell("units")
    activation = _of_cell("activation")
    use_bias = _of_cell("use_bias")
    kernel_initializer = _of_cell("kernel_initializer")
    recurrent_initializer = _of_cell("recurrent_initializer")
    bias_initializer = _of_cell("bias_initializer")
    kernel_regularizer = _of_cell("kernel_regularizer")
    recurrent_regularizer = _of_cell("recurrent_regularizer")
    bias_regularizer = _of_cell("bias_regularizer")
    kernel_constraint = _of_cell("kernel_constraint")
    recurrent_constraint = _of_cell("recurrent_constraint")
    bias_constraint = _of_cell("bias_constraint")
    dropout = _of_cell("dropout")
    recurrent_dropout = _of_cell("recurrent_dropout")
    seed = _of_cell("seed")
    fan_in = _of_cell("fan_in")
    group_size = _of_cell("group_size")
    connections = _of_cell("connections")
    space = _of_cell("space")
    near_share = _of_cell("near_share")
    sources = _of_cell("sources")
    kernel_fan_in = _of_cell("kernel_fan_in")
    kernel_connections = _of_cell("kernel_connections")
    kernel_sources = _of_cell("kernel_sources")

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        cell = self.cell.get_config()
        for own in ("name", "trainable", "dtype"):
            cell.pop(own, None)
        regularizer = keras.regularizers.serialize(self.activity_regularizer)
        return {**config, **cell, "activity_regularizer": regularizer}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class SparseGatedRNN(SparseRNN):
    """One whose cell has gates."""

    recurrent_activation = _of_cell("recurrent_activation")
