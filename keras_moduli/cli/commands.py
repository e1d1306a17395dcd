"""What each command of the command line takes."""

from keras_moduli.cli import options
from keras_moduli.experiments.reports import rendering
from keras_moduli.experiments.reports.tradeoff import QUANTIZATION
from keras_moduli.experiments.reports.tradeoff import QUANTIZATIONS
from keras_moduli.experiments.sweeps import plan
from keras_moduli.export.layouts.layouts import LAYOUTS
from keras_moduli.export.verification.comparison import TOLERANCES
from keras_moduli.export.verification.runtime import RUNTIMES
from keras_moduli.tasks import TASKS
from keras_moduli.version import __version__


def parser():
    """The parser of all commands; `command` in what it gives is the name."""
    whole = options.Parser(
        prog="keras-moduli",
        description="Geometric sparsity for recurrent Keras models.",
    )
    whole.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = whole.add_subparsers(
        dest="command", metavar="COMMAND", required=True
    )
    for add in (
        _add_train,
        _add_sweep,
        _add_tradeoff,
        _add_table,
        _add_plot,
        _add_export,
        _add_inspect,
    ):
        add(commands)
    return whole


def _add_train(commands):
    command = commands.add_parser(
        "train",
        help="train a sparse model and its rivals, export and compare them",
        description="Trains a sparse model and what it has to beat, exports "
        "all, and compares size, speed and quality.",
    )
    _add_common(command)
    options.add_options(command)
    command.add_argument(
        "--beside",
        type=options.list_of(str),
        metavar="NAME,...",
        help="rivals to train: dense, of as many units; twin, a dense one "
        "with as many bytes in its file; plain, with as many connections but "
        "no geometry; shrunken, a dense one pruned by whole units to the "
        "twin's size (default: twin, and dense, or plain with fixed "
        "connections)",
    )
    _add_jobs(command, "trainings, which share the machine,")
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--overwrite", action="store_true", help="replace an earlier run"
    )
    which.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was cut off, from its last epoch",
    )


def _add_sweep(commands):
    command = commands.add_parser(
        "sweep",
        help="train a task under many settings, with controls and seeds",
        description="Trains a task once for every combination of the options "
        "that take several values, and every control. Runs that are finished "
        "are skipped, others go on from their last epoch.",
    )
    _add_sweep_options(command, seeds=5)
    command.add_argument(
        "--only-controls",
        action="store_true",
        help="run the controls only, for example l1 with factors of its own",
    )


def _add_tradeoff(commands):
    command = commands.add_parser(
        "tradeoff",
        help="quality of .tflite files against their bytes and milliseconds, "
        "and minutes of training: dense nets of several sizes beside sparse "
        "ones",
        description="Trains a task dense in several sizes, and sparse for "
        "every combination of the options that take several values; exports "
        "all to .tflite files, tests and times the files, and prints and "
        "draws what quality costs. What is finished is not done again.",
    )
    _add_sweep_options(command, seeds=3)
    command.add_argument(
        "--dense-units",
        type=options.list_of(int),
        default=(),
        metavar="N,...",
        help="recurrent units of the dense nets (default: none)",
    )
    command.add_argument(
        "--quantization",
        choices=list(QUANTIZATIONS),
        default=QUANTIZATION,
        help=f"of the files (default: {QUANTIZATION})",
    )


def _add_sweep_options(command, seeds):
    _add_common(command)
    options.add_options(command, lists=(*plan.AXES, "control"))
    command.add_argument(
        "--seeds",
        type=int,
        default=seeds,
        metavar="N",
        help=f"runs of each kind, with seeds from 0 (default: {seeds})",
    )
    _add_jobs(command, "processes")
    command.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on this Ray cluster, all of whose machines see DIR",
    )


def _add_jobs(command, what):
    command.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help=f"{what} at a time (default: 1)",
    )


def _add_table(commands):
    command = commands.add_parser(
        "table", help="print what the runs of a sweep gave"
    )
    command.add_argument(
        "folder", metavar="DIR", help="folder of a sweep, or its .jsonl file"
    )
    command.add_argument(
        "--format", choices=list(rendering.FORMS), default="markdown"
    )
    command.add_argument(
        "--against",
        metavar="LABEL",
        help="how much worse all others are than this one, seed by seed, for "
        "example 'torus, difference_of_gaussians'; of each the factor that "
        "validates best, among those with the most seeds",
    )


def _add_plot(commands):
    command = commands.add_parser(
        "plot", help="draw what the runs of a sweep gave"
    )
    command.add_argument("folder", metavar="DIR", help="folder of a sweep")
    command.add_argument(
        "--only",
        nargs="+",
        metavar="LABEL",
        help="draw these only, for example none 'torus, diffusion'",
    )


def _add_export(commands):
    command = commands.add_parser(
        "export",
        help="write a .tflite file of a saved model, for phones, browsers or "
        "microcontrollers",
        description="Writes a .tflite file of a saved model, and compares it "
        "with the model before it takes its name.",
    )
    command.add_argument(
        "model", metavar="MODEL.keras", help="what `model.save` wrote"
    )
    command.add_argument("file", metavar="FILE.tflite")
    command.add_argument(
        "--quantization", choices=[name for name in TOLERANCES if name]
    )
    command.add_argument("--layout", choices=["auto", *LAYOUTS], default="auto")
    command.add_argument(
        "--streaming",
        action="store_true",
        help="one step of the sequence, the states going in and out",
    )
    command.add_argument(
        "--runtime",
        choices=list(RUNTIMES),
        default="litert",
        help="what runs the file; micro, TFLite Micro for microcontrollers, "
        "needs the extra of that name, implies --streaming and takes float32 "
        "or full_int8 (default: litert)",
    )
    command.add_argument(
        "--c-array",
        metavar="FILE.h",
        help="write the file as a C header too, for firmware",
    )
    command.add_argument(
        "--sequence-length",
        type=int,
        metavar="N",
        help="length of dimensions that the model leaves open",
    )
    command.add_argument(
        "--inputs",
        metavar="X.npy",
        help="examples to verify with, and for full_int8 to learn ranges "
        "from; an .npz of several inputs by name",
    )
    command.add_argument(
        "--targets",
        metavar="Y.npy",
        help="what to answer to them, for metrics of the model and the file",
    )
    command.add_argument(
        "--metrics",
        type=options.list_of(str),
        metavar="NAME,...",
        help="Keras's names of metrics (default: those of the model)",
    )


def _add_inspect(commands):
    command = commands.add_parser(
        "inspect", help="show what a .tflite file holds, and its risks"
    )
    command.add_argument("file", metavar="FILE.tflite")


def _add_common(command):
    command.add_argument(
        "task", metavar="TASK", help=f"one of {', '.join(TASKS)}"
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
