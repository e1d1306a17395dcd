"""What the files of a sweep cost, on real files."""

import contextlib
import io
import json
import shutil
import warnings

import keras
import pytest

import keras_moduli
from keras_moduli.cli import main
from keras_moduli.experiments.reports import table
from keras_moduli.experiments.reports import tradeoff
from keras_moduli.experiments.reports.row import Row
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.records import Recorded
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.export import CoarseWarning
from keras_moduli.tasks.streams import first

# Fewer than 1,024 weights, as 16 dense units have, are no integers.
TINY = (
    "--cells 24 --sequence-length 4 --batch-size 8 --steps 4 --epochs 2 "
    "--seeds 1 --quiet --dense-units 48 --units 24 --sparsity 0.6 "
    "--connections own+random --group-size 8"
)


def command(folder):
    return ["tradeoff", "navigation", "--out", str(folder), *TINY.split()]


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """A folder of measured files, and what was printed."""
    folder = tmp_path_factory.mktemp("tradeoff") / "costs"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(command(folder)) == 0
    return folder, printed.getvalue()


@pytest.mark.slow
def test_files_are_measured_once_and_with_the_models_metric(costs, capsys):
    folder, printed = costs
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in printed.strip().splitlines()[2:]
    ]
    assert [line[:2] for line in lines] == [
        ["dense", "48"],
        ["own+random, groups of 8, 60%", "24"],
    ]
    assert (folder / "costs.png").stat().st_size > 10_000
    files = sorted(folder.glob("*/int8.tflite"))
    assert len(files) == 2
    # The figures are those of the files, as Keras's own metric has them.
    run = folder / "none-units48-sparsity0-seed0"
    found = json.loads((run / "int8.json").read_text())
    assert found["bytes"] == (run / "int8.tflite").stat().st_size
    task = Settings.from_dict(folders.load(run)).make_task()
    model = keras.saving.load_model(run / "model.keras")
    model.compile_from_config(task.model(1).get_compile_config())
    x, y = (keras.tree.map_structure(lambda a: a[:500], d) for d in task.test)
    whole = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["of_model"] == pytest.approx(whole["position_error"], rel=1e-5)
    of_file = keras_moduli.evaluate_tflite(run / "int8.tflite", x, y, model)
    assert found["of_file"] == pytest.approx(of_file["position_error"])
    # Nothing is trained or exported again.
    before = [file.stat().st_mtime_ns for file in files]
    assert main(command(folder)) == 0
    assert [file.stat().st_mtime_ns for file in files] == before
    again = capsys.readouterr().out
    for was, now in zip(printed.splitlines(), again.splitlines(), strict=True):
        assert was.split("|")[:4] == now.split("|")[:4]


@pytest.mark.slow
def test_files_of_other_weights_stand_beside_the_first(costs, tmp_path):
    folder = shutil.copytree(costs[0], tmp_path / "costs")
    assert main([*command(folder), "--quantization", "float32"]) == 0
    (run,) = folder.glob("none-*/")
    small, large = run / "int8.tflite", run / "float32.tflite"
    found = json.loads(large.with_suffix(".json").read_text())
    assert found["bytes"] == large.stat().st_size > small.stat().st_size
    # Nothing is rounded.
    assert found["of_file"] == pytest.approx(found["of_model"], rel=1e-4)


def _row(validation, **own):
    """A kind of run with certain errors on the validation data."""
    settings = Settings.of("navigation", {**own, "control": "none"})
    runs = [
        Recorded(settings, {"position_error": error, "test": {}})
        for error in validation
    ]
    return Row(settings, runs)


def test_each_size_has_the_learning_rate_that_validates_best():
    lucky = _row([1.0], units=32, learning_rate=0.1)
    worse = _row([5.0, 6.0], units=32, learning_rate=0.01)
    better = _row([3.0, 4.0], units=32, learning_rate=0.001)
    other = _row([9.0, 9.0], units=16, learning_rate=0.01)
    chosen = table.best_factors([lucky, worse, better, other], "units")
    assert list(chosen.values()) == [better, other]


def test_nothing_finished_is_said(tmp_path):
    with pytest.raises(ValueError, match="Received"):
        tradeoff.measure(tmp_path, console=None)


def test_a_coarse_file_is_told_by_its_metric_alone(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat, and the dog did not. " * 99)
    given = {"text": (str(text),), "cell": "simple_rnn", "units": 64}
    task = Settings.of("language", {**given, "batch_size": 4}).make_task()
    keras.utils.set_random_seed(1)
    model = task.model(1)
    cell = model.get_layer("simple_rnn").cell
    cell.kernel.assign(9 * cell.kernel)
    cell.recurrent_kernel.assign(3 * cell.recurrent_kernel)
    x, y = (first(4, data) for data in task.test)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CoarseWarning)
        report, metric = tradeoff.tested_file(
            model, task, tmp_path / "model.tflite", "dense", x, y
        )
    assert report.relative_difference > report.tolerance
    assert metric > 0
