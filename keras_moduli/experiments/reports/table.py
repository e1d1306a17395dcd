"""What the runs of a folder gave, over seeds: as a table, in three formats."""

import dataclasses
import json
import math
import statistics
from pathlib import Path

from keras_moduli.experiments.reports import rendering
from keras_moduli.experiments.reports.row import Row
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.records import SUFFIX
from keras_moduli.experiments.runs.records import Records
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import NO_REGULARIZER
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run


def load(place):
    """Reads all runs of a sweep.

    Args:
        place: A folder or a `.jsonl` file that a sweep made.

    Returns:
        A list of `Row`, in the order of their labels and sparsities.

    Raises:
        ValueError: If it is neither, or holds no runs.
    """
    place = Path(place)
    rows = {}
    for settings, state, run in _runs(place):
        shared = dataclasses.replace(settings.effective(), seed=0)
        # In whichever order the task's settings were given.
        kind = json.dumps(shared.to_dict(), sort_keys=True)
        row = rows.setdefault(kind, Row(shared, []))
        if state == "finished":
            row.runs.append(run)
        else:
            setattr(row, state, getattr(row, state) + 1)
    if not rows:
        raise ValueError(f"There are no runs. Received: folder='{place}'")
    return sorted(rows.values(), key=_order)


def check_folder(place):
    """Raises a ValueError for records: they hold metrics only."""
    if Path(place).suffix == SUFFIX:
        raise ValueError(
            "This needs the curves and weights of runs, so the folder of a "
            f"sweep; a {SUFFIX} file has metrics only. Received: '{place}'"
        )


def _runs(place):
    """The settings of every run, how far it has come, and the run."""
    if place.suffix == SUFFIX:
        for run in Records(place).runs.values():
            yield run.settings, "finished", run
        return
    if "sweep" not in folders.load(place, any_format=True):
        raise ValueError(
            "`folder` must be one that `keras-moduli sweep` made. "
            f"Received: folder='{place}'"
        )
    for path in sorted(p.parent for p in place.glob("*/settings.json")):
        settings = Settings.from_dict(folders.load(path, any_format=True))
        run = Run(path, settings, task=None)
        if run.finished:
            yield settings, "finished", run
        elif (path / "failed.txt").is_file():
            yield settings, "failed", run
        else:
            yield settings, "unfinished", run


def only(rows, labels):
    """The rows with certain labels.

    Args:
        rows: What `load` returned.
        labels: A list of labels.

    Returns:
        A list of `Row`.

    Raises:
        ValueError: If a label is not among the rows'.
    """
    known = sorted({row.label for row in rows})
    for label in labels:
        if label not in known:
            raise ValueError(
                f"`only` must be among {known}. Received: only={label!r}"
            )
    return [row for row in rows if row.label in labels]


def _order(row):
    settings = row.settings
    return settings.sparsity, settings.control or "", row.label, settings.factor


def best_factors(rows, *settings):
    """The rows of the factor that validates best, of every kind.

    Args:
        rows: What `load` returned.
        *settings: Names of settings of the task in which kinds differ, too.

    Returns:
        A dict from label, sparsity and these settings to the `Row` with the
        lowest median on the validation data, among those with the most seeds:
        one lucky seed of a factor that was only tried is not compared with
        five of another. Rows without finished runs are left out.
    """
    kinds = {}
    for row in rows:
        if row.runs:
            task = row.settings.make_task()
            own = [getattr(task, name) for name in settings]
            kind = row.label, row.settings.sparsity, *own
            kinds.setdefault(kind, []).append(row)
    return {kind: min(same, key=_promise) for kind, same in kinds.items()}


def _promise(row):
    return -row.seeds, statistics.median(row.validation)


HEADER = (
    "regularizer",
    "factor",
    "sparsity",
    "mean",
    "std",
    "median",
    "validation median",
    "runs",
    "at chance",
    "failed",
    "unfinished",
)


def cells(row):
    """A row's values as strings, in the order of `HEADER`."""
    settings = row.settings
    none = settings.fixed or settings.control in (NO_REGULARIZER, DENSE_TWIN)
    return [
        row.label,
        "" if none else f"{settings.factor:g}",
        f"{settings.sparsity:.0%}",
        *rendering.summary(row.values),
        rendering.summary(row.validation)[-1],
        str(len(row.runs)),
        str(row.at_chance),
        str(row.failed),
        str(row.unfinished),
    ]


def render(rows, form="markdown"):
    """The table as text.

    Args:
        rows: What `load` returned. Mean, standard deviation and median are of
            the test data; the median of the validation data is there to
            choose settings by. A run that is no better than the trivial
            answer counts as "at chance", one that broke as "failed".
        form: `"markdown"`, `"latex"` or `"csv"`. The best mean of every
            sparsity is bold in the first two.

    Returns:
        A string.
    """
    header, body = list(HEADER), [cells(row) for row in rows]
    for name in _differing(rows):
        header.append(name.replace("_", " "))
        for row, line in zip(rows, body, strict=True):
            value = getattr(row.settings.make_task(), name)
            line.append("" if value is None else f"{value:g}")
    if any(row.tickets for row in rows):
        header += ["ticket mean", "ticket std", "ticket median"]
        for row, line in zip(rows, body, strict=True):
            line += rendering.summary(row.tickets)
    paths = list(dict.fromkeys(p for row in rows for p in row.matrices))
    header += [f"zeros in {path}" for path in paths]
    for row, line in zip(rows, body, strict=True):
        line += [_percent(row.matrices.get(path)) for path in paths]
    mean = HEADER.index("mean")
    bold = {(row, mean) for row in _best(rows)}
    return rendering.FORMS[form](header, body, bold)


def _percent(fraction):
    return "" if fraction is None else f"{fraction:.1%}"


def _differing(rows):
    """The settings of the task in which rows differ."""
    tasks = [row.settings.make_task() for row in rows]
    return [
        name
        for name in ("units", "learning_rate")
        if len({getattr(task, name) for task in tasks}) > 1
    ]


def _best(rows):
    """The indices of the rows with the least mean at their sparsity."""
    best = {}
    for index, row in enumerate(rows):
        if row.values:
            mean = statistics.mean(row.values)
            least = best.get(row.settings.sparsity, (math.inf, None))
            best[row.settings.sparsity] = min(least, (mean, index))
    return {index for _, index in best.values()}
