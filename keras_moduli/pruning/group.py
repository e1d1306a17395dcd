"""Weights that are pruned together: which, how far, in what shape."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_moduli.patterns import Blocks
from keras_moduli.patterns import Pattern
from keras_moduli.patterns import Unstructured
from keras_moduli.pruning import schedules
from keras_moduli.pruning.ranking import RANKINGS
from keras_moduli.utils.argument_validation import is_real

# How the magnitudes of a block or tile become one score.
POOLS = {"mean": np.mean, "max": np.max}


@dataclasses.dataclass
class PruningGroup:
    """Weights that share a schedule, a ranking and a pattern.

    Args:
        schedule: A TF-MOT pruning schedule, its `get_config()`, or a callable
            `step -> (should_prune, sparsity)`. `None` if `final_sparsity`
            is given.
        weights: `"recurrent"`, `"kernels"`, a regular expression on weight
            paths, or a callable `(path, variable) -> bool`.
        ranking: `"global"` for one threshold over the whole group, `"local"`
            for the same sparsity in every weight, `"erk"` for densities after
            Erdos-Renyi-kernel, which keep small weights denser.
        pattern: A `keras_moduli.patterns.Pattern`; by default every weight
            lives or is pruned for itself.
        block_size: `(sources, targets)`, short for
            `pattern=patterns.Blocks(block_size)`.
        gates: Tuple of gate numbers to prune, all by default. In Keras's
            order: LSTM input, forget, cell, output; GRU update, reset,
            hidden.
        score: `"mean"` or `"max"` of the magnitudes in a block, a tile or all
            of a hidden unit.
        by_penalty: Whether magnitudes count for less where the weight's
            `ModuliRegularizer` penalises more: each is multiplied by
            `m / (m + penalty)`, `m` being the mean penalty.
        final_sparsity: Short for TF-MOT's `PolynomialDecay` from 0 to this
            sparsity, over a part of the training given by `begin` and `end`.
        begin: Where that ramp begins, as a fraction of all training steps.
        end: Where it ends, likewise.

    Example:

    ```python
    pruning = keras_moduli.MagnitudePruning(groups=[
        keras_moduli.PruningGroup(final_sparsity=0.9, block_size=(4, 1)),
        keras_moduli.PruningGroup(weights="dense/kernel", final_sparsity=0.5),
    ])
    ```
    """

    schedule: Any = None
    weights: Any = "recurrent"
    ranking: str = "global"
    pattern: Pattern | None = None
    block_size: tuple[int, int] | None = None
    gates: Sequence[int] | None = None
    score: str = "mean"
    by_penalty: bool = False
    final_sparsity: float | None = None
    begin: float = 0.1
    end: float = 0.7

    def __post_init__(self):
        _check_choice("ranking", self.ranking, RANKINGS)
        _check_choice("score", self.score, POOLS)
        if self.schedule is not None:
            schedules.get(self.schedule)
        self._check_ramp()
        self.pattern = _pattern(self.pattern, self.block_size)
        if self.gates is not None:
            self.gates = _gates(self.gates)
        if self.pattern.joined and (self.gates or self.by_penalty):
            raise ValueError(
                f"`pattern={self.pattern}` ranks and prunes units in all their "
                "gates, by magnitude alone: give neither `gates` nor "
                f"`by_penalty`. Received: gates={self.gates}, "
                f"by_penalty={self.by_penalty}"
            )

    def plan(self, steps):
        """The group's schedule as a function of the step.

        Args:
            steps: Optimizer steps of the whole training, `None` if unknown.
        """
        if self.schedule is not None:
            return schedules.get(self.schedule)
        if not steps:
            raise ValueError(
                "`final_sparsity` with `begin` and `end` needs a `fit` whose "
                "number of steps is known beforehand. Give `steps_per_epoch`, "
                "or a `schedule` instead."
            )
        return schedules.get(
            schedules.polynomial_decay(
                self.final_sparsity, self.begin, self.end, steps
            )
        )

    def _check_ramp(self):
        if (self.schedule is None) == (self.final_sparsity is None):
            raise ValueError(
                "Give either `schedule` or `final_sparsity`. Received: "
                f"schedule={self.schedule!r}, "
                f"final_sparsity={self.final_sparsity!r}"
            )
        if self.final_sparsity is None:
            return
        if not (is_real(self.final_sparsity) and 0 <= self.final_sparsity < 1):
            raise ValueError(
                "`final_sparsity` must be in [0, 1), such as 0.9 for 90 %. "
                f"Received: final_sparsity={self.final_sparsity!r}"
            )
        if not (
            is_real(self.begin)
            and is_real(self.end)
            and 0 <= self.begin < self.end <= 1
        ):
            raise ValueError(
                "`begin` and `end` are fractions of the training, with "
                "0 <= begin < end <= 1. "
                f"Received: begin={self.begin!r}, end={self.end!r}"
            )


def check_groups(groups):
    """A list of `PruningGroup`s, not empty, or a TypeError."""
    if (
        not isinstance(groups, (list, tuple))
        or not groups
        or not all(isinstance(g, PruningGroup) for g in groups)
    ):
        raise TypeError(
            "`groups` must be a list of keras_moduli.PruningGroup, not empty. "
            f"Received: groups={groups!r}"
        )
    return list(groups)


def _pattern(pattern, block_size):
    if pattern is not None and block_size is not None:
        raise ValueError(
            "Give either `pattern` or `block_size`. Received: "
            f"pattern={pattern!r}, block_size={block_size!r}"
        )
    if block_size is not None:
        is_list = isinstance(block_size, list)
        return Blocks(tuple(block_size) if is_list else block_size)
    if pattern is None:
        return Unstructured()
    if not isinstance(pattern, Pattern):
        raise TypeError(
            "`pattern` must be a keras_moduli.patterns.Pattern, such as "
            f"patterns.Tiles(32). Received: pattern={pattern!r}"
        )
    return pattern


def _gates(gates):
    if (
        not isinstance(gates, (tuple, list, range))
        or not gates
        or not all(isinstance(g, int) and g >= 0 for g in gates)
    ):
        raise ValueError(
            "`gates` must be a tuple of gate numbers from 0, such as (2,). "
            f"Received: gates={gates!r}"
        )
    return tuple(sorted(set(gates)))


def _check_choice(name, value, known):
    if value not in known:
        raise ValueError(
            f"`{name}` must be one of {sorted(known)}. "
            f"Received: {name}={value!r}"
        )
