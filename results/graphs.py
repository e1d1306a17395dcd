"""Is it geometry, or that connections lead back? Graphs of five sources.

    KERAS_BACKEND=jax python results/graphs.py          # 80 s a run, one core
    KERAS_BACKEND=jax python results/graphs.py --table  # what stands there

Path integration as in the section "Path integration, a fiftieth of the
recurrent connections": 256 units, five recurrent sources each, from the first
step, at learning rate 0.003. Here the four sources besides the neuron itself
are the neighbours in a graph. Runs are kept in `graphs.json` beside this, and
not made again.
"""

import functools
from pathlib import Path

import keeping
import keras
import numpy as np

import keras_moduli
from keras_moduli.models.kernels import select
from keras_moduli.tasks import Navigation

RECORDS = Path(__file__).with_name("graphs.json")
STEPS, UNITS, SOURCES, SEEDS = 3000, 256, 5, 3


def lattice(rng):
    """The four next places of a square lattice on the torus."""
    del rng
    side = round(UNITS**0.5)
    row, column = np.divmod(np.arange(UNITS), side)
    yield (row + 1) % side * side + column
    yield row * side + (column + 1) % side


def ring(rng):
    """The two next places on either side of a circle."""
    del rng
    for distance in (1, 2):
        yield (np.arange(UNITS) + distance) % UNITS


def triangles(rng):
    """Two triangles through each neuron, otherwise at random."""
    for _ in range(2):
        order = rng.permutation(UNITS)
        following = np.empty(UNITS, int)
        for first in range(0, UNITS - 2, 3):
            three = order[first : first + 3]
            following[three] = np.roll(three, -1)
        rest = order[UNITS - UNITS % 3 :]
        following[rest] = rest
        yield following


def both_ways(rng):
    """Two cycles through all neurons at random, both ways."""
    for _ in range(2):
        order = rng.permutation(UNITS)
        following = np.empty(UNITS, int)
        following[order] = np.roll(order, -1)
        yield following


def one_way(rng):
    """Four cycles through all neurons at random, one way."""
    yield from both_ways(rng)
    yield from both_ways(rng)


# And whether each connection leads back, too.
KINDS = {
    "square lattice on the torus": (lattice, True),
    "ring": (ring, True),
    "two triangles each, at random": (triangles, True),
    "at random, both ways": (both_ways, True),
    "at random, one way": (one_way, False),
}


def mask_of(kind, seed):
    """`[source, target]`: each neuron, its neighbours, and none missing."""
    graph, back = KINDS[kind]
    rng = np.random.default_rng(seed)
    mask = np.eye(UNITS, dtype=bool)
    for following in graph(rng):
        mask[following, np.arange(UNITS)] = True
        if back:
            mask[np.arange(UNITS), following] = True
    for target in np.flatnonzero(mask.sum(0) < SOURCES):
        others = np.flatnonzero(~mask[:, target])
        missing = SOURCES - mask[:, target].sum()
        mask[rng.choice(others, missing, replace=False), target] = True
    return mask


def describe(mask):
    """Which share of connections leads back, and triangles of a neuron."""
    edges = (mask & ~np.eye(len(mask), dtype=bool)).astype(int)
    back = (edges & edges.T).sum() / edges.sum()
    both = edges & edges.T
    return float(back), float(np.trace(both @ both @ both) / 2 / len(mask))


def trained(kind, seed):
    """The error in cm of one training."""
    keras.utils.set_random_seed(seed)
    task = Navigation(units=UNITS, learning_rate=0.003)
    model = task.model(STEPS)
    (path,) = select(model, "recurrent")
    keras_moduli.apply_masks(model, {path: mask_of(kind, seed)}, rescale=True)
    model.steps_per_execution = 10
    model.fit(
        task.training(seed, 0), steps_per_epoch=STEPS, shuffle=False, verbose=0
    )
    return {"error": keeping.tested(model, task, task.test)}


missing = functools.partial(keeping.missing, KINDS, SEEDS)


def table(runs):
    """The runs as a table: means over seeds."""
    yield "| neighbours | lead back | triangles | error, cm | std | runs |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind in KINDS:
        same = [run["error"] for run in runs if run["kind"] == kind]
        back, triangles = np.mean(
            [describe(mask_of(kind, seed)) for seed in range(len(same))], axis=0
        )
        yield (
            f"| {kind} | {back:.0%} | {triangles:.1f} | {np.mean(same):.2f} "
            f"| {np.std(same, ddof=1):.2f} | {len(same)} |"
        )


if __name__ == "__main__":
    keeping.command(__doc__, RECORDS, missing, trained, table)
