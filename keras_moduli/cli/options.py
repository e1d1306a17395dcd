"""The options of the command line: their types, and what to say of them."""

import argparse
import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from keras_moduli.tasks import TASKS

_PRESET = "small"


class Option(typing.NamedTuple):
    """What `argparse` is told of an option."""

    type: Callable[[str], Any]
    metavar: str | tuple[str, ...]
    help: str
    nargs: int | str | None = None  # where it is not one argument


# The defaults in the help are language's; a test holds them to the truth.
RUN_OPTIONS = {
    "steps": Option(int, "N", "optimizer steps of each model (default: 600)"),
    "epochs": Option(int, "N", "epochs they are divided into (default: 6)"),
    "space": Option(str, "NAME", "moduli space (default: torus)"),
    "inhibitor": Option(
        str,
        "NAME",
        "inhibitor function (default: difference_of_gaussians)",
    ),
    "factor": Option(float, "X", "factor of the regularizer (default: 0.03)"),
    "control": Option(
        str,
        "NAME",
        "what to replace the regularizer by, for comparison: none, l1, l2, "
        "matched_l1, permuted, self, no_self, box, or dense_twin for a dense "
        "model of as many weights (default: None)",
    ),
    "scale": Option(
        float,
        "X",
        "width of the inhibitor relative to the space (default: 1.0)",
    ),
    "points": Option(
        str,
        "HOW",
        "how neurons are placed, uniform or ordered (default: uniform)",
    ),
    "ranking": Option(
        str,
        "HOW",
        "global: one threshold; local or erk (default: global)",
    ),
    "pruning_begin": Option(
        float,
        "X",
        "when pruning begins, as a fraction of the steps (default: 0.1)",
    ),
    "pruning_end": Option(
        float,
        "X",
        "when it ends; the stabiliser epochs follow (default: 0.6)",
    ),
    "pruning_power": Option(
        int,
        "N",
        "how sparsity rises in between; 1 is linear (default: 3)",
    ),
    "sparsity": Option(
        float,
        "X",
        "fraction of the pruned weights to set to zero (default: 0.75)",
    ),
    "weights": Option(
        str,
        "WHICH",
        "weights to prune: recurrent, kernels or a regular expression on "
        "their paths (default: recurrent)",
    ),
    "block_size": Option(
        int,
        ("SOURCES", "TARGETS"),
        "prune blocks of so many weights; 4 1 run fast in a .tflite, 1 1 "
        "prunes each weight for itself (default: 1 1)",
        2,
    ),
    "connections": Option(
        str,
        "NAME",
        "how recurrent kernels get theirs: pruned, or, from the first step, "
        "near, near+random:SHARE, own+random, own or random (default: "
        "near+random:0.5)",
    ),
    "group_size": Option(
        int,
        "N",
        "consecutive neurons that read the same others; from 8 on, with fixed "
        "connections, training is as sparse as the model (default: 64)",
    ),
    "pattern": Option(
        str,
        "NAME",
        "what groups of pruned connections are: shared_sources, any neurons "
        "that all of a group read, or tiles, whole groups of them (default: "
        "shared_sources)",
    ),
    "seed": Option(
        int, "N", "of weights, embedding and data order (default: 0)"
    ),
}
FLAGS = {
    "lottery": "train the final masks once more, from other weights",
    "trainable": "train the neurons' points too",
    "whole_units": "prune hidden units as wholes, and keep the dense model of "
    "those that are left",
}


def task_options():
    """The options that the fields of all tasks declare: name to `Option`.

    Raises:
        TypeError: If the values of a field cannot be told from its type, or
            tasks disagree on it.
    """
    declared = {}
    for task, settings in TASKS.items():
        for field in dataclasses.fields(settings):
            if "help" in field.metadata:
                declared.setdefault(field.name, {})[task] = field
    return {name: _merged(name, of) for name, of in declared.items()}


def _merged(name, fields):
    """The one `Option` that fields of a name make, a dict from their tasks."""
    forms = {task: _form(task, field) for task, field in fields.items()}
    if len(set(forms.values())) > 1:
        raise TypeError(
            f"`{name}` must have one type and metavar in all tasks, as it is "
            f"one option. Received: {forms}"
        )
    kind, metavar, nargs = next(iter(forms.values()))
    return Option(kind, metavar, _help(name, fields), nargs)


def _form(task, field):
    """The type, metavar and `nargs` of a task's field."""
    hint = typing.get_type_hints(TASKS[task])[field.name]
    kind, *others = [
        part
        for part in typing.get_args(hint)
        if part not in (type(None), Ellipsis)
    ] or [hint]
    if field.metadata["kind"] is not None:
        kind = field.metadata["kind"]
    elif others or kind not in (int, float, str):
        raise TypeError(
            f"`{field.name}` of the task '{task}' must be an int, float or "
            "str, or `None`, or a tuple of these, or its option must have a "
            "`kind`. "
            f"Received: {field.name}: {hint}"
        )
    nargs = "+" if typing.get_origin(hint) is tuple else None
    return kind, field.metadata["metavar"], nargs


def _help(name, fields):
    """What the tasks say of a field, and what it is if nothing is given."""
    said = {}
    for task, field in fields.items():
        usual = TASKS[task].presets[_PRESET].get(name, field.default)
        said.setdefault(field.metadata["help"], {})[task] = usual
    return "; ".join(
        ("" if len(usual) == len(TASKS) else f"{', '.join(usual)}: ")
        + text
        + _default(usual)
        for text, usual in said.items()
    )


def _default(usual):
    """Names the defaults, a dict from tasks, unless there are none."""
    if set(usual.values()) <= {None, ()}:
        return ""
    values = [(value, task) for task, value in usual.items()]
    return f" (default: {_by_task(values, len(usual))})"


def _by_task(values, count):
    """Lists values, and of which tasks they are if not of all.

    Args:
        values: Pairs of a value and a task.
        count: How many tasks there are.
    """
    tasks = {}
    for value, task in values:
        tasks.setdefault(value, []).append(task)
    return "; ".join(
        str(value) if len(of) == count else f"{value} for {', '.join(of)}"
        for value, of in tasks.items()
    )


def _presets():
    """Lists the presets of all tasks."""
    return _by_task(
        [(name, task) for task in TASKS for name in TASKS[task].presets],
        len(TASKS),
    )


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def add_options(command, lists=()):
    """Adds the options of a run to a command.

    Args:
        command: An `argparse.ArgumentParser`.
        lists: Names of options that take several values, split by commas.
    """
    for name, option in {**task_options(), **RUN_OPTIONS}.items():
        kind, metavar, text, nargs = option
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=list_of(kind) if name in lists else kind,
            metavar=f"{metavar},..." if name in lists else metavar,
            help=text,
            nargs=nargs,
        )
    for name, text in FLAGS.items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            action="store_true",
            default=None,
            help=text,
        )
    command.add_argument(
        "--preset",
        default=_PRESET,
        metavar="NAME",
        help=f"settings to begin with: {_presets()} (default: {_PRESET}); "
        "pruned prunes in training; the defaults above that name no task are "
        "language's",
    )


def given(arguments):
    """The settings that stand on the command line, a dict."""
    names = (*task_options(), *RUN_OPTIONS, *FLAGS)
    found = {name: getattr(arguments, name) for name in names}
    # argparse makes lists where settings hold tuples.
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if value is not None
    }


def list_of(kind):
    """Parses several values, split by commas."""

    def parse(text):
        return [kind(item) for item in text.split(",")]

    parse.__name__ = f"list of {kind.__name__}"  # for argparse's messages
    return parse
