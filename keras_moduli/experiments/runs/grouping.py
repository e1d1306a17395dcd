"""The setting `pattern`: what groups of pruned recurrent kernels are."""

from typing import NamedTuple

from keras_moduli.patterns import Pattern
from keras_moduli.patterns import SharedSources
from keras_moduli.patterns import Tiles


class Grouping(NamedTuple):
    """A pattern that has a size.

    Attributes:
        make: From the size to the `Pattern`.
        word: What so many neurons are called, in names and tables.
    """

    make: type[Pattern]
    word: str


SHARED_SOURCES = "shared_sources"
GROUPINGS = {
    SHARED_SOURCES: Grouping(SharedSources, "groups"),
    "tiles": Grouping(Tiles, "tiles"),
}


def check(pattern):
    """Raises a ValueError if there is no such pattern."""
    if pattern not in GROUPINGS:
        raise ValueError(
            f"`pattern` must be one of {list(GROUPINGS)}. "
            f"Received: pattern={pattern!r}"
        )
