"""Persistent homology, and when a hole counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from keras_moduli.topology.betti import matching
from keras_moduli.topology.reduction import reduce_states

# A hole is born at one scale and filled at another. Below the first ratio of
# the two it is the sample's noise, from the second on the shape's own; by
# dimension. `homology` says where these come from.
RATIOS = {1: (1.8, 1.9), 2: (1.25, 1.3)}
# A gap between clusters, relative to the next smaller one.
_APART = 3.0


def homology(
    states: npt.ArrayLike,
    primes: Iterable[int] = (2, 3),
    components: int = 6,
    landmarks: int = 150,
    seed: int = 0,
) -> Homology:
    """Counts the components, loops and voids of a cloud of states.

    The states are reduced (see `reduce_states`), and the persistent homology
    of their Vietoris-Rips complex is computed by ripser. A hole that is born
    at distance b and filled at distance d counts if d / b is at least 1.9 for
    a loop and 1.3 for a void; below 1.8 and 1.25 it is taken for noise; if
    any hole lies between, or nothing but noise is found, there is no clear
    answer. A ball, and noise without any shape, give none, and neither do
    states in several clusters, unless each cluster is looked at alone.

    These bounds are a convention. The tests find no hole that counts in 150
    landmarks from Gaussian noise and from uniform cubes, in 2 to 20
    dimensions: evidence, not a proof, for other noise. Samples differ: of four
    noisy samples of a known space at least three are to be recognised, and
    none may pass for another. Equal Betti numbers do not prove that two spaces
    are the same: torus and hexagonal torus, or circle and Moebius strip, cannot
    be told apart by them.

    Args:
        states: Array of shape `(..., units)`, such as `record_states` gives.
        primes: Fields to compute over; 2 and another tell a Klein bottle from
            a torus.
        components: Principal components to keep.
        landmarks: Points to keep. Time and memory grow fast with them.
        seed: Of the choice among too many states.

    Returns:
        A `Homology`.

    Raises:
        ValueError: If a prime is none, or the states are too few.
        ImportError: Without the extra `tda`.

    Example:

    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    >>> states = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    >>> print(keras_moduli.topology.homology(states, landmarks=100).spaces)
    ('circle', 'moebius_strip')

    Reference: U. Bauer, "Ripser: efficient computation of Vietoris-Rips
    persistence barcodes", 2021.
    """
    _check_primes(primes)
    try:
        from ripser import ripser
    except ImportError as error:
        raise ImportError(
            "Persistent homology needs ripser: "
            "`pip install 'keras-moduli[tda]'`."
        ) from error
    points = reduce_states(
        states, components=components, landmarks=landmarks, seed=seed
    )
    diagrams = {
        prime: tuple(ripser(points, maxdim=2, coeff=prime)["dgms"])
        for prime in primes
    }
    return Homology(diagrams)


@dataclasses.dataclass(frozen=True)
class Homology:
    """The holes of a cloud of points.

    Attributes:
        diagrams: A dict from prime to arrays of shape `(holes, 2)`, one for
            each dimension from 0 to 2: where each hole is born and filled.

    Example:

    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    >>> states = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    >>> found = keras_moduli.topology.homology(states, landmarks=100)
    >>> found.betti[2]
    (1, 1, 0)
    """

    diagrams: dict[int, tuple[np.ndarray, ...]]

    @property
    def betti(self) -> dict[int, tuple[int, ...]]:
        """A dict from prime to the counts of components, loops and voids."""
        return {
            prime: (
                _components(first),
                *(int(np.sum(ratios(d) >= RATIOS[k][1])) for k, d in rest),
            )
            for prime, first, rest in self._parts()
        }

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why there is no clear answer: a tuple of sentences."""
        found = []
        for prime, first, rest in self._parts():
            if _components(first) != 1:
                found.append(f"{_components(first)} separate clusters")
            for k, diagram in rest:
                low, high = RATIOS[k]
                between = ratios(diagram)
                between = between[(between >= low) & (between < high)]
                found += [
                    f"a {_NAMES[k]} modulo {prime} of ratio {ratio:.2f}, "
                    f"between {low} and {high}"
                    for ratio in between
                ]
        if not any(any(numbers[1:]) for numbers in self.betti.values()):
            found.append("no hole stands out from noise")
        return tuple(dict.fromkeys(found))

    @property
    def spaces(self) -> tuple[str, ...]:
        """The names of the spaces that match; empty without clear answer."""
        return () if self.doubts else matching(self.betti)

    def __str__(self):
        lines = []
        for prime, _, rest in self._parts():
            numbers = ", ".join(map(str, self.betti[prime]))
            longest = "; ".join(
                f"{_NAMES[k]}s "
                + (", ".join(f"{r:.2f}" for r in ratios(d)[:3]) or "none")
                for k, d in rest
            )
            lines.append(
                f"modulo {prime}: Betti numbers {numbers} "
                f"(filled / born: {longest})"
            )
        return "\n".join([*lines, self._verdict()])

    def _verdict(self):
        if self.doubts:
            return f"no clear answer: {'; '.join(self.doubts)}"
        if not self.spaces:
            return "clear, but none of the known spaces has these numbers"
        return f"as many holes as: {', '.join(self.spaces)}"

    def _parts(self):
        for prime, (first, *rest) in self.diagrams.items():
            yield prime, first, tuple(enumerate(rest, 1))


_NAMES = {1: "loop", 2: "void"}


def ratios(diagram):
    """Filled / born of every hole, largest first."""
    born, filled = np.asarray(diagram, "float64").reshape(-1, 2).T
    return np.sort(filled / np.maximum(born, 1e-12))[::-1]


def _components(diagram):
    """How many clusters stand apart from each other."""
    merged = np.sort(diagram[np.isfinite(diagram[:, 1]), 1])[::-1]
    merged = merged[: len(merged) // 2]  # gaps within clusters are the rest
    wide = merged[:-1] >= _APART * np.maximum(merged[1:], 1e-12)
    return 1 + (int(np.flatnonzero(wide)[-1]) + 1 if wide.any() else 0)


# Those that anyone computes with; ripser takes larger ones too.
_PRIMES = (2, 3, 5, 7, 11, 13)


def _check_primes(primes):
    if not primes or not set(primes) <= set(_PRIMES):
        raise ValueError(
            f"`primes` must be some of {_PRIMES}. Received: primes={primes!r}"
        )
