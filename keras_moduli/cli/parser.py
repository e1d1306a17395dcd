"""The command `keras-moduli`: a thin skin over `keras_moduli.experiments`."""

import sys
import time
from pathlib import Path

from rich.console import Console

from keras_moduli.cli import commands
from keras_moduli.cli import exporting
from keras_moduli.cli import options
from keras_moduli.experiments.job import Job
from keras_moduli.experiments.reports import comparison
from keras_moduli.experiments.reports import table as tables
from keras_moduli.experiments.reports.pictures import draw_costs
from keras_moduli.experiments.reports.pictures import draw_sweep
from keras_moduli.experiments.reports.report import coarse_files
from keras_moduli.experiments.reports.report import rich_table
from keras_moduli.experiments.reports.tradeoff import measure
from keras_moduli.experiments.reports.tradeoff import render as render_costs
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import make_deterministic
from keras_moduli.experiments.sweeps import plan as plans
from keras_moduli.experiments.sweeps import sweep as sweeps
from keras_moduli.experiments.sweeps.clusters import Cluster
from keras_moduli.experiments.sweeps.processes import Processes
from keras_moduli.export import ExportError
from keras_moduli.export import inspect as inspect_file
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integer


def main(argv=None):
    """Runs the command line.

    Args:
        argv: Arguments without the program's name; `None` for those of this
            process.

    Returns:
        The exit status: 0, 1 if something failed on the way, 2 for bad input,
        3 if `--minutes` were up first, 130 if interrupted.
    """
    arguments = commands.parser().parse_args(argv)
    try:
        return COMMANDS[arguments.command](arguments)
    except Failure as failure:
        return _say(failure, failure.status)
    except KeyboardInterrupt:
        return _say("interrupted; what is done so far is kept", 130)


class Failure(Exception):
    """What to tell the user in one line, and the exit status.

    Args:
        cause: The error that stopped the command.
        status: 2 if something the user gave cannot work and nothing was done
            yet, 1 for what goes wrong on the way, 3 if time was up.
    """

    def __init__(self, cause, status):
        super().__init__(str(cause))
        self.status = status


def train(arguments):
    """`keras-moduli train TASK`."""
    console = Console(quiet=arguments.quiet)
    try:
        deadline = _deadline(arguments)
        positive_integer("jobs", arguments.jobs)
        job = _job(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Failure(error, 2) from error
    make_deterministic()
    console.print(f"{job.settings.task}: {job.task.describe()}", soft_wrap=True)
    try:
        report = job.run(console, deadline, arguments.jobs)
    except OutOfTime as stop:
        raise Failure(f"{stop} Go on with --resume.", 3) from stop
    except (ExportError, FloatingPointError, OSError) as error:
        raise Failure(error, 1) from error
    console.print(rich_table(report))
    for sentence in coarse_files(report):
        console.print(sentence, soft_wrap=True)
    console.print(f"Everything is in {job.folder}", soft_wrap=True)
    return 0


def _deadline(arguments):
    """When to stop, as `time.time()` counts, or `None`."""
    if arguments.minutes is None:
        return None
    return time.time() + 60 * positive("minutes", arguments.minutes)


def _job(arguments):
    """The job that the arguments ask for."""
    given = options.given(arguments)
    beside = arguments.beside
    if arguments.resume:
        given |= {"beside": tuple(beside)} if beside else {}
        return Job.resume(arguments.out, arguments.task, given)
    settings = Settings.of(arguments.task, given, arguments.preset)
    return Job.start(arguments.out, settings, arguments.overwrite, beside)


def sweep(arguments):
    """`keras-moduli sweep TASK`."""
    work, failed = _swept(arguments, lambda given: {})
    print(tables.render(tables.load(work.out)), end="")
    return _report(failed)


def tradeoff(arguments):
    """`keras-moduli tradeoff TASK`."""
    try:
        tables.check_folder(arguments.out)
    except ValueError as error:
        raise Failure(error, 2) from error

    def dense(given):
        units = list(arguments.dense_units)
        return plans.dense_family(
            arguments.task, given, units, arguments.seeds, arguments.preset
        )

    work, failed = _swept(
        arguments, dense if arguments.dense_units else lambda given: {}
    )
    try:
        kinds = measure(
            work.folder,
            Console(quiet=arguments.quiet),
            arguments.quantization,
        )
        draw_costs(work.folder / "costs.png", kinds)
    except (ValueError, ExportError, ImportError, OSError) as error:
        raise Failure(error, 1) from error
    print(render_costs(kinds), end="")
    return _report(failed)


def _swept(arguments, others):
    """Does the sweep that the arguments ask for, and other runs beside it.

    Args:
        arguments: Of the command line.
        others: From the settings that all runs share to more runs.

    Returns:
        The `Sweep` and the names of the runs that failed.
    """
    console = Console(quiet=arguments.quiet)
    given = options.given(arguments)
    axes = {name: list(given.pop(name)) for name in plans.AXES if name in given}
    controls = given.pop("control", ())
    try:
        deadline = _deadline(arguments)
        positive_integer("jobs", arguments.jobs)
        positive_integer("seeds", arguments.seeds)
        runs = plans.plan(
            arguments.task,
            given,
            axes,
            controls,
            arguments.seeds,
            arguments.preset,
            getattr(arguments, "only_controls", False),
        )
        work = sweeps.Sweep(arguments.out, {**others(given), **runs})
        pool = _pool(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Failure(error, 2) from error
    try:
        return work, work.run(console, pool, deadline)
    except OutOfTime as stop:
        raise Failure(f"{stop} The same command goes on.", 3) from stop


def _report(failed):
    if failed:
        raise Failure(f"{len(failed)} runs failed: {', '.join(failed)}", 1)
    return 0


def _pool(arguments):
    """Where the runs of a sweep go."""
    if arguments.ray is not None:
        return Cluster(arguments.ray)
    return Processes(arguments.jobs)


def table(arguments):
    """`keras-moduli table DIR`."""
    try:
        rows = tables.load(arguments.folder)
        if arguments.against is None:
            text = tables.render(rows, arguments.format)
        else:
            text = comparison.render(rows, arguments.against, arguments.format)
    except (ValueError, OSError) as error:
        raise Failure(error, 2) from error
    print(text, end="")
    return 0


def plot(arguments):
    """`keras-moduli plot DIR`."""
    try:
        rows = tables.load(arguments.folder)
        if arguments.only is not None:
            rows = tables.only(rows, arguments.only)
        paths = draw_sweep(Path(arguments.folder), rows)
    except (ValueError, OSError, ImportError) as error:
        raise Failure(error, 2) from error
    for path in paths:
        print(path)
    return 0


def export(arguments):
    """`keras-moduli export MODEL FILE`."""
    try:
        print(exporting.export(arguments))
    except RuntimeError as error:  # an ExportError, or the wrong backend
        raise Failure(error, 1) from error
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Failure(error, 2) from error
    return 0


def inspect(arguments):
    """`keras-moduli inspect FILE`."""
    try:
        print(inspect_file(arguments.file))
    except ValueError as error:
        raise Failure(error, 2) from error
    return 0


COMMANDS = {
    "train": train,
    "sweep": sweep,
    "tradeoff": tradeoff,
    "table": table,
    "plot": plot,
    "export": export,
    "inspect": inspect,
}


def _say(message, status):
    """One line on stderr; returns the exit status."""
    print(
        f"keras-moduli: error: {' '.join(str(message).split())}",
        file=sys.stderr,
    )
    return status
