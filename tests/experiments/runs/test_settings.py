import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.patterns import SharedSources
from keras_moduli.patterns import Tiles
from keras_moduli.tasks import TASKS


def test_settings_survive_json():
    settings = Settings.of(
        "language",
        {"units": 8, "text": ("a.txt",), "block_size": (4, 1), "steps": 20},
        preset="pruned",
    )
    assert settings.task_settings == {"units": 8, "text": ("a.txt",)}
    text = json.dumps(settings.to_dict())
    assert Settings.from_dict(json.loads(text)) == settings


@given(steps=st.integers(1, 10**6), data=st.data())
def test_epochs_divide_the_steps(steps, data):
    epochs = data.draw(st.integers(1, min(steps, 1000)))
    settings = Settings("language", steps=steps, epochs=epochs)
    assert settings.total_steps == settings.steps_per_epoch * epochs
    assert steps <= settings.total_steps < steps + epochs


@given(steps=st.integers(1, 5000), sparsity=st.floats(0.01, 0.99))
def test_the_schedule_ends_within_the_training(steps, sparsity):
    settings = Settings("language", steps=steps, epochs=1, sparsity=sparsity)
    config = settings.schedule()["config"]
    assert config["final_sparsity"] == sparsity
    assert 0 <= config["begin_step"] < config["end_step"] <= steps


def test_the_dense_run_differs_in_nothing_else():
    settings = Settings("language", seed=3, steps=77, epochs=7)
    dense = settings.dense()
    assert dense.regularizer() is None
    assert dense.pruning() is None
    changed = {
        name
        for name, value in settings.to_dict().items()
        if dense.to_dict()[name] != value
    }
    assert changed == {"control", "sparsity"}


def test_the_regularizer_is_what_the_settings_say():
    regularizer = Settings(
        "language", space="klein_bottle", inhibitor="diffusion", seed=5
    ).regularizer()
    assert regularizer.space.name == "klein_bottle"
    assert type(regularizer.inhibitor).__name__ == "Diffusion"
    assert (regularizer.factor, regularizer.seed) == (Settings.factor, 5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("space", "tours", "torus"),
        ("inhibitor", "dog", "difference_of_gaussians"),
        ("factor", -1.0, "`factor`"),
        ("factor", float("nan"), "`factor`"),
        ("sparsity", 1.0, r"`sparsity` must be in \[0, 1\)"),
        ("sparsity", -0.1, "`sparsity`"),
        ("sparsity", float("nan"), "`sparsity`"),
        ("steps", 0, "`steps` must be an integer of at least 1"),
        ("epochs", 0, "`epochs`"),
        ("epochs", 5000, "`epochs` must be at most `steps`"),
        ("seed", -1, "`seed`"),
        ("block_size", (0, 1), "`block_size`"),
        ("block_size", (4,), "`block_size`"),
        ("units", 0, "`units`"),
        ("flavour", "mild", "has the settings .*'units'.*flavour='mild'"),
    ],
)
def test_what_cannot_work_is_refused_at_once(name, value, message):
    with pytest.raises(ValueError, match=message):
        Settings.of("language", {name: value})


def test_a_preset_is_what_is_not_given():
    paper = Settings.of("adding", {"units": 9}, preset="paper")
    assert paper.task_settings == {"learning_rate": 1e-4, "units": 9}
    assert (paper.sparsity, paper.weights) == (0.95, "kernels")
    with pytest.raises(ValueError, match="`preset`.*'paper', 'small'"):
        Settings.of("adding", {}, preset="large")


def test_short_trials_have_fewer_epochs():
    assert Settings.of("adding", {"steps": 3}).epochs == 3
    with pytest.raises(ValueError, match="`epochs` must be at most"):
        Settings.of("adding", {"steps": 3, "epochs": 4})


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_preset_works(task):
    for preset in TASKS[task].presets:
        settings = Settings.of(task, {}, preset)
        assert settings.make_task().units > 0
        assert settings.fixed or settings.pruning() is not None


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, 64),  # 96 sources
        ({"units": 1024, "sparsity": 0.9}, 64),  # 102
        ({"units": 256, "sparsity": 0.9}, 16),  # 26
        ({"units": 64, "sparsity": 0.9}, 1),  # 6: fewer than any group has
        ({"units": 64, "sparsity": 0.5}, 32),
        ({"units": 64, "group_size": 8, "connections": "random"}, 8),
        ({"control": "none"}, 64),
    ],
)
def test_groups_are_as_large_as_suits(given, size):
    settings = Settings.of("language", given)
    assert settings.group_size == size
    assert settings.fixed == ("control" not in given)


@pytest.mark.parametrize(
    ("pattern", "made"),
    [("tiles", Tiles(4)), ("shared_sources", SharedSources(4))],
)
def test_a_group_has_the_pattern_that_the_settings_say(pattern, made):
    given = {"connections": "pruned", "group_size": 4, "pattern": pattern}
    settings = Settings.of("adding", given)
    assert settings.pruning().groups[0].pattern == made
    with pytest.raises(ValueError, match="`pattern` must be one of .*tiles"):
        Settings.of("adding", {**given, "pattern": "stripes"})
    # Single weights have none.
    single = Settings.of("adding", {**given, "group_size": 1}).effective()
    assert single == Settings.of("adding", {}).effective()


def test_settings_of_earlier_versions_have_their_patterns():
    config = Settings("adding", group_size=8).to_dict()
    del config["pattern"]
    assert Settings.from_dict(config) == Settings("adding", group_size=8)


def test_what_has_no_effect_is_refused():
    for name, value in (("factor", 1.0), ("block_size", (4, 1))):
        with pytest.raises(ValueError, match=f"`{name}`.*fixed.*Received"):
            Settings.of("language", {name: value})
        Settings.of("language", {name: value, "connections": "pruned"})
    with pytest.raises(ValueError, match="`pattern`.*fixed.*Received"):
        Settings.of("language", {"pattern": "tiles"})
    # Other kernels are pruned, and in blocks.
    Settings.of("language", {"block_size": (4, 1), "weights": "kernels"})


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match=r"`task` must be one of \[.*'lang"):
        Settings.of("chess", {})
