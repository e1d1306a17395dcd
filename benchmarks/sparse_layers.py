"""Sparse layers beside Keras's dense ones: training steps, and files.

    python benchmarks/sparse_layers.py                      # TensorFlow
    KERAS_BACKEND=jax python benchmarks/sparse_layers.py    # no files there
    KERAS_BACKEND=torch python benchmarks/sparse_layers.py  # nor there
    python benchmarks/sparse_layers.py --only "LSTM(256)"   # one of them
    python benchmarks/sparse_layers.py --quick              # small, a minute

A share of the recurrent weights, in groups that share their sources, beside
the dense layer, and beside the dense twin, which has as many weights in all and
fewer units. A Dense layer has no sparse form in training: the one here has a
mask, and shows what its file gains. All models of one size take a step in turn,
and so do their files, float32 with one thread, so that whatever else the
machine does disturbs them alike; ratios are of medians, with the quartiles of
the steps.
"""

import argparse
import bisect
import re
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from keras_moduli import apply_masks
from keras_moduli import fixed_masks
from keras_moduli import layers
from keras_moduli.export import export_tflite
from keras_moduli.export.timing import latencies

FEATURES, OUTPUTS = 64, 97
PAIRS = {
    "LSTM": (keras.layers.LSTM, layers.SparseLSTM),
    "GRU": (keras.layers.GRU, layers.SparseGRU),
    "SimpleRNN": (keras.layers.SimpleRNN, layers.SparseSimpleRNN),
}
# Layer, units, share of weights, batch, steps, sizes of groups.
CASES = [
    ("LSTM", 1024, 0.1, 32, 32, (64, 128)),
    ("LSTM", 512, 0.1, 64, 64, (64, 128)),
    ("LSTM", 384, 0.25, 32, 64, (64, 128)),
    ("LSTM", 256, 0.25, 32, 64, (64,)),
    ("GRU", 1024, 0.1, 32, 32, (64, 128)),
    ("GRU", 512, 0.1, 64, 64, (64, 128)),
    ("SimpleRNN", 1024, 0.1, 32, 32, (64, 128)),
    ("Dense", 1024, 0.1, 256, None, (64, 128)),
]
QUICK = [
    ("LSTM", 128, 0.1, 8, 8, (32,)),
    ("GRU", 128, 0.1, 8, 8, (32,)),
    ("SimpleRNN", 128, 0.1, 8, 8, (32,)),
    ("Dense", 256, 0.1, 8, None, (32,)),
]


def network(layer, shape):
    """A compiled model around a layer."""
    model = keras.Sequential(
        [keras.Input(shape, name="x"), layer, keras.layers.Dense(OUTPUTS)]
    )
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def recurrent_models(kind, units, share, steps, groups):
    """The dense model, the sparse ones, and the dense twin, by name."""
    plain, sparse = PAIRS[kind]
    shape = (steps, FEATURES)

    def dense(units):
        return network(plain(units, return_sequences=True), shape)

    def gathered(group, connections):
        layer = sparse(
            units,
            return_sequences=True,
            fan_in=share,
            group_size=group,
            connections=connections,
            seed=0,
        )
        return network(layer, shape)

    models = {"dense": dense(units)}
    for group in groups:
        # Which ones a group reads does not matter to the time.
        models[f"groups of {group}"] = gathered(group, "random")
        if group == share * units:  # but for nothing but itself
            models[f"groups of {group}, own"] = gathered(group, "own")
    weights = models[f"groups of {groups[0]}"].count_params()
    few = bisect.bisect_right(
        range(1, units), weights, key=lambda n: dense(n).count_params()
    )
    models[f"dense twin, {few} units"] = dense(few)
    return models


def dense_models(units, share, groups):
    """A Dense layer between as many units, and those with masks, by name."""
    models = {}
    for group in (None, *groups):
        layer = keras.layers.Dense(units, "relu", name="hidden")
        name = "dense" if group is None else f"masks, groups of {group}"
        models[name] = model = network(layer, (units,))
        if group is not None:
            masks = fixed_masks(
                model, share, "random", weights="hidden", group_size=group
            )
            apply_masks(model, masks, rescale=True)
    return models


def rows(kind, units, share, batch, steps, groups, rounds):
    """The table's lines for one size."""
    if kind == "Dense":
        models = dense_models(units, share, groups)
        size, shape = f"Dense({units}) of {units}, {batch}", (units,)
    else:
        models = recurrent_models(kind, units, share, steps, groups)
        size, shape = f"{kind}({units}), {batch} x {steps}", (steps, FEATURES)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *shape)).astype("float32")
    y = rng.integers(0, OUTPUTS, (batch, *shape[:-1]))
    seconds = steps_of(models, x, y, rounds)
    weights = {name: _state(model) for name, model in models.items()}
    files = files_of(models, x[:1], rounds)
    for name, taken in seconds.items():
        low, median, high = 1e3 * np.percentile(taken, [25, 50, 75])
        ratio = 1e3 * np.median(seconds["dense"]) / median
        yield (
            f"| {size}, {share:.0%} | {name} | {median:.1f} "
            f"({low:.1f} to {high:.1f}) | {ratio:.2f} "
            f"| {weights[name] / weights['dense']:.3f} | {files[name]} |"
        )


def steps_of(models, x, y, rounds):
    """The seconds of training steps that models take in turn."""
    for model in models.values():
        for _ in range(2):
            model.train_on_batch(x, y)
    seconds = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            begin = time.perf_counter()
            model.train_on_batch(x, y)
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def files_of(models, x, rounds):
    """What the models' files take, as the table's last cells, by name."""
    if keras.backend.backend() != "tensorflow":
        return dict.fromkeys(models, "- | - | -")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.tflite" for i in range(len(models))]
        for path, (name, model) in zip(paths, models.items(), strict=True):
            layout = "dense" if name.startswith("dense") else "gathered"
            export_tflite(model, path, layout=layout, optimize_for="latency")
        taken = latencies(paths, {"x": x}, rounds=10 * rounds, seconds=60)
        sizes = [path.stat().st_size for path in paths]
    return {
        name: f"{ms:.3f} | {taken[0] / ms:.1f} | {sizes[0] / size:.1f}"
        for name, ms, size in zip(models, taken, sizes, strict=True)
    }


def _state(model):
    """Numbers held for the kernel: weights and Adam's moments."""
    return sum(
        int(np.prod(v.shape))
        for v in [*model.weights, *model.optimizer.variables]
        # The optimizer writes paths with underscores.
        if re.search("recurrent_kernel|hidden[/_]kernel", v.path)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="a layer, as LSTM(256)")
    given = parser.parse_args()
    print(f"{keras.backend.backend()}, one training step, and one file:\n")
    print(
        "| layer, batch x steps, share | form | ms (quartiles) "
        "| times faster | recurrent weights and moments | file, ms "
        "| times faster | times smaller |\n" + "|---" * 8 + "|"
    )
    for case in QUICK if given.quick else CASES:
        if given.only not in f"{case[0]}({case[1]})":
            continue
        for row in rows(*case, given.rounds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
