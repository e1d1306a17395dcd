"""What the settings of a run prune, and in what shape."""

import keras
import pytest
from tiny import QUIET

from keras_moduli import patterns
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.sweeps import plan


def shapes(**given):
    pruning = Settings.of("language", given, preset="pruned").pruning()
    return [(g.weights, g.pattern) for g in pruning.groups]


def test_blocks_groups_and_whole_units():
    blocks = patterns.Blocks((4, 1))
    assert shapes() == [("recurrent", blocks)]
    assert shapes(group_size=8) == [("recurrent", patterns.SharedSources(8))]
    (first, second) = shapes(group_size=8, weights="kernels")
    assert first == ("recurrent", patterns.SharedSources(8))
    assert second[1] == blocks
    hidden = [("recurrent", patterns.HiddenUnits())]
    assert shapes(whole_units=True) == hidden


def test_whole_units_are_pruned_whatever_the_preset():
    settings = Settings.of("language", {"whole_units": True}).effective()
    assert not settings.fixed
    assert (settings.group_size, settings.blocks) == (1, None)
    name = "torus-difference_of_gaussians-factor0.03-whole_units"
    assert plan.run_name(settings).startswith(name)


@pytest.mark.parametrize(
    "given",
    [
        {"block_size": (4, 1)},
        {"group_size": 8},
        {"weights": "kernels"},
        {"ranking": "local"},
        {"lottery": True},
        {"control": "dense_twin"},
        {"connections": "random"},
    ],
)
def test_what_does_not_go_with_whole_units(given):
    with pytest.raises(ValueError, match="whole_units"):
        Settings.of("language", {"whole_units": True, **given})


def test_what_is_kept_is_dense_and_as_large_as_the_sparsity_says(tmp_path):
    given = {"units": 40, "sequence_length": 5, "validation_size": 64}
    given |= {"steps": 4, "epochs": 2, "whole_units": True, "sparsity": 0.8}
    settings = Settings.of("adding", given)
    run = Run(tmp_path / "run", settings, settings.make_task())
    run.train(QUIET, "units")
    small = run.model()
    (layer,) = (x for x in small.layers if isinstance(x, keras.layers.RNN))
    assert layer.units == 8
    assert set(run.metrics()["sparsity"].values()) == {0.0}
    assert not (tmp_path / "run" / "masks.npz").exists()
