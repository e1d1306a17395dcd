"""The pictures of a job, drawn without a screen."""

import keras
import numpy as np

from keras_moduli import plotting
from keras_moduli.experiments.reports.report import NAMES
from keras_moduli.experiments.reports.table import best_factors
from keras_moduli.experiments.reports.table import check_folder
from keras_moduli.experiments.runs.connections import geometry
from keras_moduli.experiments.runs.training import Run
from keras_moduli.layers.conversion import without_sparse_layers
from keras_moduli.models.kernels import kernels
from keras_moduli.plotting.style import is_crowded
from keras_moduli.utils.files import atomic_path

_NEURONS = 3
_DENSEST = 0.1  # of a kernel: more dots would be a grey square


def draw(folder, runs, metric_label):
    """Writes `training.png` and, with a geometry, `connections.png`.

    Args:
        folder: A `pathlib.Path`.
        runs: A dict from name to finished `Run`, one of them "sparse".
        metric_label: What to call the metric.

    Returns:
        The names of the pictures.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    figures = {"training.png": _training(runs, metric_label)}
    if geometry(runs["sparse"].settings):
        figures["connections.png"] = _connections(runs["sparse"])
    for name, figure in figures.items():
        _save(folder / name, figure)
    return list(figures)


def draw_sweep(folder, rows):
    """Writes `tradeoff.png` and `curves.png`, and two pictures of some runs.

    Of several factors the one that validates best is drawn, among those with
    the most seeds. `connections.png` and `kernels.png` stand in the folder of
    the first seed of everything that has a geometry.

    Args:
        folder: A `pathlib.Path`.
        rows: What `keras_moduli.experiments.reports.table.load` returned.

    Returns:
        The paths written.

    Raises:
        ValueError: If no run is finished, or the data is not there any more,
            which `kernels.png` needs to make a model anew; it is drawn last.
    """
    check_folder(folder)
    rows = list(best_factors(rows).values())
    if not rows:
        raise ValueError(
            f"No run is finished, there is nothing to draw. "
            f"Received: folder='{folder}'"
        )
    task = rows[0].settings.make_task()
    figures = {
        folder / "tradeoff.png": _tradeoff(rows, task),
        folder / "curves.png": _all_curves(rows, task),
    }
    for path, figure in figures.items():
        _save(path, figure)
    runs = [row.runs[0] for row in rows if geometry(row.settings)]
    pictures = {"connections.png": _connections, "kernels.png": _kernels}
    for name, picture in pictures.items():
        for run in runs:
            _save(run.folder / name, picture(run))
    return [*figures, *(run.folder / n for n in pictures for run in runs)]


def draw_costs(path, kinds):
    """Draws what `tradeoff.measure` found: error against bytes and times.

    Args:
        path: The picture's file.
        kinds: What `measure` returned.
    """
    task = kinds[0].row.settings.make_task()
    costs = {
        "KB of the file": lambda kind: kind.kilobytes,
        "ms of one sequence, one thread": lambda kind: kind.milliseconds,
        "minutes of training": lambda kind: kind.seconds / 60,
    }
    figure = _figure(12.0, 4.8)
    for ax, (cost, of) in zip(
        figure.subplots(1, len(costs), sharey=True), costs.items(), strict=True
    ):
        results = {}
        for kind in kinds:
            results.setdefault(kind.name, {})[of(kind)] = kind.errors
        plotting.plot_cost(results, cost, f"test {task.metric_label}", ax)
        ax.get_legend().remove()
    figure.legend(
        *ax.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    _save(path, figure)


def _tradeoff(rows, task):
    results = {}
    for row in rows:
        errors = results.setdefault(row.label, {})
        errors[row.settings.sparsity] = row.values
    figure = _figure(_width(results), 4.4)
    plotting.plot_tradeoff(
        results, f"test {task.metric_label}", ax=figure.subplots()
    )
    return figure


def _all_curves(rows, task):
    """The mean curve of every row."""
    name = f"val_{task.metric}"
    several = len({row.settings.sparsity for row in rows}) > 1
    curves = {}
    for row in rows:
        runs = [[e[name] for e in run.curves()] for run in row.runs]
        label = row.label
        if several:
            label += f", {row.settings.sparsity:.0%}"
        curves[label] = [
            {"epoch": epoch, name: value}
            for epoch, value in enumerate(np.mean(runs, axis=0), 1)
        ]
    figure = _figure(_width(curves), 4.4)
    plotting.plot_curves(
        curves, name, f"validation {task.metric_label}", figure.subplots()
    )
    return figure


def _width(lines):
    return 9.6 if is_crowded(len(lines)) else 6.4


def _training(runs, metric_label):
    sparse = runs["sparse"]
    curves = {NAMES[name]: run.curves() for name, run in runs.items()}
    figure = _figure(6.4, 5.2)
    # Where nothing is pruned in training there is no sparsity to follow.
    rows = 2 if sparse.settings.pruning() else 1
    axes = figure.subplots(
        rows, sharex=True, squeeze=False, height_ratios=[3, 2][:rows]
    )[:, 0]
    plotting.plot_curves(
        curves,
        f"val_{sparse.task.metric}",
        f"validation {metric_label}",
        ax=axes[0],
    )
    if rows == 2:
        axes[0].set_xlabel("")
        plotting.plot_sparsity(
            curves["sparse"],
            sparse.settings.schedule(),
            sparse.settings.steps_per_epoch,
            ax=axes[1],
        )
    return figure


def _connections(run):
    model = run.model()
    regularizer = _regularizer(model, run.settings)
    kernel = _recurrent_kernel(model)
    kind = plotting.projection(regularizer.space)
    figure = _figure(7.2, 5.6)
    grid = figure.add_gridspec(2, _NEURONS, height_ratios=[3, 2])
    chosen = (np.arange(_NEURONS) * 2 + 1) * len(kernel) // (2 * _NEURONS)
    for column, neuron in enumerate(chosen):
        ax = figure.add_subplot(grid[0, column], projection=kind)
        plotting.plot_connections(kernel, regularizer, neuron, ax=ax)
    plotting.plot_survival(
        kernel, regularizer, ax=figure.add_subplot(grid[1, :])
    )
    name = regularizer.space.name
    figure.suptitle(
        f"Fixed connections on the {name} "
        "(background: penalty, white is read first)"
        if run.settings.fixed
        else f"Surviving connections on the {name} "
        "(background: penalty, white is free)",
        fontsize=11,
    )
    return figure


def _kernels(run):
    """The recurrent kernel by position, before the training and after."""
    model = run.model()
    regularizer = _regularizer(model, run.settings)
    after = _recurrent_kernel(model)
    task = run.settings.make_task()
    first = Run(run.folder, run.settings, task).first_model()
    before = _recurrent_kernel(first)
    count = min(np.count_nonzero(after), int(_DENSEST * after.size))
    figure = _figure(8.4, 4.6)
    for ax, kernel, when in zip(
        figure.subplots(1, 2), (before, after), ("before", "after"), strict=True
    ):
        plotting.plot_kernel(_largest(kernel, count), regularizer, ax=ax)
        ax.set_title(f"{when} training", fontsize=10)
    figure.suptitle(
        f"The largest {count / after.size:.0%} of the recurrent weights, "
        f"neurons in their order on the {regularizer.space.name}",
        fontsize=11,
    )
    return figure


def _largest(kernel, count):
    """A kernel with all but its largest weights set to zero."""
    kept = np.argsort(np.abs(kernel), axis=None)[kernel.size - count :]
    largest = np.zeros_like(kernel)
    largest.flat[kept] = kernel.flat[kept]
    return largest


def _regularizer(model, settings):
    """What says which recurrent connections are near, as in `geometry`."""
    if settings.fixed:
        return geometry(settings)
    # The model's own: a trained one has other points than the settings.
    found = (getattr(x, "recurrent_regularizer", None) for x in model.layers)
    return next(each for each in found if each is not None)


def _recurrent_kernel(model):
    """The first recurrent kernel of a model, as an array."""
    model = without_sparse_layers(model)
    path = next(p for p in kernels(model) if p.endswith("recurrent_kernel"))
    return keras.ops.convert_to_numpy(kernels(model)[path])


def _figure(width, height):
    """A figure of its own: pyplot's backend and state stay untouched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(path, figure):
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
