"""Sweeps: which runs there are, what becomes of them, what they add up to."""

import csv
import io
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

import keras
import numpy as np
import pytest
from command import COMMAND
from command import ON_THE_FASTEST
from PIL import Image
from rich.console import Console

from keras_moduli.cli import parser
from keras_moduli.experiments.reports import comparison
from keras_moduli.experiments.reports import table
from keras_moduli.experiments.reports.pictures import draw_sweep
from keras_moduli.experiments.reports.row import Row
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.sweeps import plan as plans
from keras_moduli.experiments.sweeps import sweep
from keras_moduli.pruning.masks import load_masks

QUIET = Console(quiet=True)
TINY = {
    "units": 8,
    "sequence_length": 4,
    "validation_size": 50,
    "steps": 8,
    "epochs": 2,
}


def plan(**changes):
    options = {
        "given": TINY,
        "axes": {"space": ["torus", "circle"], "sparsity": [0.5, 0.9]},
        "controls": ["none", "permuted"],
        "seeds": 2,
    }
    return plans.plan("adding", **{**options, **changes})


def test_the_order_of_settings_makes_no_other_kind_of_run(tmp_path):
    folders.create(tmp_path, {"sweep": "adding", "data": "generated"})
    own = {"units": 8, "sequence_length": 4}
    for seed, given in enumerate((own, dict(reversed(own.items())))):
        settings = Settings("adding", given, seed=seed)
        folders.create(tmp_path / f"run{seed}", settings.to_dict())
    (row,) = table.load(tmp_path)
    assert row.unfinished == 2


def test_controls_are_run_once_per_sparsity_and_seed():
    runs = plan()
    kinds = [(s.control, s.space, s.sparsity, s.seed) for s in runs.values()]
    assert len(kinds) == len(set(kinds)) == (2 + 2) * 2 * 2
    assert {space for control, space, *_ in kinds if control} == {"torus"}
    for name, settings in runs.items():
        assert name == plans.run_name(settings)
        assert Settings.of("adding", TINY).make_task() == settings.make_task()


def test_patterns_are_told_apart_where_there_are_groups():
    axes = {"group_size": [1, 4], "pattern": ["shared_sources", "tiles"]}
    runs = plan(axes=axes, controls=[], seeds=1)
    ends = [re.search(r"factor[^-]*(.*)-units8", name)[1] for name in runs]
    assert ends == ["", "-groups4", "-tiles4"]
    labels = [Row(settings, []).label for settings in runs.values()]
    assert [label.rsplit(", ", 1)[-1] for label in labels[1:]] == [
        "groups of 4",
        "tiles of 4",
    ]


def test_no_regularizer_is_run_once_whatever_the_factors():
    runs = plan(axes={"factor": [0.1, 1.0]}, controls=["none", "l1"], seeds=1)
    controls = [settings.control for settings in runs.values()]
    assert sorted(controls, key=str) == [None, None, "l1", "l1", "none"]


def test_no_regularizer_is_one_kind_of_run_whatever_the_factors(tmp_path):
    for seeds, factor in ((1, 0.1), (2, 1.0)):
        axes = {"space": ["circle"], "factor": [factor]}
        runs = plan(axes=axes, controls=["none"], seeds=seeds)
        sweep.Sweep(tmp_path, runs)
        for name, settings in runs.items():
            if settings.control == "none" and not (tmp_path / name).exists():
                folders.create(
                    tmp_path / name,
                    # As some were recorded: with what they made no use of.
                    {**settings.to_dict(), "factor": factor},
                )
    (row,) = table.load(tmp_path)
    assert (row.label, row.unfinished) == ("none", 2)


def test_the_value_of_a_setting_is_checked_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="`space`"):
        plan(axes={"space": ["torus", "tours"]})
    runs = plan(given={**TINY, "weights": "nothing"})
    with pytest.raises(ValueError, match="selects nothing"):
        sweep.Sweep(tmp_path / "out", runs)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_holds_one_task_and_one_kind_of_run_per_name(tmp_path):
    runs = plan()
    sweep.Sweep(tmp_path, runs)
    sweep.Sweep(tmp_path, plan(seeds=3))  # more of the same is welcome
    with pytest.raises(ValueError, match="holds runs of"):
        other = plans.plan("navigation", {}, {}, [], seeds=1)
        sweep.Sweep(tmp_path, other)
    name, settings = next(iter(runs.items()))
    folders.create(tmp_path / name, settings.to_dict())
    with pytest.raises(ValueError, match=r"\['task_settings', 'steps'\]"):
        given = {**TINY, "sequence_length": 5, "steps": 9}
        sweep.Sweep(tmp_path, plan(given=given))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of runs: four finished, one failed, one half-done."""
    folder = tmp_path_factory.mktemp("sweep")
    torus = {"space": ["torus"]}
    tickets = {**TINY, "lottery": True}
    runs = {
        **plan(axes=torus, controls=["none"]),
        **plan(axes=torus, controls=[], given=tickets),
    }
    folders.create(folder, {"sweep": "adding", "data": "generated"})
    for name, settings in runs.items():
        Run(folder / name, settings, settings.make_task()).train(QUIET, name)
    extra = plan(axes={"space": ["circle"]}, controls=[], given=TINY)
    for name, settings in extra.items():
        folders.create(folder / name, settings.to_dict())
    (folder / name / "failed.txt").write_text("out of memory\n")
    return folder


def metrics(folder, pattern, part="test"):
    return [
        json.loads(path.read_text())[part]["mse"]
        for path in sorted(folder.glob(f"{pattern}/metrics.json"))
    ]


def test_the_table_is_made_from_the_folders(finished):
    rows = {row.label: row for row in table.load(finished)}
    assert list(rows) == [
        "circle, difference_of_gaussians",
        "torus, difference_of_gaussians",
        "none",
    ]
    text = table.render(table.load(finished), "csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    for line, pattern in ((lines[1], "torus*"), (lines[2], "none*")):
        values = metrics(finished, pattern)
        assert len(values) == int(line["runs"]) == 2
        for column, expected in (
            ("mean", statistics.mean(values)),
            ("std", statistics.stdev(values)),
            ("median", statistics.median(values)),
        ):
            assert float(line[column]) == pytest.approx(expected, rel=1e-3)
    tickets = statistics.mean(metrics(finished, "torus*/lottery"))
    assert float(lines[1]["ticket mean"]) == pytest.approx(tickets, rel=1e-3)
    assert lines[2]["ticket mean"] == ""
    assert lines[0]["mean"] == ""
    assert (lines[0]["failed"], lines[0]["unfinished"]) == ("1", "1")


def test_the_best_mean_is_bold(finished):
    means = {
        name: statistics.mean(metrics(finished, f"{name}*"))
        for name in ("torus", "none")
    }
    best = min(means, key=means.get)
    markdown = table.render(table.load(finished)).splitlines()
    assert len(markdown) == 2 + 3
    bold = [line for line in markdown if "**" in line]
    assert len(bold) == 1
    assert bold[0].startswith(f"| {best}")
    assert f"**{means[best]:.4g}**" in bold[0]
    latex = table.render(table.load(finished), "latex")
    assert f"\\textbf{{{means[best]:.4g}}}" in latex
    assert "difference\\_of\\_gaussians & 0.001 & 90\\%" in latex


def test_differences_are_between_runs_of_one_seed(finished, capsys):
    torus, none = (metrics(finished, f"{n}*") for n in ("torus", "none"))
    worse = [n - t for n, t in zip(none, torus, strict=True)]
    reference = "torus, difference_of_gaussians"
    command = ["table", str(finished), "--format", "csv"]
    assert parser.main([*command, "--against", reference]) == 0
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert line["regularizer"] == "none"
    for column, expected in (
        ("mean", statistics.mean(none)),
        ("worse by", statistics.mean(worse)),
        ("std", statistics.stdev(worse)),
    ):
        assert float(line[column]) == pytest.approx(expected, rel=1e-3)
    count = sum(difference > 0 for difference in worse)
    assert line["worse in"] == f"{count} of 2"
    assert parser.main([*command, "--against", "circle"]) == 2
    assert "`against` must be one of" in capsys.readouterr().err


def compared_with_none(folder):
    """Label and factor of the one kind of run that there is beside it."""
    text = comparison.render(table.load(folder), "none", "csv")
    (line,) = csv.DictReader(io.StringIO(text))
    return line["regularizer"], line["factor"]


def test_of_several_factors_the_one_that_validates_best_counts(
    finished, tmp_path
):
    folder = tmp_path / "out"
    shutil.copytree(finished, folder)
    for run in folder.glob("torus*"):
        other = folder / run.name.replace("factor0.001", "factor0.1")
        shutil.copytree(run, other)
        for path, change in (
            (other / "settings.json", {"factor": 0.1}),
            (other / "metrics.json", {"mse": -1.0}),
        ):
            document = {**json.loads(path.read_text()), **change}
            path.write_text(json.dumps(document))
    label = "torus, difference_of_gaussians"
    assert compared_with_none(folder) == (label, "0.1")
    drawn = draw_sweep(folder, table.load(folder))[2:]
    assert {p.parent.name.split("-")[2] for p in drawn} == {"factor0.1"}
    # With a seed less it was only tried.
    (last,) = folder.glob("torus*-factor0.1-*-seed1")
    shutil.rmtree(last)
    assert compared_with_none(folder) == (label, "0.001")


def test_a_lottery_ticket_has_the_same_masks_and_other_weights(finished):
    for folder in finished.glob("torus*"):
        masks = load_masks(folder / "masks.npz")
        ticket = keras.saving.load_model(folder / "lottery" / "model.keras")
        model = keras.saving.load_model(folder / "model.keras")
        path = "rnn/simple_rnn_cell/recurrent_kernel"
        found = {w.path: w.numpy() for w in ticket.trainable_variables}
        before = {w.path: w.numpy() for w in model.trainable_variables}
        np.testing.assert_array_equal(found[path] != 0, masks[path])
        np.testing.assert_array_equal(before[path] != 0, masks[path])
        alive = masks[path]
        assert not np.isclose(found[path][alive], before[path][alive]).any()


def test_a_training_may_be_unrolled_but_its_model_is_not(finished):
    task = plan()["none-units8-sparsity0.9-seed0"].make_task()
    unrolled = keras.backend.backend() == "tensorflow"
    assert task.model(1).get_layer("rnn").unroll == unrolled
    for path in finished.glob("*/model.keras"):
        model = keras.saving.load_model(path)
        assert not model.get_layer("rnn").unroll


def test_pictures_of_a_sweep(finished):
    paths = draw_sweep(finished, table.load(finished))
    assert [path.relative_to(finished).as_posix() for path in paths] == [
        "tradeoff.png",
        "curves.png",
        "torus-difference_of_gaussians-factor0.001-units8-sparsity0.9-seed0/"
        "connections.png",
        "torus-difference_of_gaussians-factor0.001-units8-sparsity0.9-seed0/"
        "kernels.png",
    ]
    for path in paths:
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(2**24)) > 20


@pytest.mark.slow
def test_pictures_of_connections_that_are_fixed(tmp_path):
    given = {"units": 40, "weights": "recurrent", "group_size": 8}
    runs = plan(
        given={**TINY, **given},
        axes={"connections": ["near", "random"], "sparsity": [0.5]},
        controls=[],
        seeds=1,
    )
    folders.create(tmp_path, {"sweep": "adding", "data": "generated"})
    for name, settings in runs.items():
        Run(tmp_path / name, settings, settings.make_task()).train(QUIET, name)
    drawn = draw_sweep(tmp_path, table.load(tmp_path))[2:]
    # Random connections have no geometry.
    assert [path.parent.name.split("-")[0] for path in drawn] == ["near"] * 2
    assert [path.name for path in drawn] == ["connections.png", "kernels.png"]
    assert all(path.is_file() for path in drawn)


def test_pictures_of_some_kinds_of_run(finished, tmp_path, capsys):
    folder = shutil.copytree(finished, tmp_path / "sweep")
    for picture in folder.rglob("*.png"):
        picture.unlink()
    assert parser.main(["plot", str(folder), "--only", "none"]) == 0
    assert sorted(path.name for path in folder.rglob("*.png")) == [
        "curves.png",
        "tradeoff.png",
    ]
    assert parser.main(["plot", str(folder), "--only", "none", "l3"]) == 2
    assert "Received: only='l3'" in capsys.readouterr().err


def test_the_model_before_its_first_step_comes_again(tmp_path):
    settings = next(iter(plan(seeds=1).values()))
    run = Run(tmp_path / "run", settings, settings.make_task())
    before = run.first_model().get_weights()
    run.train(QUIET, "run")
    again = Run(tmp_path / "run", settings, settings.make_task())
    for one, other in zip(
        before, again.first_model().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(before[0], run.model().get_weights()[0])


def test_nothing_finished_is_nothing_to_draw(tmp_path):
    folders.create(tmp_path, {"sweep": "adding", "data": "generated"})
    with pytest.raises(ValueError, match="no runs"):
        table.load(tmp_path)
    name, settings = next(iter(plan().items()))
    folders.create(tmp_path / name, settings.to_dict())
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_sweep(tmp_path, table.load(tmp_path))


SWEEP = [
    *(COMMAND, "sweep", "adding"),
    *("--units", "8", "--sequence-length", "4", "--steps", "400"),
    *("--epochs", "10", "--space", "torus", "--control", "none"),
    *("--seeds", "1", "--out"),
]


def sweep_process(folder, jobs=2):
    return subprocess.Popen(
        [*SWEEP, str(folder), "--jobs", str(jobs)],
        env=ON_THE_FASTEST,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_sweep_goes_on_to_the_same_results(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # One after the other, in one process.
    out, err = sweep_process(whole, jobs=1).communicate(timeout=300)
    assert "2 runs, 0 of them finished before" in out, err

    process = sweep_process(broken)
    deadline = time.monotonic() + 200
    while not list(broken.glob("*/checkpoints/epoch-*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(3)  # the workers notice, and die
    before = sorted(broken.rglob("*"))
    time.sleep(3)
    assert sorted(broken.rglob("*")) == before

    # One of the runs cannot go on: the other does.
    checkpoint, *_ = broken.glob("*/checkpoints/epoch-*/model.keras")
    run = checkpoint.parents[2]
    checkpoint.write_text("spoilt")
    process = sweep_process(broken)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"1 runs failed: {run.name}" in err
    assert (run / "failed.txt").is_file()
    kind = run.name.split("-")[0]
    (line,) = [x for x in out.splitlines() if x.startswith(f"| {kind}")]
    assert line.endswith("| 0 | 0 | 1 | 0 |" + "  |" * 3)

    # Without its checkpoint it begins again.
    shutil.rmtree(run / "checkpoints")
    process = sweep_process(broken, jobs=1)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "2 runs, 1 of them finished before" in out
    for kind in ("torus", "none"):
        one, two = (metrics(folder, f"{kind}*") for folder in (whole, broken))
        assert one == two


def test_trained_points_and_scales_have_names_and_controls_rest():
    runs = plan(
        given={**TINY, "trainable": True},
        axes={"scale": [1.0, 2.0]},
        controls=["box"],
        seeds=1,
    )
    name = "torus-difference_of_gaussians"
    assert list(runs) == [
        f"trainable-{name}-factor0.001-units8-sparsity0.9-seed0",
        f"trainable-{name}-scale2-factor0.001-units8-sparsity0.9-seed0",
        f"box-{name}-factor0.001-units8-sparsity0.9-seed0",
    ]
    assert [s.trainable for s in runs.values()] == [True, True, False]


def test_controls_can_be_run_alone():
    runs = plan(
        axes={"factor": [0.1, 1.0]},
        controls=["l1"],
        seeds=1,
        only_controls=True,
    )
    assert {settings.control for settings in runs.values()} == {"l1"}
    assert sorted(s.factor for s in runs.values()) == [0.1, 1.0]
    with pytest.raises(ValueError, match="`control` must name"):
        plan(controls=[], only_controls=True)


def test_a_run_no_better_than_the_trivial_answer_is_at_chance(finished):
    expected = {"torus": 0, "none": 0}
    for kind in expected:
        for file in finished.glob(f"{kind}*/metrics.json"):
            found = json.loads(file.read_text())
            expected[kind] += found["test"]["mse"] >= found["trivial"]
    rows = {row.label.split(",")[0]: row for row in table.load(finished)}
    assert {kind: rows[kind].at_chance for kind in expected} == expected
    assert any(expected.values())  # eight steps teach little


def test_the_table_tells_every_matrix(finished):
    text = table.render(table.load(finished), "csv")
    line = list(csv.DictReader(io.StringIO(text)))[2]
    (file, *_) = finished.glob("none*seed0/model.keras")
    model = keras.saving.load_model(file)
    (other, *_) = finished.glob("none*seed1/model.keras")
    twin = keras.saving.load_model(other)
    for path, weight in (
        ("rnn/simple_rnn_cell/recurrent_kernel", 1),
        ("decoder/kernel", 3),
    ):
        zeros = np.mean(
            [np.mean(m.get_weights()[weight] == 0) for m in (model, twin)]
        )
        assert line[f"zeros in {path}"] == f"{zeros:.1%}"
    global_sparsity = np.mean(
        np.concatenate([w.ravel() == 0 for w in model.get_weights()[::2]])
    )
    assert 0 < global_sparsity < 1


def test_damaged_files_are_named(finished, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    (file,) = folder.glob("none*seed0/metrics.json")
    file.write_text("{")
    assert parser.main(["table", str(folder)]) == 2
    assert str(file) in capsys.readouterr().err
    (file,) = folder.glob("none*seed1/settings.json")
    document = json.loads(file.read_text())
    del document["factor"]
    file.write_text(json.dumps(document))
    assert parser.main(["plot", str(folder)]) == 2
    assert "Settings of a run are a dict" in capsys.readouterr().err


def test_folders_of_train_and_sweep_are_not_mixed_up(tmp_path, capsys):
    sweep.Sweep(tmp_path / "sweep", plan())
    resume = ["train", "adding", "--resume", "--out", str(tmp_path / "sweep")]
    assert parser.main(resume) == 2
    assert "perhaps a sweep" in capsys.readouterr().err
    folders.create(tmp_path / "job", {"settings": {}, "data": "generated"})
    with pytest.raises(ValueError, match="no sweep"):
        sweep.Sweep(tmp_path / "job", plan())


def test_a_half_written_run_begins_again_and_foreign_files_stay(tmp_path):
    runs = plan(seeds=1)
    name = next(iter(runs))
    half = tmp_path / "out" / name / ".settings.json.abc.tmp"
    sweep.Sweep(tmp_path / "out", runs)
    half.mkdir(parents=True)
    (half / "settings.json").write_text("{")
    sweep.Sweep(tmp_path / "out", runs)
    (tmp_path / "out" / name / "thesis.tex").write_text("words")
    with pytest.raises(ValueError, match="not touched"):
        sweep.Sweep(tmp_path / "out", runs)
