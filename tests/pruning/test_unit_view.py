"""The weights of hidden units, against loops over the layers' kernels."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import patterns
from keras_moduli.pruning.pruner import Pruner

layers = keras.layers
UNITS, NEXT = 6, 4


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(UNITS, return_sequences=True, name="lstm"),
            layers.GRU(NEXT, name="gru"),
            layers.Dense(2, name="dense"),
        ]
    )
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def kernels(model):
    lstm, gru, dense = model.layers
    return {
        "lstm in": lstm.cell.kernel.numpy(),
        "lstm": lstm.cell.recurrent_kernel.numpy(),
        "gru in": gru.cell.kernel.numpy(),
        "gru": gru.cell.recurrent_kernel.numpy(),
        "dense": dense.kernel.numpy(),
    }


def weights_of_unit(k, layer, unit):
    """All weights of a unit, each once."""
    units, source, reader = {
        "lstm": (UNITS, "lstm in", "gru in"),
        "gru": (NEXT, "gru in", "dense"),
    }[layer]
    found = list(k[reader][unit])
    for gate in range(k[layer].shape[1] // units):
        column = gate * units + unit
        found += list(k[source][:, column]) + list(k[layer][:, column])
        for other in range(units):
            if other != unit:
                found.append(k[layer][unit, gate * units + other])
    return np.abs(found)


def pruner(model, **arguments):
    group = keras_moduli.PruningGroup(
        final_sparsity=0.5, pattern=patterns.HiddenUnits(), **arguments
    )
    made = Pruner([group], model)
    made.attach(keras.callbacks.Callback())
    return made._members[0]


@pytest.mark.parametrize("score", ["mean", "max"])
def test_the_units_of_least_weights_go(model, score):
    k, pool = kernels(model), {"mean": np.mean, "max": np.max}[score]
    expected = {}
    for layer, units in {"lstm": UNITS, "gru": NEXT}.items():
        scores = [pool(weights_of_unit(k, layer, u)) for u in range(units)]
        expected[layer] = sorted(np.argsort(scores)[: units // 2])
    pruner(model, score=score).prune(0.5)
    dead = keras_moduli.dead_units(model)
    assert {name: list(found) for name, found in dead.items()} == expected
    # Nothing is left of them, and everything of the others.
    left = kernels(model)
    for layer, units in {"lstm": UNITS, "gru": NEXT}.items():
        for unit in range(units):
            alive = np.any(weights_of_unit(left, layer, unit) != 0)
            assert alive == (unit not in expected[layer])
    alive = np.setdiff1d(np.arange(UNITS), expected["lstm"])
    targets = np.setdiff1d(np.arange(NEXT), expected["gru"])
    between = k["gru in"].reshape(UNITS, 3, NEXT)
    mask = np.zeros(between.shape, bool)
    mask[np.ix_(alive, range(3), targets)] = True
    np.testing.assert_array_equal(
        left["gru in"], (between * mask).reshape(UNITS, -1)
    )


def test_units_can_come_back_where_a_schedule_says_so(model):
    member = pruner(model)
    member.prune(0.75)
    assert member.zeros() == pytest.approx(0.75, abs=0.1)
    member.prune(0.0)
    assert keras_moduli.masks_of(model) == {}


def test_biases_of_units_that_are_gone_change_nothing(model):
    pruner(model).prune(0.5)
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    before = model.predict(x, verbose=0)
    dead = keras_moduli.dead_units(model)["lstm"]
    bias = model.get_layer("lstm").cell.bias
    changed = bias.numpy().reshape(4, UNITS)
    changed[:, dead] += 3.0
    bias.assign(changed.ravel())
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)


def test_a_reader_belongs_to_no_other_group(model):
    groups = [
        keras_moduli.PruningGroup(
            final_sparsity=0.5, pattern=patterns.HiddenUnits()
        ),
        keras_moduli.PruningGroup(final_sparsity=0.5, weights="dense/kernel"),
    ]
    with pytest.raises(ValueError, match="overlap.*'dense/kernel'"):
        Pruner(groups, model)


@pytest.mark.parametrize("given", [{"gates": (0,)}, {"by_penalty": True}])
def test_units_have_all_their_gates_and_no_penalty(given):
    with pytest.raises(ValueError, match=f"neither `gates`.*{[*given][0]}="):
        keras_moduli.PruningGroup(
            final_sparsity=0.5, pattern=patterns.HiddenUnits(), **given
        )
