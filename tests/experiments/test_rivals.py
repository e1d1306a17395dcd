"""What stands beside the sparse model of a job."""

import json

import pytest
from tiny import QUIET
from tiny import tiny

from keras_moduli.experiments import rivals
from keras_moduli.experiments.job import Job
from keras_moduli.experiments.runs.settings import Settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("dense", "twin")),
        ({"control": "none"}, ("dense", "twin")),
        ({"connections": "own+random"}, ("twin", "plain")),
        ({"connections": "random"}, ("twin",)),
        ({"sparsity": 0.0}, ("dense",)),
        ({"control": "dense_twin"}, ("dense",)),
    ],
)
def test_the_usual_rivals(given, expected):
    assert rivals.checked(None, tiny(**given)) == expected


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (["chess"], {}),
        (["plain"], {"control": "none"}),
        (["plain"], {"connections": "random"}),
        (["twin"], {"sparsity": 0.0}),
        (["shrunken"], {"sparsity": 0.0}),
        (["shrunken"], {"whole_units": True}),
    ],
)
def test_a_rival_has_to_differ(names, given):
    with pytest.raises(ValueError, match=r"`beside` must.*Received"):
        rivals.checked(names, tiny(**given))


def test_without_geometry_all_else_is_the_same():
    given = {"space": "klein_bottle", "factor": 0.3, "lottery": True}
    plain = rivals.plain(tiny(**given)).to_dict()
    sparse = tiny(**given).to_dict()
    changed = {name for name in sparse if sparse[name] != plain[name]}
    # Without a regularizer there is no space.
    assert changed == {"control", "lottery", "space", "factor"}
    assert plain["control"] == "none"


def fixed(connections, weights):
    """Connections from the first step."""
    return tiny(
        connections=connections, group_size=8, sparsity=0.5, weights=weights
    )


def assert_pictures(folder, result, names):
    assert result["pictures"] == [f"{name}.png" for name in names]
    page = (folder / "report.md").read_text()
    for name in names:
        assert f"]({name}.png)" in page
        assert (folder / f"{name}.png").is_file()


@pytest.mark.slow
def test_a_job_with_connections_from_the_first_step(tmp_path):
    settings = fixed("near+random:0.5", "recurrent")
    job = Job.start(tmp_path / "run", settings, beside=["plain"])
    result = job.run(QUIET)
    assert list(result["models"]) == ["plain", "sparse"]
    for folder, connections in (
        ("plain", "random"),
        ("sparse", "near+random:0.5"),
    ):
        stored = tmp_path / "run" / folder / "settings.json"
        assert json.loads(stored.read_text())["connections"] == connections
    page = (tmp_path / "run" / "report.md").read_text()
    assert "| | without geometry | sparse |" in page
    assert "are pruned between" not in page
    assert_pictures(tmp_path / "run", result, ["training", "connections"])
    again = Job.resume(tmp_path / "run", "navigation", {})
    assert again.run(QUIET) == result
    with pytest.raises(ValueError, match="`beside` of the run to resume"):
        Job.resume(tmp_path / "run", "navigation", {"beside": ("twin",)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("connections", "weights", "pictures"),
    [
        ("own", "recurrent", ["training"]),
        ("near", "kernels", ["training", "connections"]),
    ],
)
def test_pictures_of_fixed_connections(
    tmp_path, connections, weights, pictures
):
    folder = tmp_path / "run"
    job = Job.start(folder, fixed(connections, weights), beside=[])
    assert_pictures(folder, job.run(QUIET), pictures)
    page = (folder / "report.md").read_text()
    assert ("are pruned between" in page) == (weights == "kernels")


def few_steps(task, **given):
    own = {"units": 64, "sequence_length": 5, "validation_size": 64}
    return Settings.of(task, {**own, "steps": 4, "epochs": 2, **given})


@pytest.mark.slow
def test_the_shrunken_net_is_as_large_as_the_twin(tmp_path):
    # Blocks that a file of 8-bit weights can leave out.
    blocks = {"weights": "recurrent", "block_size": (16, 1)}
    settings = few_steps("adding", units=256, control="none", **blocks)
    beside = ["twin", "shrunken"]
    job = Job.start(tmp_path / "run", settings, beside=beside)
    models = job.run(QUIET)["models"]
    assert list(models) == [*beside, "sparse"]
    twin, shrunken = (models[name] for name in beside)
    assert shrunken["units"] == twin["units"] < 256
    files = [model["files"]["tflite"]["bytes"] for model in (twin, shrunken)]
    assert files[0] == files[1]
    page = (tmp_path / "run" / "report.md").read_text()
    assert f"pruned by whole units to {twin['units']}." in page


@pytest.mark.parametrize(
    ("task", "units", "reason"),
    [
        ("adding", 64, "64 units are not fewer than the 64"),
        # Its first state is computed, so its units have other weights too.
        ("navigation", 32, "with several tensors"),
    ],
)
def test_not_every_net_can_be_shrunken(
    tmp_path, monkeypatch, task, units, reason
):
    monkeypatch.setattr(rivals, "twin_units", lambda *_: units)
    settings = few_steps(task, control="none")
    job = Job(tmp_path, settings, settings.make_task(), ("shrunken",))
    with pytest.raises(ValueError, match=reason):
        rivals.runs("shrunken", job, None)
