"""What else could help: initial scale, a teacher, connections that move.

    KERAS_BACKEND=jax python results/recipes.py FILE...  # 40 minutes, one core
    python results/recipes.py --table                    # what stands there

Characters of the given text files, 600 steps: LSTM(384) with a quarter of its
recurrent connections from the first step, in groups of 64 neurons, beside the
dense LSTM(232) of about as many weights, each at the learning rate that
validated best for it.

- `scale`: the initial recurrent kernel times so much.
- `teacher`: half of the loss is the divergence from a dense LSTM(384) that was
  trained four times as long, at that temperature (`keras.distillation`).
- `regrown`: every 50 steps up to three quarters of the training each group
  drops the sources whose weights are least and takes those whose gradients are
  largest, 30 % at first, fewer by a cosine (RigL, Evci et al. 2020, for
  groups). This needs plain layers with masks, so the same without moving stands
  beside it.

Runs are kept in `recipes.json` beside this, and not made again.
"""

import argparse
import dataclasses
import json
import math
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_moduli
from keras_moduli.tasks import Language
from keras_moduli.utils.backend import retrace
from keras_moduli.utils.files import atomic_path

RECORDS = Path(__file__).with_name("recipes.json")
STEPS, EVERY, SEEDS = 600, 50, 3
SHARE, GROUP = 0.25, 64
DROPPED, MOVING = 0.3, 0.75


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to train one of the nets."""

    sparse: bool
    scale: float = 1.0
    temperature: float | None = None  # of the teacher; None for no teacher
    masked: bool = False  # plain layers with masks
    regrown: bool = False


KINDS = {
    "dense LSTM(232)": Kind(False),
    "dense, scale 0.5": Kind(False, scale=0.5),
    "dense, scale 2": Kind(False, scale=2.0),
    "dense, teacher at 1": Kind(False, temperature=1.0),
    "dense, teacher at 3": Kind(False, temperature=3.0),
    "LSTM(384), a quarter": Kind(True),
    "a quarter, scale 0.5": Kind(True, scale=0.5),
    "a quarter, scale 2": Kind(True, scale=2.0),
    "a quarter, teacher at 1": Kind(True, temperature=1.0),
    "a quarter, teacher at 3": Kind(True, temperature=3.0),
    "a quarter, masks": Kind(True, masked=True),
    "a quarter, masks, regrown": Kind(True, masked=True, regrown=True),
}


def first_model(task, kind, seed):
    """A compiled net before its first step."""
    model = task.model(STEPS)
    if kind.sparse:
        masks = keras_moduli.fixed_masks(
            model, SHARE, "own+random", group_size=GROUP, seed=seed
        )
        keras_moduli.apply_masks(model, masks, rescale=True)
        if not kind.masked:
            model = keras_moduli.layers.to_sparse(model, masks)
    kernel = recurrent_kernel(model)
    kernel.assign(kernel * kind.scale)
    return model


def recurrent_kernel(model):
    """The one there is, sparse or plain."""
    (kernel,) = (
        v for v in model.trainable_variables if "recurrent_kernel" in v.path
    )
    return kernel


class Regrowing(keras.callbacks.Callback):
    """Moves connections at the end of an epoch, from groups' sources."""

    def __init__(self, task, batches):
        super().__init__()
        self._batches = batches
        self._probe = task.model(STEPS)  # without masks
        self._probe.compile(keras.optimizers.SGD(1.0), task.model(STEPS).loss)

    def on_epoch_end(self, epoch, logs=None):
        done = (epoch + 1) * EVERY / (MOVING * STEPS)
        if done >= 1:
            return
        share = DROPPED / 2 * (1 + math.cos(math.pi * done))
        kernel = recurrent_kernel(self.model)
        weights = keras.ops.convert_to_numpy(kernel)
        mask = moved(weights, self._gradient(), share)
        keras_moduli.apply_masks(self.model, {kernel.path: mask})
        retrace(self.model)  # JAX compiles masks into its step

    def _gradient(self):
        """Of one batch, by all weights: one step of plain descent tells."""
        self._probe.set_weights(self.model.get_weights())
        kernel = recurrent_kernel(self._probe)
        before = keras.ops.convert_to_numpy(kernel)
        self._probe.train_on_batch(*next(self._batches))
        return before - keras.ops.convert_to_numpy(kernel)


def moved(weights, gradient, share):
    """The mask after every group has changed a share of its sources."""
    units = len(weights)

    def by_group(kernel):
        parts = kernel.reshape(units, 4, units // GROUP, GROUP)
        return np.sqrt((parts**2).sum((1, 3)))

    strength, wanted = by_group(weights), by_group(gradient)
    alive = strength > 0
    for group in range(units // GROUP):
        sources = np.flatnonzero(alive[:, group])
        others = np.flatnonzero(~alive[:, group])
        count = min(round(share * len(sources)), len(others))
        order = np.argsort(strength[sources, group])
        alive[sources[order[:count]], group] = False
        order = np.argsort(-wanted[others, group])
        alive[others[order[:count]], group] = True
    return np.tile(np.repeat(alive, GROUP, axis=1), 4)


def fit(model, task, seed, callbacks=()):
    model.fit(
        task.training(seed, 0),
        steps_per_epoch=EVERY,
        epochs=STEPS // EVERY,
        callbacks=[*callbacks],
        shuffle=False,
        verbose=0,
    )


def trained(kind, seed, text, teacher):
    """Test bits of one training."""
    keras.utils.set_random_seed(seed)
    units, rate = (384, 0.02) if kind.sparse else (232, 0.01)
    task = Language(text=text, units=units, learning_rate=rate)
    model = first_model(task, kind, seed)
    callbacks = []
    if kind.regrown:
        callbacks.append(Regrowing(task, task.training(seed + 1000, 0)))
    student = model
    if kind.temperature:
        model = keras.distillation.Distiller(
            teacher(),
            student,
            keras.distillation.LogitsDistillation(kind.temperature),
        )
        fresh = task.model(STEPS)
        model.compile(optimizer=fresh.optimizer, loss=fresh.loss)
    fit(model, task, seed, callbacks)
    tested = student.evaluate(
        *task.test,
        batch_size=task.evaluation_batch,
        verbose=0,
        return_dict=True,
    )
    return tested[task.metric]


class Teacher:
    """A dense net, trained once and kept for this text."""

    def __init__(self, text, folder):
        self._text, self._file = text, Path(folder) / "teacher.keras"

    def __call__(self):
        if not self._file.exists():
            print("teacher", file=sys.stderr)
            self._train()
        return keras.saving.load_model(self._file)

    def _train(self):
        keras.utils.set_random_seed(100)
        task = Language(text=self._text, units=384, learning_rate=0.01)
        model = task.model(4 * STEPS)
        model.fit(
            task.training(100, 0),
            steps_per_epoch=STEPS,
            epochs=4,
            shuffle=False,
            verbose=0,
        )
        with atomic_path(self._file) as path:
            model.save(path)


def table(runs):
    """The runs as a table: means over seeds, and their spread."""
    yield "| what | runs | test bits per character | least to most |"
    yield "|---|---:|---:|---:|"
    for kind in KINDS:
        bits = [run["bits"] for run in runs if run["kind"] == kind]
        yield (
            f"| {kind} | {len(bits)} | {np.mean(bits):.3f} | "
            f"{min(bits):.3f} to {max(bits):.3f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="*", metavar="FILE")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    runs = json.loads(RECORDS.read_text()) if RECORDS.exists() else []
    done = {(run["kind"], run["seed"]) for run in runs}
    todo = [(k, s) for s in range(SEEDS) for k in KINDS if (k, s) not in done]
    with tempfile.TemporaryDirectory() as folder:
        teacher = Teacher(tuple(given.text), folder)
        for kind, seed in [] if given.table else todo:
            print(f"{kind}, seed {seed}", file=sys.stderr)
            bits = trained(KINDS[kind], seed, tuple(given.text), teacher)
            runs.append({"kind": kind, "seed": seed, "bits": bits})
            with atomic_path(RECORDS) as path:
                path.write_text(json.dumps(runs) + "\n")
    print(*table(runs), sep="\n")


if __name__ == "__main__":
    main()
