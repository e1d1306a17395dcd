"""Real processes, killed at several moments."""

import json
import signal
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from command import COMMAND
from PIL import Image

import keras_moduli.tasks  # noqa: F401  checkpoints hold its metric

pytestmark = pytest.mark.slow

# Fractions of an unbroken job's time, in this order.
KILLS = (0.3, 0.7)
SENTENCE = "the cat sat on the mat, and the dog did not. "


def start(folder, text, *options):
    return subprocess.Popen(
        [
            *(COMMAND, "train", "language"),
            *("--out", str(folder), "--text", str(text), "--units", "24"),
            *("--sequence-length", "16"),
            *("--steps", "120", "--epochs", "6", "--beside", "plain"),
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(folder, text, *options):
    process = start(folder, text, *options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def resume(folder):
    """The option to go on with, if there is something to go on with."""
    return ["--resume"] if (folder / "settings.json").exists() else []


OPENERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".keras": keras.saving.load_model,
    ".tflite": lambda path: Interpreter(str(path)).allocate_tensors(),
    ".png": lambda path: Image.open(path).load(),
    ".md": lambda path: path.read_text().index("connections.png"),
    ".npz": lambda path: dict(np.load(path)),
    ".pb": lambda path: path.stat().st_size,
}


def open_everything(folder):
    """Opens every file but those in hidden, unfinished folders."""
    seen = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.parts)
        if path.is_file() and not hidden and "saved_model" not in path.parts:
            OPENERS[path.suffix](path)
            seen.append(path.name)
        if path.name == "saved_model" and not hidden:
            keras.layers.TFSMLayer(path, call_endpoint="serve")
    return seen


def test_a_job_killed_again_and_again_gives_what_an_unbroken_one_gives(
    tmp_path,
):
    text = tmp_path / "text.txt"
    text.write_text(SENTENCE * 400)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    begin = time.monotonic()
    table = finish(whole, text)
    duration = time.monotonic() - begin
    assert "bits per character" in table

    killed = 0
    for moment in KILLS:
        process = start(broken, text, *resume(broken))
        try:
            process.communicate(timeout=moment * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        else:
            assert process.returncode == 0
        if broken.exists():
            open_everything(broken)
    assert killed
    finish(broken, text, *resume(broken))

    names = {path.relative_to(whole) for path in whole.rglob("*")}
    assert {path.relative_to(broken) for path in broken.rglob("*")} == names
    assert not [path for path in tmp_path.glob(".*")]
    trained = [path.parent for path in whole.glob("*/curves.json")]
    assert {"plain", "sparse"} == {folder.name for folder in trained}
    for folder in trained:
        compare(folder, broken / folder.name)
    reports = [
        json.loads((f / "report.json").read_text()) for f in (whole, broken)
    ]
    for one, two in zip(
        *(report["models"].values() for report in reports), strict=True
    ):
        assert one["bits_per_character"] == two["bits_per_character"]
        assert one["sparsity"] == two["sparsity"]
    tflite = [(f / "model.tflite").read_bytes() for f in (whole, broken)]
    assert tflite[0] == tflite[1]


def compare(whole: Path, broken: Path):
    curves = [
        json.loads((folder / "curves.json").read_text())
        for folder in (whole, broken)
    ]
    for one, two in zip(*curves, strict=True):
        del one["seconds"], two["seconds"]
        assert one == two
    for one, two in zip(
        *(
            keras.saving.load_model(folder / "model.keras").get_weights()
            for folder in (whole, broken)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
