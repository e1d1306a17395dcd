"""What pruning costs, next to TF-MOT, in one run.

    python benchmarks/pruning.py [--quick]
    KERAS_BACKEND=jax python benchmarks/pruning.py    # what masks cost a step
    KERAS_BACKEND=torch python benchmarks/pruning.py  # there

Each pair is measured in turns, so that a busy machine slows both; medians of
the turns are compared.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

import keras_moduli

PolynomialDecay = tfmot.sparsity.keras.PolynomialDecay


def interleaved(turns, **measured):
    """Calls each function once per turn; returns the medians of seconds."""
    seconds = {name: [] for name in measured}
    for _ in range(turns):
        for name, function in measured.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def update(units, turns):
    """One mask update of an LSTM's recurrent kernel, ours and TF-MOT's."""
    model = keras.Sequential([keras.Input((2, 4)), keras.layers.LSTM(units)])
    model.compile("sgd", "mse")
    # A callable schedule that asks for a little more at every step, so that
    # every step is an update. The callback is called as `fit` calls it.
    pruning = keras_moduli.MagnitudePruning(
        lambda step: (True, 0.5 + 1e-4 * step)
    )
    callbacks = keras.callbacks.CallbackList([pruning], model=model)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)

    def our_update():
        model.optimizer.iterations.assign_add(1)
        callbacks.on_train_batch_end(0)

    layer = tf_keras.layers.LSTM(units)
    theirs = tfmot.sparsity.keras.prune_low_magnitude(
        tf_keras.Sequential([tf_keras.layers.InputLayer((2, 4)), layer]),
        pruning_schedule=tfmot.sparsity.keras.ConstantSparsity(
            0.5, 0, frequency=1
        ),
    )
    wrapper = theirs.layers[-1]
    wrapper.pruning_step.assign(0)

    @tf.function
    def their_update():
        wrapper.pruning_obj.conditional_mask_update()

    their_update()
    seconds = interleaved(turns, ours=our_update, theirs=their_update)
    return model.layers[0].cell.recurrent_kernel.shape, seconds


def dataset(batches, length=20, features=16, batch=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, length, features)).astype("float32")
    y = rng.normal(size=(batch, 1)).astype("float32")
    return tf.data.Dataset.from_tensors((x, y)).repeat(batches)


def between_updates(units, batches, turns):
    """A train step with masks attached, against one without, pair by pair.

    Of one model, in turns: two models may differ by more than this, by where
    their weights lie in memory. In time, which threads that wait for each other
    make jump, and in the time of all processors.

    Returns:
        Two dicts of lists, with an entry for each turn: seconds of a step, and
        seconds of the processors.
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20, 16)), keras.layers.LSTM(units)])
    model.add(keras.layers.Dense(1))
    # Standing still: a model that has learnt its few batches by heart
    # computes with denormal numbers, slowly.
    model.compile(keras.optimizers.Adam(0.0), "mse")
    pruning = keras_moduli.MagnitudePruning(PolynomialDecay(0, 0.9, 0, 2))
    warm, data = dataset(4), dataset(batches)
    seconds, used = ({"ours": [], "without": []} for _ in range(2))
    for _ in range(turns):
        for name, callbacks in (("ours", [pruning]), ("without", [])):
            if name == "without":
                keras_moduli.remove_masks(model)
            # This compiles the step, and prunes.
            model.fit(warm, verbose=0, callbacks=callbacks)
            start, before = time.perf_counter(), time.process_time()
            model.fit(data, verbose=0, callbacks=callbacks)
            seconds[name].append((time.perf_counter() - start) / batches)
            used[name].append((time.process_time() - before) / batches)
    return seconds, used


def ratio(pairs):
    """How many times as long ours take: the median of all pairs, quartiles."""
    ratios = [
        ours / without
        for ours, without in zip(pairs["ours"], pairs["without"], strict=True)
    ]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} x ({low:.3f} to {high:.3f})"


def whole_fit(units, batches):
    """From the untrained model to the pruned one, tracing included."""
    schedule = PolynomialDecay(0.0, 0.9, 0, batches * 3 // 4, frequency=10)
    data = dataset(batches)

    def ours():
        model = keras.Sequential(
            [keras.Input((20, 16)), keras.layers.LSTM(units)]
        )
        model.add(keras.layers.Dense(1))
        model.compile("adam", "mse")
        pruning = keras_moduli.MagnitudePruning(schedule)
        model.fit(data, verbose=0, callbacks=[pruning])

    def theirs():
        model = tf_keras.Sequential(
            [tf_keras.layers.InputLayer((20, 16)), tf_keras.layers.LSTM(units)]
        )
        model.add(tf_keras.layers.Dense(1))
        model = tfmot.sparsity.keras.prune_low_magnitude(
            model, pruning_schedule=schedule
        )
        model.compile("adam", "mse")
        model.fit(
            data,
            verbose=0,
            callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
        )

    return interleaved(3, ours=ours, theirs=theirs)


def peak_memory(units, batches):
    """Peak memory of a fit with and without pruning, each in a process."""
    peaks = {}
    for name in ("without", "with"):
        output = subprocess.run(
            [sys.executable, __file__, "--peak", name, str(units)]
            + [str(batches)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        peaks[name] = int(output.split()[-1])
    return peaks


def peak(name, units, batches):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20, 16)), keras.layers.LSTM(units)])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    callbacks = []
    if name == "with":
        decay = PolynomialDecay(0.0, 0.9, 0, batches, frequency=1)
        callbacks = [keras_moduli.MagnitudePruning(decay)]
    model.fit(dataset(batches), verbose=0, callbacks=callbacks)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def print_updates(sizes):
    """Mask updates beside TF-MOT's, as lines of the table."""
    for units in sizes:
        shape, seconds = update(units, turns=5)
        ours, theirs = seconds["ours"] * 1e3, seconds["theirs"] * 1e3
        print(
            f"| one mask update, {np.prod(shape) / 1e6:.1f} M weights "
            f"| {ours:.1f} ms | TF-MOT {theirs:.0f} ms "
            f"| {theirs / ours:.0f} x faster |",
            flush=True,
        )


def print_steps(between, turns):
    """Steps between updates, of any backend, as lines of the table."""
    for units, batches in between.items():
        pairs = between_updates(units, batches, turns)
        for what, each in zip(("", ", of processors"), pairs, strict=True):
            ours, plain = (
                statistics.median(each[name]) * 1e3
                for name in ("ours", "without")
            )
            print(
                f"| train step between updates, LSTM({units}){what} "
                f"| {ours:.1f} ms | without pruning {plain:.1f} ms "
                f"| {ratio(each)} |",
                flush=True,
            )


def print_fits(units, batches, large):
    """A whole fit beside TF-MOT's, and its memory, as lines of the table."""
    seconds = whole_fit(units, batches)
    ours, theirs = seconds["ours"], seconds["theirs"]
    print(
        f"| whole fit, LSTM({units}), {batches} steps | {ours:.1f} s "
        f"| TF-MOT {theirs:.1f} s | {theirs / ours:.2f} x faster |",
        flush=True,
    )
    peaks = peak_memory(large, 4)
    added = peaks["with"] - peaks["without"]
    weights = large * large * 4 * 4
    print(
        f"| peak memory added to a fit, LSTM({large}) | {added / 1e6:.0f} MB "
        f"| pruned weights {weights / 1e6:.0f} MB "
        f"| {max(added, 0) / weights:.2f} x |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        name, units, batches = arguments.peak
        return peak(name, int(units), int(batches))
    quick = arguments.quick
    tensorflow = keras.backend.backend() == "tensorflow"
    print("| what | ours | compared with | ratio |\n|---|---|---|---|")
    if tensorflow:
        print_updates([512] if quick else [512, 2048])
    # Enough batches that what a `fit` does once does not count.
    between = {128: 30} if quick else {128: 300, 512: 100}
    print_steps(between, turns=3 if quick else 15)
    if tensorflow:
        print_fits(*((128, 20, 512) if quick else (512, 100, 2048)))


if __name__ == "__main__":
    main()
