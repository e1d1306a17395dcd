"""Exports that are killed, and targets that cannot be written."""

import subprocess
import time

import keras
import pytest
from command import python

from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite

L = keras.layers

PROGRAM = """
import keras, sys
from keras_moduli.export import export_saved_model, export_tflite
x = keras.Input((4, 300))
model = keras.Model(x, keras.layers.LSTM(400)(x))
print("ready", flush=True)
while True:
    if sys.argv[1].endswith(".tflite"):
        export_tflite(model, sys.argv[1], layout="dense")
    else:
        export_saved_model(model, sys.argv[1])
"""


def half_written(folder):
    """Whether something of some size stands in a hidden folder."""
    return any(
        path.is_file() and path.stat().st_size > 1000
        for scratch in folder.glob(".*.tmp")
        for path in scratch.rglob("*")
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m.tflite", "saved"])
def test_killed_in_the_middle_the_old_one_stays(name, tmp_path):
    path = tmp_path / name
    if name == "saved":
        path.mkdir()
    old = path / "old" if path.is_dir() else path
    old.write_text("old")
    child = subprocess.Popen(
        python(PROGRAM, path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert child.stdout.readline() == b"ready\n"
        end = time.monotonic() + 60
        while not half_written(tmp_path):
            assert time.monotonic() < end
    finally:
        child.kill()
        child.wait()
    assert half_written(tmp_path)  # it did not come to clean up
    assert old.read_text() == "old"
    # What a killed process left is in nobody's way.
    model = keras.Sequential([keras.Input((3, 2)), L.LSTM(4)])
    export = export_saved_model if path.is_dir() else export_tflite
    assert export(model, path).bytes > 0
    assert not path.is_dir() or not old.exists()


@pytest.fixture
def read_only(tmp_path):
    """A file system that takes no writes, not even those of root."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    try:
        subprocess.run(options, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("export", [export_tflite, export_saved_model])
def test_a_read_only_target_is_refused(export, read_only):
    model = keras.Sequential([keras.Input((2,)), L.Dense(2)])
    with pytest.raises(ValueError, match="must be writable"):
        export(
            model,
            read_only / "m.tflite"
            if export is export_tflite
            else read_only / "m",
        )
