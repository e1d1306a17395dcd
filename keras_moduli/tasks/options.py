"""How a task's dataclass tells the command line of its fields."""

import dataclasses
from collections.abc import Callable
from typing import Any


def option(
    default: Any,
    metavar: str,
    help: str,
    kind: Callable[[str], Any] | None = None,
) -> Any:
    """A field of a task's dataclass that is an option of the command line too.

    Args:
        default: The field's default; not mutable.
        metavar: What stands for a value in the help.
        help: What the help says of the field. The default is added to it,
            unless that is `None` or empty: then this says what is taken.
        kind: What makes a value of the text that is given; `None` for the
            field's own type: `int`, `float` or `str`, one of these or `None`,
            or `tuple[int, ...]` and the like for several values.

    Returns:
        What `dataclasses.field` returns.

    Example:

    >>> import dataclasses
    >>> from keras_moduli.tasks.options import option
    >>> @dataclasses.dataclass(frozen=True)
    ... class Echo:
    ...     delay: int = option(5, "N", "steps until it is asked for")
    >>> Echo().delay
    5
    """
    declared = {"metavar": metavar, "help": help, "kind": kind}
    return dataclasses.field(default=default, metadata=declared)
