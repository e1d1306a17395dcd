"""How many holes the moduli spaces have, from the textbook."""

from __future__ import annotations

import math

import numpy as np

from keras_moduli import spaces

# Spaces that states are compared with, by the names of `spaces.get`.
CANDIDATES = (
    "circle",
    "sphere",
    "torus",
    "torus3",
    "klein_bottle",
    "projective_plane",
    "moebius_strip",
    "hexagonal_torus",
    "mixed_curvature",
)


def betti_numbers(
    space: str | spaces.ModuliSpace, prime: int = 2
) -> tuple[int, ...]:
    """The Betti numbers of a space: components, loops, voids, ...

    Args:
        space: A name or a `ModuliSpace` of this package.
        prime: Of the field that coefficients are taken from. Spaces with a
            twist show it: the Klein bottle has two loops and a void modulo 2,
            but one loop and no void modulo any other prime.

    Returns:
        A tuple of integers, one for each dimension from 0 to the space's.

    Raises:
        ValueError: If the space is unknown, or of a class of your own.

    Example:

    >>> keras_moduli.topology.betti_numbers("torus")
    (1, 2, 1)
    >>> keras_moduli.topology.betti_numbers("klein_bottle", prime=3)
    (1, 1, 0)

    Reference: A. Hatcher, "Algebraic topology", 2002, chapters 2 and 3.
    """
    space = spaces.get(space)
    for kind, numbers in _NUMBERS.items():
        if isinstance(space, kind):
            return tuple(int(n) for n in numbers(space, prime))
    raise ValueError(
        "`space` must be one of the package's own: the Betti numbers of "
        f"others are not known here. Received: space={space!r}"
    )


def matching(found):
    """The names of the candidates with given Betti numbers.

    Args:
        found: A dict from prime to Betti numbers, from dimension 0 on.

    Returns:
        A tuple of names.
    """
    return tuple(
        name
        for name in CANDIDATES
        if all(
            _first(betti_numbers(name, prime), len(numbers)) == tuple(numbers)
            for prime, numbers in found.items()
        )
    )


def _first(numbers, count):
    return (*numbers, *[0] * count)[:count]


def _sphere(space, prime):
    return (1, *[0] * (space.dim - 1), 1)


def _torus(space, prime):
    return [math.comb(space.dim, k) for k in range(space.dim + 1)]


def _product(space, prime):
    """Kuenneth's formula: the polynomials of the factors, multiplied."""
    total = [1]
    for factor in space.spaces:
        total = np.convolve(total, betti_numbers(factor, prime))
    return total


_NUMBERS = {
    spaces.Sphere: _sphere,
    spaces.Torus: _torus,
    spaces.HexagonalTorus: _torus,
    spaces.KleinBottle: lambda space, p: (1, 2, 1) if p == 2 else (1, 1, 0),
    spaces.ProjectivePlane: lambda space, p: (1, 1, 1) if p == 2 else (1, 0, 0),
    spaces.MoebiusStrip: lambda space, p: (1, 1, 0),
    spaces.Euclidean: lambda space, p: (1, *[0] * space.dim),
    spaces.Product: _product,
}
