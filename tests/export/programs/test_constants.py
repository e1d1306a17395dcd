"""What a graph holds of a layer that is unrolled."""

import keras
import numpy as np
import pytest

from keras_moduli.export.layouts.layouts import LAYOUTS
from keras_moduli.export.programs.lowering import lowered
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.tracing import constant_module

UNITS, TILE = 128, 16


def model(layer, steps):
    """Groups that read themselves and the next one, and one another, too."""
    keras.utils.set_random_seed(0)
    rnn = layer(UNITS, unroll=True, name="rnn")
    built = keras.Sequential([keras.Input((steps, 8)), rnn])
    kernel = keras.ops.convert_to_numpy(rnn.cell.recurrent_kernel)
    tiles = np.eye(8) + np.eye(8, k=1)
    tiles[0, 5] = 1
    mask = np.repeat(np.repeat(tiles, TILE, 0), TILE, 1)[:, None]
    gates = kernel.reshape(UNITS, -1, UNITS)
    rnn.cell.recurrent_kernel.assign((gates * mask).reshape(kernel.shape))
    return built


def weights_in_graph(layer, steps, layout, quantization):
    """How many numbers there are in a graph's matrices."""
    built = model(layer, steps)
    plan = LAYOUTS[layout].plan(built, quantization, "size")
    with lowered(built, plan.rewrites):
        module = constant_module(Program(built), 1)
    (function,) = module.functions.values()
    return sum(
        np.prod(operation.outputs[0].shape)
        for operation in function.graph.get_operations()
        if operation.type == "Const"
        and operation.outputs[0].dtype == "float32"
        and len(operation.outputs[0].shape) > 1
    )


@pytest.mark.parametrize("quantization", [None, "int8"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_more_steps_hold_no_more_weights(layout, quantization):
    layer = keras.layers.LSTM
    few, many = (
        weights_in_graph(layer, steps, layout, quantization)
        for steps in (2, 12)
    )
    assert few == many


def test_so_do_those_that_reset_before():
    def layer(units, **options):
        return keras.layers.GRU(units, reset_after=False, **options)

    few, many = (
        weights_in_graph(layer, steps, "tiled", "int8") for steps in (2, 12)
    )
    assert few == many
