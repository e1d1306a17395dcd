"""A training step of sparse layers, beside Keras's dense ones, in one run.

    KERAS_BACKEND=jax python benchmarks/sparse_layers.py  # or tensorflow
    python benchmarks/sparse_layers.py --quick            # small, a minute

A tenth of the recurrent weights, in groups that share their sources. All
models of one size take a step in turn, so that whatever else the machine does
disturbs them alike; ratios are of medians, with the quartiles of the steps.
"""

import argparse
import time

import keras
import numpy as np

from keras_moduli import layers

FEATURES, OUTPUTS, FAN_IN = 64, 97, 0.1
PAIRS = {
    "LSTM": (keras.layers.LSTM, layers.SparseLSTM),
    "GRU": (keras.layers.GRU, layers.SparseGRU),
    "SimpleRNN": (keras.layers.SimpleRNN, layers.SparseSimpleRNN),
}
# Layer, units, batch, steps, sizes of groups.
CASES = [
    ("LSTM", 1024, 32, 32, (64, 128)),
    ("LSTM", 512, 64, 64, (64, 128)),
    ("GRU", 512, 64, 64, (64, 128)),
    ("SimpleRNN", 1024, 32, 32, (64, 128)),
]
QUICK = [("LSTM", 128, 8, 8, (32, 64))]


def network(recurrent, steps):
    """A compiled model around a recurrent layer."""
    model = keras.Sequential(
        [
            keras.Input((steps, FEATURES)),
            recurrent,
            keras.layers.Dense(OUTPUTS),
        ]
    )
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def rows(kind, units, batch, steps, groups, rounds):
    """The table's lines for one size."""
    plain, sparse = PAIRS[kind]
    models = {"dense": network(plain(units, return_sequences=True), steps)}
    for group in groups:
        layer = sparse(
            units,
            return_sequences=True,
            fan_in=FAN_IN,
            group_size=group,
            connections="random",  # which does not matter to the time
            seed=0,
        )
        models[f"groups of {group}"] = network(layer, steps)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, steps, FEATURES)).astype("float32")
    y = rng.integers(0, OUTPUTS, (batch, steps))
    for model in models.values():
        for _ in range(2):
            model.train_on_batch(x, y)
    seconds = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            begin = time.perf_counter()
            model.train_on_batch(x, y)
            seconds[name].append(time.perf_counter() - begin)
    weights = {name: _state(model) for name, model in models.items()}
    for name, taken in seconds.items():
        low, median, high = 1e3 * np.percentile(taken, [25, 50, 75])
        ratio = 1e3 * np.median(seconds["dense"]) / median
        yield (
            f"| {kind}({units}), {batch} x {steps} | {name} | {median:.1f} "
            f"({low:.1f} to {high:.1f}) | {ratio:.2f} "
            f"| {weights[name] / weights['dense']:.3f} |"
        )


def _state(model):
    """Numbers held for the recurrent kernel: weights and Adam's moments."""
    (kernel,) = (
        w for w in model.trainable_weights if "recurrent_kernel" in w.path
    )
    size = int(np.prod(kernel.shape))
    return sum(
        int(np.prod(v.shape))
        for v in [*model.weights, *model.optimizer.variables]
        if int(np.prod(v.shape)) == size
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    print(f"{keras.backend.backend()}, one training step:\n")
    print(
        "| layer, batch x steps | form | ms (quartiles) | times faster "
        "| recurrent weights and moments |\n|---|---|---|---|---|"
    )
    for case in QUICK if given.quick else CASES:
        for row in rows(*case, given.rounds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
