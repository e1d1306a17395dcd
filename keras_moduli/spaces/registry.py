"""Spaces by name, and as plain data."""

import re
from collections.abc import Callable
from typing import Any

import keras

from keras_moduli.spaces.base import ModuliSpace

# From a name to what makes the space; the room's `__init__` fills them, so
# that a space may be made of others by name.
NAMED: dict[str, Callable[[], ModuliSpace]] = {}
NUMBERED: dict[str, Callable[[int], ModuliSpace]] = {}


def names() -> tuple[str, ...]:
    """What `get` takes; `<n>` stands for a dimension.

    Returns:
        A tuple of strings.

    Example:

    >>> "klein_bottle" in keras_moduli.spaces.names()
    True
    """
    return (*NAMED, *(f"{name}<n>" for name in NUMBERED))


def get(identifier: Any) -> ModuliSpace:
    """Returns a space.

    Args:
        identifier: A name (`"torus"`; `"torus6"` and `"sphere3"` give the
            dimension), a `ModuliSpace`, or what `serialize` returned.

    Returns:
        A `ModuliSpace`.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
        TypeError: If it is none of these.

    Example:

    >>> keras_moduli.spaces.get("torus6").dim
    6
    """
    if isinstance(identifier, ModuliSpace):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return _by_name(identifier)
    raise TypeError(
        "`space` must be a name, a ModuliSpace or a serialized one. "
        f"Received: space={identifier!r} (of type {type(identifier).__name__})"
    )


def serialize(space: ModuliSpace) -> dict[str, Any]:
    """A space as plain data, for a config.

    Args:
        space: A `ModuliSpace`.

    Returns:
        A dict of strings, numbers, lists and dicts.

    Example:

    >>> keras_moduli.spaces.serialize(keras_moduli.spaces.Torus())["config"]
    {'dim': 2, 'period': 10.0}
    """
    return keras.saving.serialize_keras_object(space)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> ModuliSpace:
    """The space that `serialize` was given.

    Args:
        config: What `serialize` returned.
        custom_objects: A dict from name to class, for spaces that are not
            registered with Keras.

    Returns:
        A `ModuliSpace`.

    Raises:
        TypeError: If `config` is of something else.

    Example:

    >>> config = keras_moduli.spaces.serialize(keras_moduli.spaces.Torus(6))
    >>> keras_moduli.spaces.deserialize(config)
    Torus(dim=6, period=10.0)
    """
    space = keras.saving.deserialize_keras_object(
        config, custom_objects=custom_objects
    )
    if not isinstance(space, ModuliSpace):
        raise TypeError(
            "The configuration must be of a ModuliSpace. "
            f"Received: config={config!r}"
        )
    return space


def _by_name(name):
    if name in NAMED:
        return NAMED[name]()
    numbered = re.fullmatch(r"([a-z_]+?)([1-9]\d*)", name)
    if numbered and numbered[1] in NUMBERED:
        return NUMBERED[numbered[1]](int(numbered[2]))
    raise ValueError(
        f"`space` must be one of {', '.join(names())} (<n> is a dimension), a "
        f"ModuliSpace or a serialized one. Received: space={name!r}"
    )
