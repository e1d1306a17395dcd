"""The report of a job: one dict, and the table that is read from it."""

import gzip

from keras_moduli.experiments.reports.machine import this_machine
from keras_moduli.experiments.runs.connections import PRUNED
from keras_moduli.experiments.runs.connections import without_recurrent
from keras_moduli.experiments.runs.grouping import GROUPINGS
from keras_moduli.utils.files import size_of


def file_sizes(path):
    """The bytes of a file, plain and gzipped."""
    return {
        "bytes": size_of(path),
        "gzip_bytes": len(gzip.compress(path.read_bytes())),
    }


def build(job, units, files, latency):
    """Everything that a job found, as a JSON-able dict.

    Args:
        job: The `Job`.
        units: The recurrent units of every model, a dict by name.
        files: For every model, by name, a dict from format to a dict with
            `bytes` and `gzip_bytes`.
        latency: What `latencies` gave, or an empty dict.
    """
    settings = job.settings.to_dict()
    return {
        "task": settings["task"],
        "metric": job.task.metric,
        "metric_label": job.task.metric_label,
        "data": job.task.describe(),
        "settings": {**settings, "total_steps": job.settings.total_steps},
        "machine": this_machine(),
        "models": {
            name: {
                **run.metrics(),
                "units": units[name],
                "learning_rate": run.settings.make_task().first_learning_rate,
                "ticket": run.ticket and run.ticket.metrics(),
                "files": files[name],
                "latency": latency.get(name),
            }
            for name, run in job.runs.items()
        },
    }


def rows(report):
    """The table: a list of tuples of strings, what and a cell per model."""
    models = report["models"]
    sparse = models["sparse"]

    def row(label, read, form):
        return label, *(form.format(read(model)) for model in models.values())

    table = [
        row("recurrent units", lambda model: model["units"], "{:,}"),
        row(
            f"validation {report['metric_label']}",
            lambda model: model[report["metric"]],
            "{:#.4g}",
        ),
        row(
            f"test {report['metric_label']}",
            lambda model: model["test"][report["metric"]],
            "{:#.4g}",
        ),
        *(
            row(f"sparsity of {path}", _sparsity_of(path), "{:.1%}")
            for path in sparse["sparsity"]
        ),
    ]
    for name, value in sparse.get("rivals", {}).items():
        each = [f"{value:#.4g}"] * len(models)
        table.append((f"without a network: {name}", *each))
    if sparse["ticket"]:
        ticket = sparse["ticket"]["test"][report["metric"]]
        others = [""] * (len(models) - 1)
        table.insert(
            3, ("the same of the lottery ticket", *others, f"{ticket:#.4g}")
        )
    for kind, label in _FORMATS.items():
        if kind in sparse["files"]:
            table += [
                row(label, _size_of(kind, "bytes"), "{:,} bytes"),
                row(
                    f"{label}, gzipped",
                    _size_of(kind, "gzip_bytes"),
                    "{:,} bytes",
                ),
            ]
    if sparse["latency"]:
        table += [
            row(
                f"test {report['metric_label']} of the .tflite",
                lambda model: model["files"]["tflite"][report["metric"]],
                "{:#.4g}",
            ),
            row(
                ".tflite latency, one thread, median",
                lambda model: model["latency"]["median_ms"],
                "{:.2f} ms",
            ),
        ]
    table.append(
        row("training time", lambda model: model["seconds"], "{:.0f} s")
    )
    return table


_FORMATS = {
    "keras": ".keras",
    "saved_model": "SavedModel",
    "tflite": ".tflite, int8",
}
NAMES = {
    "dense": "dense",
    "twin": "dense twin",
    "plain": "without geometry",
    "shrunken": "shrunken",
    "sparse": "sparse",
}


def _sparsity_of(path):
    return lambda model: model["sparsity"][path]


def _size_of(kind, unit):
    return lambda model: model["files"][kind][unit]


def rich_table(report):
    """The table for the terminal."""
    from rich.table import Table

    table = Table(title=_title(report))
    table.add_column("")
    for name in report["models"]:
        table.add_column(NAMES[name], justify="right")
    for row in rows(report):
        table.add_row(*row)
    return table


def markdown(report):
    """The report as a Markdown page."""
    settings, machine = report["settings"], report["machine"]
    lines = [
        f"# {_title(report)}",
        "",
        f"| | {' | '.join(NAMES[name] for name in report['models'])} |",
        "|---|" + len(report["models"]) * "---:|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows(report)]
    lines += ["", f"Data: {report['data']}.", "", _how(settings), ""]
    if "twin" in report["models"]:
        lines += [_twin(report["models"]["twin"]), ""]
    if "plain" in report["models"]:
        lines += [_plain(settings), ""]
    if "shrunken" in report["models"]:
        lines += [_shrunken(report["models"]["shrunken"]), ""]
    if "tflite" in report["models"]["sparse"]["files"]:
        lines += [_what_runs(report["models"]), ""]
    for sentence in coarse_files(report):
        lines += [sentence, ""]
    lines += [
        f"Made with keras-moduli {machine['keras_moduli']} on Keras's "
        f"{machine['backend']} backend, {machine['cores']} cores of "
        f"{machine['processor']}, Python {machine['python']}, "
        + ", ".join(f"{n} {v}" for n, v in machine["packages"].items())
        + ".",
        "",
        *(f"![{name}]({name})\n" for name in report["pictures"]),
    ]
    return "\n".join(lines)


def _how(settings):
    """How the models were trained."""
    return (
        f"All models: {settings['total_steps']:,} steps in "
        f"{settings['epochs']} epochs, seed {settings['seed']}. The sparse "
        f"one: {_sparse(settings)}."
    )


def _sparse(settings):
    """How the sparse model became so."""
    when = (
        f"are pruned between {settings['pruning_begin']:.0%} and "
        f"{settings['pruning_end']:.0%} of the steps"
    )
    control = f"{settings['control']} in place of " * bool(settings["control"])
    regularizer = (
        f"{control}{settings['inhibitor']} on {settings['space']}, factor "
        f"{settings['factor']:g}"
    )
    if settings["whole_units"]:
        return f"{regularizer}; whole units {when}"
    rows, columns = settings["block_size"]
    blocks = (
        f"blocks of {rows} x {columns}" if rows * columns > 1 else "weights"
    )
    shared = settings["group_size"]
    word = GROUPINGS[settings["pattern"]].word
    groups = f" in {word} of {shared} targets" if shared > 1 else ""
    if settings["connections"] != PRUNED:
        fixed = (
            f"recurrent connections '{settings['connections']}'{groups} from "
            "the first step"
        )
        if without_recurrent(settings["weights"]) is None:
            return fixed
        return f"{fixed}; of '{settings['weights']}', all other {blocks} {when}"
    return (
        f"{regularizer}; of '{settings['weights']}', {blocks}"
        f"{groups.replace('in', ', recurrent ones in', 1)} {when}"
    )


def _twin(twin):
    """What the dense twin is."""
    what = "bytes in its .tflite" if "tflite" in twin["files"] else "weights"
    return (
        f"The dense twin has as many {what} as the sparse model, in "
        f"{twin['units']:,} recurrent units. It is the better one, on the "
        "validation data, of trainings at several learning rates: "
        f"{twin['learning_rate']:g}."
    )


def _plain(settings):
    """What the model without geometry is."""
    if settings["connections"] != PRUNED:
        return "The one without geometry has as many connections at random."
    return "The one without geometry is pruned alike, without a regularizer."


def _shrunken(shrunken):
    """What the shrunken net is."""
    return (
        "The shrunken one began dense with as many units as the sparse model, "
        f"and was pruned by whole units to {shrunken['units']:,}. It, too, is "
        "the better one of trainings at several learning rates: "
        f"{shrunken['learning_rate']:g}."
    )


def _what_runs(models):
    """What is in the .tflite files, and how they were checked."""
    file = models["sparse"]["files"]["tflite"]
    operators = ", ".join(file["operators"])
    notes = [note for note in file["notes"] if not note.startswith("coarse")]
    stored = "; ".join(notes) or "as dense"
    return (
        f"The sparse .tflite has the layout '{file['layout']}' ({stored}). "
        "All files ran on LiteRT under its default delegates and on its "
        "built-in kernels, and half of the numbers they gave are within "
        f"{file['median_difference']:.1g} of what Keras gives, relative to "
        f"the largest. Operators: {operators}."
    )


def coarse_files(report):
    """A sentence for every file that is far from its model in some numbers."""
    for name, model in report["models"].items():
        file = model["files"].get("tflite")
        if file and file["relative_difference"] > file["tolerance"]:
            yield (
                f"The {NAMES[name]} .tflite is coarse: it is off by "
                f"{file['relative_difference']:.2g} of the largest number at "
                f"worst, but by less than {file['high_difference']:.2g} in "
                f"99 % of them; its test {report['metric_label']} above is "
                "the file's own."
            )


def _title(report):
    sparsity = report["settings"]["sparsity"]
    return (
        f"{report['task']}, {sparsity:.0%} sparse "
        f"({report['settings']['weights']})"
    )
