"""Checks of numbers that users give."""

import math
import numbers


def positive_integer(name, value):
    """`value` as an `int`, if it is a positive integer."""
    return _integer(name, value, 1, "a positive integer")


def positive_integers(settings, *names):
    """Raises a ValueError if an attribute is not a positive integer."""
    for name in names:
        positive_integer(name, getattr(settings, name))


def natural(name, value):
    """`value` as an `int`, if it is an integer of at least 0."""
    return _integer(name, value, 0, "an integer of at least 0")


def _integer(name, value, least, allowed):
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or value < least
    ):
        raise ValueError(
            f"`{name}` must be {allowed}. Received: {name}={value!r}"
        )
    return int(value)


def positive(name, value):
    """`value` as a `float`, if it is a positive finite number."""
    if not is_real(value) or not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be a positive, finite number. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def not_negative(name, value):
    """`value` as a `float`, if it is a finite number of at least 0."""
    if not is_real(value) or not 0 <= value < math.inf:
        raise ValueError(
            f"`{name}` must be a finite number of at least 0. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def is_real(value):
    """Whether `value` is a number; booleans are none here."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
