"""What quality costs: the exported files of a sweep, in bytes and in time."""

import statistics
import warnings

from keras_moduli.experiments.reports import rendering
from keras_moduli.experiments.reports import table
from keras_moduli.experiments.reports.latency import latencies
from keras_moduli.experiments.runs import folders
from keras_moduli.export import CoarseWarning
from keras_moduli.export import evaluate_tflite
from keras_moduli.export import export_tflite
from keras_moduli.export.verification.comparison import TOLERANCES
from keras_moduli.models.kernels import select
from keras_moduli.tasks.streams import first

QUANTIZATION = "int8"
# By name; `export_tflite` calls float32 `None`.
QUANTIZATIONS = {name or "float32": name for name in TOLERANCES}
_EXAMPLES = 500  # to test a file on: batches of one take their time
_CALIBRATION = 8  # examples that a file is compared with its model on
_ROUNDS = 100


class Kind:
    """The files of runs that differ in nothing but their seed.

    Args:
        row: A `row.Row`.

    Attributes:
        name: What to call them, the same for all sizes of one kind of net.
        files: What `measure` found for each, a list of dicts.
        milliseconds: How long the first seed's file takes.
    """

    def __init__(self, row):
        settings = row.settings
        self.row = row
        self.name = row.label if settings.sparsity else "dense"
        if settings.sparsity:
            self.name += f", {settings.sparsity:.0%}"
        self.files = []
        self.milliseconds = None

    @property
    def units(self):
        """Recurrent units; the dense twin has fewer than its settings say."""
        return self.files[0]["units"]

    @property
    def kilobytes(self):
        return statistics.mean(file["bytes"] for file in self.files) / 1000

    @property
    def errors(self):
        """The metric of every seed's file."""
        return [file["of_file"] for file in self.files]

    @property
    def differences(self):
        """How much worse every seed's file is than its model."""
        return [file["of_file"] - file["of_model"] for file in self.files]

    @property
    def seconds(self):
        """How long a training took."""
        return statistics.mean(
            run.metrics()["seconds"] for run in self.row.runs
        )


def measure(folder, console, quantization=QUANTIZATION):
    """Exports and measures everything in a sweep that is finished.

    Of several factors or learning rates the one that validates best, among
    those with the most seeds. A run's file stands in its folder, with what was
    measured beside it, and is not made again.

    Args:
        folder: A folder that a sweep made.
        console: A `rich.console.Console`.
        quantization: A name in `QUANTIZATIONS`.

    Returns:
        A list of `Kind`, smallest files first.

    Raises:
        ValueError: If it is no folder of a sweep, or no run is finished.
    """
    table.check_folder(folder)
    rows = table.best_factors(table.load(folder), "units")
    kinds = [Kind(row) for row in rows.values()]
    if not kinds:
        raise ValueError(f"No run is finished. Received: folder='{folder}'")
    task = kinds[0].row.settings.make_task()
    with console.status("Exporting") as status:
        for kind in kinds:
            for run in kind.row.runs:
                status.update(f"Exporting {run.folder.name}")
                kind.files.append(_file(run, quantization))
        status.update("Timing")
        firsts = {kind: _path(kind.row.runs[0], quantization) for kind in kinds}
        times = latencies(firsts, first(1, task.test[0]), _ROUNDS)
    for kind in kinds:
        kind.milliseconds = times[kind]["median_ms"]
    return sorted(kinds, key=lambda kind: (kind.name, kind.kilobytes))


def render(kinds, form="markdown"):
    """What `measure` found, as a table."""
    task = kinds[0].row.settings.make_task()
    header = [
        "model",
        "units",
        f"{task.metric_label} of the file",
        "std",
        "worse than its model by",
        "layout",
        "KB",
        "ms",
        "training seconds",
        "seeds",
    ]
    body = []
    for kind in kinds:
        mean, spread, _ = rendering.summary(kind.errors)
        body.append(
            [
                kind.name,
                str(kind.units),
                mean,
                spread,
                f"{statistics.mean(kind.differences):.2g}",
                kind.files[0]["layout"],
                f"{kind.kilobytes:.0f}",
                f"{kind.milliseconds:.2f}",
                f"{kind.seconds:.0f}",
                str(len(kind.files)),
            ]
        )
    return rendering.FORMS[form](header, body, set())


def _file(run, quantization):
    """What was measured of a run's file, which is made if need be."""
    path = _path(run, quantization)
    record = path.with_suffix(".json")
    if record.is_file():
        return folders.read_json(record)
    task = run.settings.make_task()
    model = run.model()
    x, y = first(_EXAMPLES, task.test[0]), first(_EXAMPLES, task.test[1])
    layout = "auto" if run.settings.sparsity else "dense"
    report, of_file = tested_file(
        model, task, path, layout, x, y, QUANTIZATIONS[quantization]
    )
    found = {
        "units": recurrent_units(model),
        "bytes": report.bytes,
        "layout": report.layout,
        "of_file": of_file,
        "of_model": _evaluated(model, x, y, task)[task.metric],
    }
    folders.write_json(record, found)
    return found


def tested_file(model, task, path, layout, x, y, quantization=QUANTIZATION):
    """Exports a trained model, and tests the file.

    That it is coarse is no warning: its own metric says what comes of it.

    Args:
        model: The model of a run, which is compiled for its task here.
        task: The run's task.
        path: The `.tflite` file to write.
        layout: As in `export_tflite`.
        x, y: What to test the file on.
        quantization: As in `export_tflite`.

    Returns:
        The `ExportReport`, and the task's metric of the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoarseWarning)
        report = export_tflite(
            model,
            path,
            quantization,
            layout=layout,
            sequence_length=task.sequence_length,
            inputs=first(_CALIBRATION, task.validation[0]),
        )
    # What a run keeps has no metrics.
    model.compile_from_config(task.model(1, None).get_compile_config())
    return report, evaluate_tflite(path, x, y, model)[task.metric]


def recurrent_units(model):
    """The units of a model's first recurrent layer."""
    return next(iter(select(model).values())).shape[0]


def _evaluated(model, x, y, task):
    return model.evaluate(
        x, y, batch_size=task.evaluation_batch, return_dict=True, verbose=0
    )


def _path(run, quantization):
    return run.folder / f"{quantization}.tflite"
