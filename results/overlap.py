"""Which connections pruning keeps: near ones, and each neuron's own?

    KERAS_BACKEND=jax python results/overlap.py          # 80 s a run, one core
    KERAS_BACKEND=jax python results/overlap.py --table  # what stands there

Path integration, 256 units, only the recurrent kernel pruned, to 90 %, at
learning rate 0.003. After every epoch: which share of the connections that are
left are among as many that are nearest on the torus, and which share of the
neurons' connections to themselves is left. By chance both are the density.
Runs are kept in `overlap.json` beside this, and not made again.
"""

import functools
from pathlib import Path

import keeping
import keras
import numpy as np

import keras_moduli
from keras_moduli.models.kernels import select
from keras_moduli.tasks import Navigation

RECORDS = Path(__file__).with_name("overlap.json")
STEPS, EPOCHS, SEEDS = 3000, 15, 2
SPARSITY = 0.9


def regularizer(seed, space="torus", **given):
    return keras_moduli.ModuliRegularizer(space, seed=seed, **given)


KINDS = {
    "no penalty": lambda seed: None,
    "torus, difference of Gaussians": lambda seed: regularizer(
        seed, factor=0.1
    ),
    "torus, identity": lambda seed: regularizer(
        seed, inhibitor="identity", factor=1.0
    ),
    "permuted, identity": lambda seed: regularizer(
        seed, inhibitor="identity", factor=1.0, control="permuted"
    ),
    "discrete, identity": lambda seed: regularizer(
        seed, "discrete", inhibitor="identity", factor=10.0
    ),
}


class Overlap(keras.callbacks.Callback):
    """Notes after every epoch what the mask has in common with the torus."""

    def __init__(self, penalty):
        super().__init__()
        self._nearest_first = np.argsort(penalty, axis=None, kind="stable")
        self.found = []

    def on_epoch_end(self, epoch, logs=None):
        (kernel,) = select(self.model, "recurrent").values()
        mask = keras.ops.convert_to_numpy(kernel) != 0
        near = np.zeros(mask.size, bool)
        near[self._nearest_first[: mask.sum()]] = True
        self.found.append(
            {
                "density": float(mask.mean()),
                "near": float(near.reshape(mask.shape)[mask].mean()),
                "own": float(np.diagonal(mask).mean()),
            }
        )


def trained(kind, seed):
    """One training: what it kept after every epoch, and its error in cm."""
    keras.utils.set_random_seed(seed)
    task = Navigation(units=256, learning_rate=0.003)
    model = task.model(STEPS, KINDS[kind](seed))
    torus = regularizer(seed, inhibitor="identity").penalty(task.units)
    overlap = Overlap(keras.ops.convert_to_numpy(torus))
    model.fit(
        task.training(seed, 0),
        steps_per_epoch=STEPS // EPOCHS,
        epochs=EPOCHS,
        callbacks=[
            keras_moduli.MagnitudePruning(
                final_sparsity=SPARSITY, begin=0.1, end=0.6
            ),
            overlap,
        ],
        shuffle=False,
        verbose=0,
    )
    error = keeping.tested(model, task, task.test)
    return {"error": error, "epochs": overlap.found}


missing = functools.partial(keeping.missing, KINDS, SEEDS)


def table(runs):
    """The runs as a table: means over seeds, in per cent."""
    moments = _moments(runs[0]["epochs"])
    left = [f"{100 * runs[0]['epochs'][i]['density']:.0f} %" for i in moments]
    heads = [
        f"{what}, of {share}" for what in ("near", "own") for share in left
    ]
    yield f"| penalty | runs | error, cm | {' | '.join(heads)} |"
    yield "|---" + "|---:" * (len(heads) + 2) + "|"
    for kind in KINDS:
        same = [run for run in runs if run["kind"] == kind]
        error = np.mean([run["error"] for run in same])
        shares = [
            f"{100 * np.mean([run['epochs'][i][what] for run in same]):.0f} %"
            for what in ("near", "own")
            for i in moments
        ]
        yield f"| {kind} | {len(same)} | {error:.1f} | {' | '.join(shares)} |"


def _moments(epochs):
    """The epochs at whose end 40 % were left, 20 %, and the last one."""
    first = [
        next(i for i, epoch in enumerate(epochs) if epoch["density"] < share)
        for share in (0.4, 0.2)
    ]
    return [*first, len(epochs) - 1]


if __name__ == "__main__":
    keeping.command(__doc__, RECORDS, missing, trained, table)
