"""The command as it is installed, in a process of its own."""

import gc
import json
import subprocess
import sys

import pytest
from command import COMMAND
from command import on

import keras_moduli_command


def run(*arguments):
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_help_says_nothing_else():
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("usage: keras-moduli")


@pytest.mark.slow
def test_an_error_is_one_line(tmp_path):
    done = run("table", str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("keras-moduli: error: ")


@pytest.mark.slow
def test_training_and_exports_say_nothing_of_their_libraries(tmp_path):
    done = run(
        *("train", "adding", "--out", str(tmp_path / "run")),
        *("--units", "8", "--sequence-length", "4", "--steps", "8"),
        *("--beside", "plain"),
    )
    assert done.returncode == 0 and done.stderr == ""
    for word in ("TensorFlow", "oneDNN", "CUDA", "absl", "0000 00:00"):
        assert word not in done.stdout


def test_imports_leave_garbage_collection_on():
    with keras_moduli_command.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), keras_moduli_command.uncollected():
        raise ImportError
    assert gc.isenabled()


def test_what_is_spared_at_first_can_be_imported_later(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    spared = keras_moduli_command.without("colorsys", "json")
    with pytest.raises(ImportError), spared:
        import json  # was there before

        assert json.loads("1") == 1
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize("told_by", ["environment", "file"])
def test_jax_is_spared_where_keras_does_not_need_it(
    tmp_path, monkeypatch, backend, told_by
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", backend)
    if told_by == "file":
        monkeypatch.delenv("KERAS_BACKEND")
        (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
    else:
        (tmp_path / "keras.json").write_text("{")
    spared = keras_moduli_command.unused()
    assert ("jax" in spared) == (backend == "tensorflow")
    assert "pandas" in spared


@pytest.mark.slow
def test_commands_do_not_wait_for_what_they_do_not_use():
    script = (
        "import sys, keras_moduli_command\n"
        "with keras_moduli_command.quick_imports():\n"
        "    from keras_moduli import cli\n"
        "    import tensorflow_model_optimization\n"
        "spared = {*keras_moduli_command.unused()}\n"
        "assert 'jax' in spared and not spared & {*sys.modules}\n"
        "import sklearn, pandas, matplotlib.pyplot, jax, scipy"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        env=on("tensorflow"),
        check=True,
    )
