"""What else could make a net better: initial scale, a teacher, regrowth.

    export KERAS_BACKEND=jax
    python results/recipes.py --text FILE...  # 30 to 75 s a run, one core
    python results/recipes.py --table         # what stands there

Characters, 600 steps, as in the section "Characters, at as many units":
LSTM(256) with all of its recurrent connections, with a quarter at random in
groups of 64, and LSTM(158), which has as many weights as the quarter. Each
also with recurrent initial weights of half and of twice their size, and the
smaller two taught by a dense LSTM(256) of 2,400 steps, by
`keras.distillation`. And with masks instead of sparse layers, which stay or
move between groups: RigL (Evci et al. 2020), sources of a group as wholes.
What validates best of each kind with one seed is trained with three. Runs are
kept in `recipes.json` beside this, and not made again.
"""

import dataclasses
import functools
import math
from pathlib import Path

import keeping
import keras
import numpy as np

import keras_moduli
from keras_moduli.layers import to_sparse
from keras_moduli.models.kernels import select
from keras_moduli.tasks import Language
from keras_moduli.utils.files import atomic_path

RECORDS = Path(__file__).with_name("recipes.json")
STEPS, TAUGHT, SEEDS = 600, 2400, 3
SHARE, SIZE = 0.25, 64  # of its sources a group reads; targets in a group


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a net is made and trained.

    Args:
        units: Units of the LSTM.
        rate: Learning rate.
        sparse: Whether it has a quarter of its recurrent connections.
        scale: Factor of the recurrent kernel's initial weights.
        teacher: The teacher's share of the loss.
        masks: Whether masks, not sparse layers, make it sparse.
        moved: The share of its sources that a group exchanges at first.
    """

    units: int
    rate: float
    sparse: bool = False
    scale: float = 1.0
    teacher: float = 0.0
    masks: bool = False
    moved: float = 0.0


_ALL = Recipe(256, 0.01)
_TWIN = Recipe(158, 0.02)
_QUARTER = Recipe(256, 0.02, sparse=True)


def _kinds():
    """From the name of a kind to its recipes, one of which is to be chosen."""
    nets = {"all": _ALL, "dense twin": _TWIN, "a quarter": _QUARTER}
    for name, net in nets.items():
        yield name, [net]
        yield f"{name}, other initial weights", _each(net, scale=(0.5, 2.0))
    for name in ("dense twin", "a quarter"):
        taught = _each(nets[name], teacher=(1 / 3, 2 / 3))
        yield f"{name}, taught", taught
    held = dataclasses.replace(_QUARTER, masks=True)
    yield "a quarter, masks", [held]
    yield "a quarter, masks that move", _each(held, moved=(0.1, 0.3))


def _each(recipe, **values):
    ((name, values),) = values.items()
    return [dataclasses.replace(recipe, **{name: value}) for value in values]


KINDS = dict(_kinds())


def first_model(recipe, task, seed):
    """The compiled model before its first step."""
    keras.utils.set_random_seed(seed)
    model = task.model(STEPS)
    (kernel,) = select(model, "recurrent").values()
    kernel.assign(kernel * recipe.scale)
    if recipe.sparse:
        masks = keras_moduli.fixed_masks(
            model, SHARE, "random", group_size=SIZE, seed=seed
        )
        keras_moduli.apply_masks(model, masks, rescale=True)
        model = model if recipe.masks else to_sparse(model, masks)
    return model


def fit(model, task, seed, first=0, steps=STEPS):
    """Trains some of the steps."""
    model.steps_per_execution = 10
    model.fit(
        task.training(seed, first),
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    )


class SoftCrossentropy(keras.losses.Loss):
    """Cross-entropy with a teacher's probabilities, both given as logits.

    Keras's own divergence cuts probabilities off at 1e-7, from where none
    comes back.
    """

    def call(self, y_true, y_pred):
        wanted = keras.ops.softmax(y_true)
        return -keras.ops.sum(wanted * keras.ops.log_softmax(y_pred), axis=-1)


def taught(student, teacher, share, task, seed):
    """Trains a student on the text and on what a teacher says of it."""
    distiller = keras.distillation.Distiller(
        teacher,
        student,
        keras.distillation.LogitsDistillation(1.0, SoftCrossentropy()),
        student_loss_weight=1 - share,
    )
    distiller.compile(student.optimizer, student.loss)
    fit(distiller, task, seed)


def regrown(model, task, seed, moved, every=50, until=0.75):
    """Trains with masks whose groups exchange sources, ever fewer of them."""
    for first in range(0, STEPS, every):
        fit(model, task, seed, first, every)
        done = (first + every) / STEPS
        if done < until:
            share = moved / 2 * (1 + math.cos(math.pi * done / until))
            x, y = next(task.training(seed, first + every))
            exchange(model, gradient(model, x, y), share)


def gradient(model, x, y):
    """The gradient of the recurrent kernel, where it is masked too."""
    import jax

    (kernel,) = select(model, "recurrent").values()
    values = [v.value for v in model.trainable_variables]
    place = [v.path for v in model.trainable_variables].index(kernel.path)
    others = [v.value for v in model.non_trainable_variables]

    def loss(value):
        outputs, _ = model.stateless_call(
            [*values[:place], value, *values[place + 1 :]], others, x
        )
        return keras.ops.mean(model.loss(y, outputs))

    return np.asarray(jax.grad(loss)(values[place]))


def exchange(model, slope, share):
    """Gives up the weakest sources of each group for the steepest others."""
    (kernel,) = select(model, "recurrent").values()
    masks = keras_moduli.masks_of(model)
    (mask,) = masks.values()
    # [source, group], from [source, gate, group, target].
    shape = len(mask), 4, -1, SIZE
    weight = keras.ops.convert_to_numpy(kernel)
    strength = np.square(weight).reshape(shape).sum((1, 3))
    steepness = np.square(slope).reshape(shape).sum((1, 3))
    read = mask.reshape(shape).any((1, 3))
    count = round(share * SHARE * len(mask))
    for group in range(read.shape[1]):
        own = read[:, group].copy()
        weak = np.where(own, strength[:, group], np.inf).argsort()[:count]
        steep = np.where(own, -np.inf, steepness[:, group])
        read[weak, group] = False
        read[steep.argsort()[len(steep) - count :], group] = True
    moved = np.repeat(np.tile(read[:, None], (1, 4, 1)), SIZE, -1)
    keras_moduli.apply_masks(model, {kernel.path: moved.reshape(mask.shape)})


def trained(kind, option, seed, text, teacher):
    """The bits per character of one training."""
    recipe = KINDS[kind][option]
    task = Language(text=text, units=recipe.units, learning_rate=recipe.rate)
    model = first_model(recipe, task, seed)
    if recipe.teacher:
        taught(model, teacher(), recipe.teacher, task, seed)
    elif recipe.moved:
        regrown(model, task, seed, recipe.moved)
    else:
        fit(model, task, seed)
    return {
        "validation": keeping.tested(model, task, task.validation),
        "test": keeping.tested(model, task, task.test),
    }


def teacher(text, file):
    """The trained teacher, from its file if there is one."""
    if not file.exists():
        task = Language(text=text, units=_ALL.units, learning_rate=_ALL.rate)
        keras.utils.set_random_seed(SEEDS)
        model = task.model(TAUGHT)
        fit(model, task, SEEDS, steps=TAUGHT)
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as path:
            model.save(path)
    return keras.saving.load_model(file)


def missing(runs):
    """What is to be trained next: all once, then the best of each kind."""
    done = {(run["kind"], run["option"], run["seed"]) for run in runs}
    for kind, options in KINDS.items():
        for option in range(len(options)):
            if (kind, option, 0) not in done:
                return {"kind": kind, "option": option, "seed": 0}
    for seed in range(1, SEEDS):
        for kind in KINDS:
            option = best(runs, kind)
            if (kind, option, seed) not in done:
                return {"kind": kind, "option": option, "seed": seed}
    return None


def best(runs, kind):
    """The number of the recipe that validates best with the first seed."""
    first = [r for r in runs if r["kind"] == kind and not r["seed"]]
    return min(first, key=lambda run: run["validation"])["option"]


def table(runs):
    """The runs as a table: means over seeds."""
    yield "| | | validation bits | test bits | std | runs |"
    yield "|---|---|---:|---:|---:|---:|"
    for kind, options in KINDS.items():
        for option, recipe in enumerate(options):
            key = kind, option
            same = [r for r in runs if (r["kind"], r["option"]) == key]
            validation = np.mean([run["validation"] for run in same])
            test = [run["test"] for run in same]
            std = f"{np.std(test, ddof=1):.3f}" if len(test) > 1 else ""
            yield (
                f"| {kind} | {_changed(recipe)} | {validation:.3f} "
                f"| {np.mean(test):.3f} | {std} | {len(same)} |"
            )


def _changed(recipe):
    """What a recipe changes, in words."""
    if recipe.scale != 1:
        return f"times {recipe.scale:g}"
    if recipe.teacher:
        return f"{recipe.teacher:.0%} of the loss"
    return f"{recipe.moved:.0%} of the sources" if recipe.moved else ""


def main():
    parser = keeping.arguments(__doc__)
    parser.add_argument("--text", nargs="+", default=[], metavar="FILE")
    parser.add_argument("--teacher", default="runs/teacher.keras", type=Path)
    given = parser.parse_args()
    text = tuple(given.text)
    make_teacher = functools.partial(teacher, text, given.teacher)
    train = functools.partial(trained, text=text, teacher=make_teacher)
    if not given.table:
        keeping.completed(RECORDS, missing, train)
    keeping.show(RECORDS, table)


if __name__ == "__main__":
    main()
