"""What `ModuliRegularizer` adds to a train step, beside Keras's own L1.

    python benchmarks/regularizer.py [--quick]

For every layer, size and way of compiling, four models that differ only in
their recurrent regularizer take turns, a few steps each, for many rounds:
`keras.regularizers.L1`, `ModuliRegularizer("torus")`, the same trainable, and
none. Each row gives the median step with L1 and the median over rounds of the
ratio of the other's time to L1's in the same round, so that whatever else the
machine does falls on all alike. Then the making of an 8,192-unit penalty:
seconds and memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_moduli import ModuliRegularizer  # noqa: E402

TIME_STEPS, FEATURES, BATCH = 20, 32, 32
LAYERS = (keras.layers.SimpleRNN, keras.layers.LSTM)
SPACES = ("torus", "klein_bottle", "sphere", "torus6")

REGULARIZERS = {
    "L1": lambda: keras.regularizers.L1(1e-6),
    "fixed": lambda: ModuliRegularizer("torus", seed=0),
    "trained": lambda: ModuliRegularizer("torus", seed=0, trainable=True),
    "none": lambda: None,
}

PENALTY = """
import sys, time
from keras_moduli import ModuliRegularizer

def used(key):
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines[key].split()[0]) * 1024

regularizer = ModuliRegularizer(sys.argv[1], seed=0)
regularizer.penalty(256)
before = used("VmRSS")
start = time.perf_counter()
regularizer.penalty(int(sys.argv[2]))
print(time.perf_counter() - start, used("VmHWM") - before)
"""


def train_step(layer, units, jit_compile, regularizer):
    """A function that takes `n` train steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((TIME_STEPS, FEATURES), batch_size=BATCH),
            layer(units, recurrent_regularizer=regularizer),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", jit_compile=jit_compile)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((BATCH, TIME_STEPS, FEATURES), "float32")
    y = x[:, 0, :1]

    def run(n):
        for _ in range(n):
            model.train_on_batch(x, y)

    return run


def compare(layer, units, jit_compile, rounds):
    """Median milliseconds of a step with L1, and ratios to it."""
    steps = {
        name: train_step(layer, units, jit_compile, make())
        for name, make in REGULARIZERS.items()
    }
    for run in steps.values():
        run(3)
    start = time.perf_counter()
    steps["L1"](3)
    # Turns of about a tenth of a second.
    turn = max(1, round(0.1 / ((time.perf_counter() - start) / 3)))
    seconds = {name: [] for name in steps}
    for round_ in range(rounds):
        names = list(steps)
        for name in names[round_ % 4 :] + names[: round_ % 4]:
            start = time.perf_counter()
            steps[name](turn)
            seconds[name].append((time.perf_counter() - start) / turn)
    ratios = {
        name: statistics.median(
            a / b for a, b in zip(taken, seconds["L1"], strict=True)
        )
        for name, taken in seconds.items()
    }
    return 1000 * statistics.median(seconds["L1"]), ratios


def print_overhead(layers, sizes, rounds):
    print(
        "| layer | units | jit_compile | L1 (ms/step) | fixed | trained |"
        " none |"
    )
    print("|---|---|---|---|---|---|---|")
    for layer in layers:
        for units in sizes:
            for jit_compile in (False, True):
                l1, ratios = compare(layer, units, jit_compile, rounds)
                print(
                    f"| {layer.__name__} | {units} | {jit_compile} | {l1:.2f}"
                    f" | {ratios['fixed']:.3f} | {ratios['trained']:.3f}"
                    f" | {ratios['none']:.3f} |",
                    flush=True,
                )
                keras.backend.clear_session()


def print_penalty(spaces, units):
    print("\n| space | units | seconds | peak memory / matrix |")
    print("|---|---|---|---|")
    for space in spaces:
        done = subprocess.run(
            [sys.executable, "-c", PENALTY, space, str(units)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, memory = map(float, done.stdout.split()[-2:])
        print(
            f"| {space} | {units} | {seconds:.2f} |"
            f" {memory / (4 * units**2):.2f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one layer and size, few rounds"
    )
    parser.add_argument("--units", type=int, nargs="+", help="other sizes")
    parser.add_argument("--rounds", type=int, help="how often to take turns")
    given = parser.parse_args()
    quick = given.quick
    print_overhead(
        LAYERS[:1] if quick else LAYERS,
        given.units or ((64,) if quick else (128, 512, 2048)),
        given.rounds or (5 if quick else 21),
    )
    print_penalty(*((SPACES[:1], 1024) if quick else (SPACES, 8192)))


if __name__ == "__main__":
    main()
