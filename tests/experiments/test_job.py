"""The main job at a tiny size, checked against computations of our own."""

import dataclasses
import gzip
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from rich.console import Console

import keras_moduli
from keras_moduli.cli import main
from keras_moduli.experiments.job import Job
from keras_moduli.experiments.reports.report import coarse_files
from keras_moduli.experiments.reports.report import markdown
from keras_moduli.experiments.runs.checkpoints import Checkpoint
from keras_moduli.experiments.runs.settings import Settings

QUIET = Console(quiet=True)
SENTENCE = "the cat sat on the mat, and the dog did not. "


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text(SENTENCE * 200)
    return str(file)


@pytest.fixture(scope="module")
def settings(text_file):
    return Settings.of(
        "language",
        {
            "text": (text_file,),
            "units": 16,
            "sequence_length": 12,
            "batch_size": 8,
            "steps": 40,
            "epochs": 4,
        },
        preset="pruned",
    )


@pytest.fixture(scope="module")
def job(settings, tmp_path_factory):
    job = Job.start(tmp_path_factory.mktemp("out") / "run", settings)
    job.result = job.run(QUIET)
    return job


@pytest.fixture(scope="module")
def model(job):
    return keras.saving.load_model(job.folder / "model.keras")


def test_everything_promised_is_there(job):
    assert sorted(path.name for path in job.folder.iterdir()) == [
        "connections.png",
        "dense",
        "model.keras",
        "model.tflite",
        "report.json",
        "report.md",
        "saved_model",
        "settings.json",
        "sparse",
        "training.png",
        "twin_rate0.005",
        "twin_rate0.01",
        "vocabulary.json",
    ]
    assert json.loads((job.folder / "report.json").read_text()) == job.result


@pytest.mark.parametrize("name", ["dense", "sparse"])
def test_bits_per_character_are_those_of_the_saved_model(job, name):
    model = keras.saving.load_model(job.folder / name / "model.keras")
    x, y = job.task.validation
    logits = model.predict(x, verbose=0).astype("float64")
    likelihood = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    chosen = np.take_along_axis(likelihood, y[..., None], -1)
    expected = -np.log2(chosen).mean()
    reported = job.result["models"][name]["bits_per_character"]
    assert reported == pytest.approx(expected, rel=1e-4)


def test_sparsity_is_counted_in_the_files(job, model):
    kernel = model.get_layer("lstm").cell.recurrent_kernel.numpy()
    blocks = kernel.reshape(-1, 4, kernel.shape[1]) != 0
    np.testing.assert_array_equal(blocks.any(axis=1), blocks.all(axis=1))
    assert blocks.any(axis=1).sum() == round(0.1 * kernel.size / 4)
    sparse, dense = (job.result["models"][n] for n in ("sparse", "dense"))
    path = "lstm/lstm_cell/recurrent_kernel"
    assert sparse["sparsity"][path] == np.mean(kernel == 0)
    assert dense["sparsity"][path] == 0.0


def test_the_exports_hold_the_sparse_model(job, model):
    x = job.task.validation[0][:1]
    expected = model.predict(x, verbose=0)
    served = keras.layers.TFSMLayer(
        job.folder / "saved_model", call_endpoint="serve"
    )(x)
    np.testing.assert_allclose(served, expected, atol=1e-5)
    runner = Interpreter(
        str(job.folder / "model.tflite")
    ).get_signature_runner()
    (answer,) = runner(codes=x).values()
    # In int8: as coarse as its weights.
    np.testing.assert_allclose(answer, expected, atol=0.1)


def test_the_twin_is_the_better_one_and_has_as_many_bytes(job, tmp_path):
    twins = {
        name: json.loads((job.folder / name / "metrics.json").read_text())
        for name in ("twin_rate0.005", "twin_rate0.01")
    }
    best = min(twins.values(), key=lambda found: found["bits_per_character"])
    twin, sparse = (job.result["models"][n] for n in ("twin", "sparse"))
    assert twin["test"] == best["test"]
    size = sparse["files"]["tflite"]["bytes"]
    # No other number of units makes a file that comes nearer.
    sizes = {}
    for units in range(twin["units"] - 2, twin["units"] + 3):
        model = dataclasses.replace(job.task, units=units).model(1, None)
        file = tmp_path / "dense.tflite"
        sizes[units] = keras_moduli.export_tflite(
            model, file, "int8", "dense", sequence_length=12
        ).bytes
    assert min(sizes, key=lambda n: abs(sizes[n] - size)) == twin["units"]
    # Names of layers and what the file says of itself may differ.
    found = twin["files"]["tflite"]["bytes"]
    assert sizes[twin["units"]] == pytest.approx(found, abs=400)


def test_the_files_metric_is_reported(job, model):
    file = job.result["models"]["sparse"]["files"]["tflite"]
    of_model = job.result["models"]["sparse"]["test"]["bits_per_character"]
    assert file["bits_per_character"] == pytest.approx(of_model, abs=0.02)
    assert file["bits_per_character"] != of_model


def test_bytes_are_those_of_the_files(job):
    for name, folder in (("sparse", ""), ("dense", "dense")):
        files = job.result["models"][name]["files"]
        for kind, file in (
            ("keras", "model.keras"),
            ("tflite", "model.tflite"),
        ):
            content = (job.folder / folder / file).read_bytes()
            assert files[kind]["bytes"] == len(content)
            assert len(gzip.decompress(gzip.compress(content))) == len(content)
            assert files[kind]["gzip_bytes"] == pytest.approx(
                len(gzip.compress(content)), rel=0.01
            )


def test_the_model_loads_without_what_only_training_needs(job):
    with zipfile.ZipFile(job.folder / "model.keras") as archive:
        config = archive.read("config.json").decode()
    assert "keras_moduli.tasks" not in config
    assert "ModuliRegularizer" in config


def test_the_page_shows_every_number(job):
    page = (job.folder / "report.md").read_text()
    assert page == markdown(job.result)
    for model in job.result["models"].values():
        assert f"{model['bits_per_character']:#.4g}" in page
        assert f"{model['latency']['median_ms']:.2f} ms" in page
        for file in model["files"].values():
            assert f"{file['bytes']:,} bytes" in page
            assert f"{file['gzip_bytes']:,} bytes" in page
    for path in job.result["models"]["sparse"]["sparsity"]:
        assert path in page
    for picture in ("training.png", "connections.png"):
        assert f"]({picture})" in page
        with Image.open(job.folder / picture) as image:
            assert image.width > 500
            assert len(image.convert("RGB").getcolors(2**24)) > 20


def test_curves_follow_the_schedule(job):
    curves = job.runs["sparse"].curves()
    assert [epoch["epoch"] for epoch in curves] == [1, 2, 3, 4]
    sparsities = [epoch["sparsity"] for epoch in curves]
    assert sparsities == sorted(sparsities)
    assert sparsities[0] < 0.8
    assert sparsities[-1] == pytest.approx(0.9, abs=1 / 256)  # blocks


def test_a_finished_job_is_not_done_again(job):
    again = Job.resume(job.folder, "language", {"units": 16})
    file = job.folder / "model.tflite"
    before = file.stat().st_mtime_ns
    assert again.run(QUIET) == job.result
    assert file.stat().st_mtime_ns == before


def test_a_coarse_file_is_told_in_one_line(job, tmp_path, capsys, monkeypatch):
    """Of a job that is done, as `--resume` tells it again."""
    # It would hold for the tests behind this one, too.
    monkeypatch.setattr("keras_moduli.cli.parser.make_deterministic", int)
    assert not list(coarse_files(job.result))
    folder = tmp_path / "run"
    shutil.copytree(job.folder, folder)
    result = json.loads((folder / "report.json").read_text())
    file = result["models"]["twin"]["files"]["tflite"]
    file.update(relative_difference=1.25, high_difference=0.06)
    (folder / "report.json").write_text(json.dumps(result))
    assert main(["train", "language", "--out", str(folder), "--resume"]) == 0
    printed = capsys.readouterr()
    (line,) = [s for s in printed.out.splitlines() if "is coarse" in s]
    assert line.startswith("The dense twin .tflite is coarse: it is off by 1.2")
    assert "by less than 0.06 in 99 %" in line
    assert "Warning" not in printed.err
    assert line in markdown(result).splitlines()


@pytest.mark.parametrize(
    ("name", "value"), [("units", 17), ("seed", 1), ("task", "chess")]
)
def test_a_job_cannot_go_on_as_another(job, name, value):
    task = value if name == "task" else "language"
    given = {} if name == "task" else {name: value}
    with pytest.raises(ValueError, match=f"`{name}` of the run to resume"):
        Job.resume(job.folder, task, given)


def test_a_job_cannot_go_on_with_other_text(settings, tmp_path, text_file):
    file = tmp_path / "text.txt"
    file.write_text(SENTENCE * 200)
    given = {**settings.task_settings, "text": (str(file),)}
    Job.start(tmp_path / "run", Settings.of("language", given, "pruned"))
    file.write_text(SENTENCE * 200 + "More.")
    with pytest.raises(ValueError, match="other data"):
        Job.resume(tmp_path / "run", "language", {})


@pytest.mark.parametrize("epochs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_training_goes_on_to_the_same_model(
    settings, model, tmp_path, monkeypatch, epochs
):
    save = Checkpoint.on_epoch_end

    def save_and_stop(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    job = Job.start(tmp_path / "broken", settings)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "on_epoch_end", save_and_stop)
        job.runs["sparse"].train(QUIET, "sparse")
    run = Job.resume(tmp_path / "broken", "language", {}).runs["sparse"]
    run.train(QUIET, "sparse")
    assert [epoch["epoch"] for epoch in run.curves()] == [1, 2, 3, 4]
    for one, two in zip(
        run.model().get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights", "no_such_kernel", "selects nothing"),
        ("block_size", (5, 1), "must divide"),
        ("batch_size", 10**6, "too short for one batch"),
        ("text", ("no/such/file",), "can be read"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    settings, tmp_path, name, value, message
):
    impossible = Settings.of(
        "language", {**settings.task_settings, name: value}, "pruned"
    )
    with pytest.raises(ValueError, match=message):
        Job.start(tmp_path / "run", impossible)
    assert list(tmp_path.iterdir()) == []


def test_a_diverged_training_stops(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.full((4, 1), np.nan)
    with pytest.raises(FloatingPointError, match="diverged in epoch 1"):
        model.fit(x, x, callbacks=[Checkpoint(tmp_path / "c")], verbose=0)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "given"),
    [
        ("adding", {"units": 16, "sequence_length": 6}),
        ("navigation", {"units": 16, "cells": 12, "sequence_length": 4}),
    ],
)
def test_other_tasks_make_the_same_journey(tmp_path, task, given):
    settings = Settings.of(
        task,
        {
            **given,
            "weights": "recurrent",
            "lottery": True,
            "validation_size": 20,
            "steps": 20,
            "epochs": 2,
        },
    )
    job = Job.start(tmp_path / "run", settings)
    result = job.run(QUIET)
    x, _ = job.task.validation
    model = keras.saving.load_model(job.folder / "model.keras")
    runner = Interpreter(
        str(job.folder / "model.tflite")
    ).get_signature_runner()
    one = keras.tree.map_structure(lambda array: array[:1], x)
    named = one if isinstance(one, dict) else {"sequence": one}
    (answer,) = runner(**named).values()
    np.testing.assert_allclose(answer, model.predict(one, verbose=0), atol=1e-4)
    page = (job.folder / "report.md").read_text()
    assert job.task.metric_label in page
    ticket = json.loads(
        (job.folder / "sparse" / "lottery" / "metrics.json").read_text()
    )
    value = f"{ticket['test'][job.task.metric]:#.4g}"
    assert f"| the same of the lottery ticket |  |  | {value} |" in page
    assert result["models"]["sparse"]["sparsity"][
        "rnn/simple_rnn_cell/recurrent_kernel"
    ] == pytest.approx(0.9, abs=1 / 256)
