"""The command `keras-moduli`: a thin skin over `keras_moduli.experiments`."""

import sys
import time
from pathlib import Path

from rich.console import Console

from keras_moduli import options
from keras_moduli.arguments import positive
from keras_moduli.arguments import positive_integer
from keras_moduli.experiments import comparison
from keras_moduli.experiments import sweep as sweeps
from keras_moduli.experiments import table as tables
from keras_moduli.experiments.clusters import Cluster
from keras_moduli.experiments.deadline import OutOfTime
from keras_moduli.experiments.job import Job
from keras_moduli.experiments.pictures import draw_sweep
from keras_moduli.experiments.processes import Processes
from keras_moduli.experiments.quiet import held_back
from keras_moduli.experiments.report import rich_table
from keras_moduli.experiments.settings import Settings
from keras_moduli.experiments.training import make_deterministic
from keras_moduli.export import ExportError
from keras_moduli.export import inspect as inspect_file
from keras_moduli.version import __version__


def main(argv=None):
    """Runs the command line.

    Args:
        argv: Arguments without the program's name; `None` for those of this
            process.

    Returns:
        The exit status: 0, 1 if something failed on the way, 2 for bad input,
        3 if `--minutes` were up first, 130 if interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        with held_back(expected=(Failure,)):
            return arguments.command(arguments)
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
        job = _job(arguments)
    except (ValueError, TypeError, OSError) as error:
        raise Failure(error, 2) from error
    make_deterministic()
    console.print(f"{job.settings.task}: {job.task.describe()}", soft_wrap=True)
    try:
        report = job.run(console, deadline)
    except OutOfTime as stop:
        raise Failure(f"{stop} Go on with --resume.", 3) from stop
    except (ExportError, FloatingPointError, OSError) as error:
        raise Failure(error, 1) from error
    console.print(rich_table(report))
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
    if arguments.resume:
        return Job.resume(arguments.out, arguments.task, given)
    settings = Settings.of(arguments.task, given, arguments.preset)
    return Job.start(arguments.out, settings, arguments.overwrite)


def sweep(arguments):
    """`keras-moduli sweep TASK`."""
    console = Console(quiet=arguments.quiet)
    given = options.given(arguments)
    axes = {
        name: list(given.pop(name)) for name in sweeps.AXES if name in given
    }
    controls = given.pop("control", ())
    try:
        deadline = _deadline(arguments)
        positive_integer("jobs", arguments.jobs)
        positive_integer("seeds", arguments.seeds)
        runs = sweeps.plan(
            arguments.task,
            given,
            axes,
            controls,
            arguments.seeds,
            arguments.preset,
            arguments.only_controls,
        )
        work = sweeps.Sweep(arguments.out, runs)
        pool = _pool(arguments)
    except (ValueError, TypeError, OSError) as error:
        raise Failure(error, 2) from error
    try:
        failed = work.run(console, pool, deadline)
    except OutOfTime as stop:
        raise Failure(f"{stop} The same command goes on.", 3) from stop
    print(tables.render(tables.load(work.folder)), end="")
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
        paths = draw_sweep(Path(arguments.folder), rows)
    except (ValueError, OSError, ImportError) as error:
        raise Failure(error, 2) from error
    for path in paths:
        print(path)
    return 0


def inspect(arguments):
    """`keras-moduli inspect FILE`."""
    try:
        print(inspect_file(arguments.file))
    except ValueError as error:
        raise Failure(error, 2) from error
    return 0


def _parser():
    parser = options.Parser(
        prog="keras-moduli",
        description="Geometric sparsity for recurrent Keras models.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        _add_train,
        _add_sweep,
        _add_table,
        _add_plot,
        _add_inspect,
    ):
        add(commands)
    return parser


def _add_train(commands):
    command = commands.add_parser(
        "train",
        help="train a model dense and sparse, export and compare them",
        description="Trains a model dense, then regularized and pruned, "
        "exports both, and compares size, speed and quality.",
    )
    _add_common(command)
    options.add_options(command)
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--overwrite", action="store_true", help="replace an earlier run"
    )
    which.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was cut off, from its last epoch",
    )
    command.set_defaults(command=train)


def _add_sweep(commands):
    command = commands.add_parser(
        "sweep",
        help="train a task under many settings, with controls and seeds",
        description="Trains a task once for every combination of the options "
        "that take several values, and every control. Runs that are finished "
        "are skipped, others go on from their last epoch.",
    )
    _add_common(command)
    options.add_options(command, lists=(*sweeps.AXES, "control"))
    command.add_argument(
        "--only-controls",
        action="store_true",
        help="run the controls only, for example l1 with factors of its own",
    )
    command.add_argument(
        "--seeds",
        type=int,
        default=5,
        metavar="N",
        help="runs of each kind, with seeds from 0 (default: 5)",
    )
    command.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes at a time (default: 1)",
    )
    command.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on this Ray cluster, all of whose machines see DIR",
    )
    command.set_defaults(command=sweep)


def _add_table(commands):
    command = commands.add_parser(
        "table", help="print what the runs of a sweep gave"
    )
    command.add_argument("folder", metavar="DIR", help="folder of a sweep")
    command.add_argument(
        "--format", choices=list(tables.FORMS), default="markdown"
    )
    command.add_argument(
        "--against",
        metavar="LABEL",
        help="how much worse all others are than this one, seed by seed, for "
        "example 'torus, difference_of_gaussians'; of each the factor that "
        "validates best",
    )
    command.set_defaults(command=table)


def _add_plot(commands):
    command = commands.add_parser(
        "plot", help="draw what the runs of a sweep gave"
    )
    command.add_argument("folder", metavar="DIR", help="folder of a sweep")
    command.set_defaults(command=plot)


def _add_inspect(commands):
    command = commands.add_parser(
        "inspect", help="show what a .tflite file holds, and its risks"
    )
    command.add_argument("file", metavar="FILE.tflite")
    command.set_defaults(command=inspect)


def _add_common(command):
    command.add_argument(
        "task", metavar="TASK", help="adding, language or navigation"
    )
    command.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the results"
    )
    command.add_argument(
        "--quiet", action="store_true", help="show no progress"
    )
    command.add_argument(
        "--minutes",
        type=float,
        metavar="X",
        help="stop before an epoch that would end later than so many minutes "
        "from now, with exit status 3",
    )


def _say(message, status):
    """One line on stderr; returns the exit status."""
    print(
        f"keras-moduli: error: {' '.join(str(message).split())}",
        file=sys.stderr,
    )
    return status
