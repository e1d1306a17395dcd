"""Trainings in pieces give what unbroken ones give, whatever they carry."""

import json
import os
import subprocess
import time

import keras
import numpy as np
import pytest
from command import COMMAND
from command import on
from rich.console import Console

from keras_moduli.experiments.runs import deadline
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.pruning.masks import load_masks
from keras_moduli.regularizers.embedding_learning_rate import trained_points

QUIET = Console(quiet=True)
SENTENCE = "the cat sat on the mat , and the dog did not .\n"


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text(SENTENCE * 60)
    return str(file)


def language(text_file, **changes):
    given = {
        "text": (text_file,),
        "units": 8,
        "embedding": 4,
        "layers": 2,
        "sequence_length": 5,
        "batch_size": 2,
        "epochs": 4,
        "steps": 40,
        **changes,
    }
    return Settings.of("language", given, preset="paper")


def adding(text_file, **changes):
    del text_file
    given = {
        "units": 8,
        "sequence_length": 4,
        "validation_size": 20,
        "steps": 12,
        "epochs": 4,
        "pruning_end": 0.5,
        **changes,
    }
    return Settings.of("adding", given)


def train_in_pieces(folder, settings):
    """The run, and how often time was up."""
    pieces = 0
    while True:
        run = Run(folder, settings, settings.make_task())
        try:
            run.train(QUIET, "broken", time.time() + 3600)
        except OutOfTime:
            pieces += 1
        else:
            return run, pieces


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (language, {}),
        (adding, {"trainable": True, "space": "sphere", "lottery": True}),
    ],
    ids=["carried state", "trained points"],
)
def test_pieces_make_the_same_model(
    tmp_path, monkeypatch, text_file, make, changes
):
    settings = make(text_file, **changes)
    whole = Run(tmp_path / "whole", settings, settings.make_task())
    whole.train(QUIET, "whole")

    # Every epoch seems to take so long that no other fits.
    real = deadline.check

    def check(moment, needed=0.0):
        return real(moment, needed and 1e6)

    monkeypatch.setattr(deadline, "check", check)
    broken, pieces = train_in_pieces(tmp_path / "broken", settings)
    assert pieces == 3 * (1 + settings.lottery)
    for one, two in (
        (whole, broken),
        *([(whole.ticket, broken.ticket)] if settings.lottery else []),
    ):
        for a, b in zip(
            one.model().get_weights(), two.model().get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        first, second = one.metrics(), two.metrics()
        del first["seconds"], second["seconds"]
        assert first == second


@pytest.mark.slow
def test_trained_points_move_and_rest_in_the_stabiliser_epochs(tmp_path):
    settings = adding(None, trainable=True, lottery=True, factor=1.0)
    assert settings.stabilisers == 2
    positions = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            (points,) = trained_points(self.model)
            positions.append(keras.ops.convert_to_numpy(points))

    task = settings.make_task()
    object.__setattr__(task, "callbacks", lambda curves: [Watch()])
    run = Run(tmp_path / "run", settings, task)
    run.train(QUIET, "run")
    drawn = settings.regularizer().embedding(8)
    assert not np.allclose(positions[0], drawn)
    assert not np.allclose(positions[1], positions[0])
    np.testing.assert_array_equal(positions[2], positions[1])
    np.testing.assert_array_equal(positions[3], positions[1])
    # The ticket begins with the points that its masks were found with.
    (kept,) = trained_points(run.model())
    np.testing.assert_array_equal(kept, positions[3])
    assert np.abs(positions[4] - kept).max() < 0.1 < np.ptp(kept)
    masks = load_masks(run.folder / "masks.npz")
    ticket = {w.path: w.numpy() for w in run.ticket.model().weights}
    for path, mask in masks.items():
        assert not ticket[path][~mask].any()


@pytest.mark.slow
def test_the_kept_language_model_carries_nothing(tmp_path, text_file):
    settings = language(text_file, sparsity=0.0)
    run = Run(tmp_path / "run", settings, settings.make_task())
    run.train(QUIET, "run")
    model = run.model()
    assert model.input_shape == (None, None)
    x = np.zeros((3, 4), "int32")
    np.testing.assert_array_equal(model.predict(x), model.predict(x))
    rates = [epoch["learning_rate"] for epoch in run.curves()]
    values = [epoch["val_perplexity"] for epoch in run.curves()]
    expected, best = 20.0, np.inf
    for rate, value in zip(rates, values, strict=True):
        assert rate == pytest.approx(expected)
        expected /= 1 if value < best else 4
        best = min(best, value)


BLOCKED = (
    "tensorflow",
    "tensorflow_model_optimization",
    "tf_keras",
    "ai_edge_litert",
    "matplotlib",
)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_jax_alone_trains_in_pieces(tmp_path, command):
    for name in BLOCKED:
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')")
    paths = [str(tmp_path), os.getcwd()]
    environment = {
        **on("jax"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    out = tmp_path / "run"
    tiny = [
        *("--preset", "paper", "--units", "16", "--cells", "8"),
        *("--sequence-length", "4", "--batch-size", "4"),
        *("--steps", "60", "--epochs", "6", "--out", str(out)),
    ]
    more = ["--seeds", "1", "--control", "none"] if command == "sweep" else []
    resume, pieces = [], 0
    while True:
        # The first piece gets three seconds, which end somewhere.
        minutes = ["--minutes", "0.05"] if pieces < 1 else []
        process = subprocess.run(
            [
                *(COMMAND, command, "navigation"),
                *(*tiny, *more, *minutes, *resume),
            ],
            env=environment,
            capture_output=True,
            text=True,
        )
        if process.returncode != 3:
            break
        assert "Time is up" in process.stderr
        resume = ["--resume"] if command == "train" else []
        pieces += 1
    assert process.returncode == 0, process.stderr
    assert pieces
    found = sorted(out.glob("*/metrics.json"))
    # To train is to train the dense twin too, at two learning rates.
    assert len(found) == {"train": 4, "sweep": 2}[command]
    for file in found:
        metrics = json.loads(file.read_text())
        assert metrics["test"]["position_error"] > 0
        assert 80 < metrics["trivial"] < 90
