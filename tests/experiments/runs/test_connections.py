"""Runs with fixed connections, and the dense twin."""

import dataclasses

import keras
import numpy as np
import pytest
from tiny import QUIET
from tiny import tiny

import keras_moduli
from keras_moduli.experiments.runs import checkpoints
from keras_moduli.experiments.runs.models import first_model
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.models.kernels import is_recurrent
from keras_moduli.models.kernels import kernels
from keras_moduli.models.kernels import select


def settings(**changes):
    return tiny(**{"sparsity": 0.75, **changes})


def recurrent(model):
    (kernel,) = [v for p, v in kernels(model).items() if is_recurrent(p, v)]
    return kernel


@pytest.mark.parametrize("group_size, axes", [(1, 2), (4, 2), (8, 3)])
def test_groups_that_are_large_enough_train_sparse(group_size, axes):
    run = settings(connections="near+random:0.25", group_size=group_size)
    model = first_model(run, run.make_task())
    assert model.optimizer is not None
    assert len(recurrent(model).shape) == axes
    plain = keras_moduli.layers.to_plain(model) if axes == 3 else model
    alive = recurrent(plain).numpy() != 0
    np.testing.assert_array_equal(alive.sum(axis=0), 10)


@pytest.mark.slow
@pytest.mark.parametrize("group_size", [1, 8])
def test_connections_stay_through_training_and_being_cut_off(
    tmp_path, group_size
):
    run = settings(connections="own+random", group_size=group_size)
    task = run.make_task()
    first = first_model(run, task)
    if group_size == 8:
        first = keras_moduli.layers.to_plain(first)
    alive = recurrent(first).numpy() != 0
    whole = Run(tmp_path / "whole", run, task)
    whole.train(QUIET, "whole")
    halved = Run(tmp_path / "halved", run, task)
    keep = checkpoints.Checkpoint.on_epoch_end

    class CutOff(Exception):
        pass

    def cut_off(self, epoch, logs=None):
        keep(self, epoch, logs)
        raise CutOff

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "on_epoch_end", cut_off)
        with pytest.raises(CutOff):
            halved.train(QUIET, "halved")
    halved.train(QUIET, "halved")
    kernels = [recurrent(each.model()).numpy() for each in (whole, halved)]
    for kernel in kernels:
        np.testing.assert_array_equal(kernel != 0, alive)
    np.testing.assert_allclose(*kernels, atol=1e-6)
    # All other kernels were pruned on the schedule.
    zeros = whole.metrics()["sparsity"]
    assert zeros["decoder/kernel"] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("weights", ["kernels", "recurrent", "decoder"])
@pytest.mark.parametrize("sparsity", [0.5, 0.9])
@pytest.mark.parametrize("task", ["navigation", "language", "adding"])
def test_the_twin_has_as_many_weights(task, sparsity, weights):
    if weights == "decoder" and task != "navigation":
        weights = "kernels"
    given = {"units": 200, "sparsity": sparsity, "weights": weights}
    run = Settings.of(task, {**given, "control": "dense_twin"})
    data = run.make_task()
    twin = first_model(run, data)
    dense = data.model(1, None)
    pruned = sum(keras.ops.size(v) for v in select(dense, weights).values())
    left = dense.count_params() - sparsity * float(pruned)
    units = recurrent(twin).shape[0]
    off = [
        abs(
            dataclasses.replace(data, units=n).model(1, None).count_params()
            - left
        )
        for n in (units - 1, units, units + 1)
    ]
    assert off[1] == min(off)


def test_no_twin_is_smaller_than_what_units_do_not_change():
    run = Settings.of(
        "language", {"units": 8, "weights": "kernels", "control": "dense_twin"}
    )
    with pytest.raises(ValueError, match="dense_twin.*Received"):
        first_model(run, run.make_task())


def test_the_twin_is_not_pruned(tmp_path):
    run = settings(control="dense_twin")
    twin = Run(tmp_path, run.effective(), run.make_task())
    twin.train(QUIET, "twin")
    assert not keras_moduli.masks_of(twin.model())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"connections": "nearest"}, "`connections` must be one of"),
        ({"connections": "near+random:1.5"}, "share from 0 to 1"),
        ({"connections": "near+random:."}, "share from 0 to 1"),
        ({"connections": "own", "control": "l1"}, "`control` is for"),
        ({"connections": "own", "lottery": True}, "`lottery` is for"),
        ({"connections": "own", "sparsity": 0.0}, "`sparsity` must be"),
        ({"group_size": 0}, "`group_size` must be"),
    ],
)
def test_errors_say_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=f"(?s){message}.*Received"):
        settings(**changes)


def test_settings_of_before_still_load():
    old = settings().to_dict()
    for name in ("connections", "group_size"):
        del old[name]
    assert Settings.from_dict(old) == settings()
    with pytest.raises(ValueError, match="Received"):
        Settings.from_dict({**old, "unknown": 1})
    del old["seed"]
    with pytest.raises(ValueError, match="Received"):
        Settings.from_dict(old)
