"""Precision, compilation and memory."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.utils import pairwise


def model_of(units, dtype, **arguments):
    model = keras.Sequential(
        [
            keras.Input((3, 2)),
            keras.layers.LSTM(
                units,
                recurrent_regularizer=ModuliRegularizer(seed=1, **arguments),
                dtype=dtype,
            ),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile("sgd", "mse", jit_compile=False)
    return model


def data():
    x = np.random.default_rng(0).standard_normal((8, 3, 2)).astype("float32")
    return x, x[:, :1, 0]


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("trainable", [False, True])
def test_mixed_precision(dtype, trainable):
    model = model_of(16, dtype, trainable=trainable)
    history = model.fit(*data(), epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
    (loss,) = model.losses
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert 0 < float(loss) < 10


def test_half_precision_weights_of_a_large_kernel():
    kernel = np.full((1024, 4096), 2.0, "float16")
    constant = ModuliRegularizer(inhibitor="diffusion", seed=1, factor=1.0)
    # The sum of the products is far beyond float16.
    value = float(constant(kernel))
    mean = float(np.mean(keras.ops.convert_to_numpy(constant.penalty(1024))))
    np.testing.assert_allclose(value, 2.0 * mean, rtol=1e-4)


def test_float64_weights_stay_float64():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 unless told otherwise")
    kernel = np.random.default_rng(0).standard_normal((16, 16))
    regularizer = ModuliRegularizer(seed=1)
    penalty = keras.ops.convert_to_numpy(regularizer.penalty(16))
    np.testing.assert_allclose(
        float(regularizer(kernel)),
        0.1 * np.mean(np.abs(kernel) * penalty.astype("float64")),
        rtol=1e-14,
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a graph is TensorFlow's"
)
def test_the_matrix_is_no_constant_of_a_graph():
    import tensorflow as tf

    units = 128
    regularizer = ModuliRegularizer(seed=1)
    weights = tf.Variable(tf.ones((units, 4 * units)))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = regularizer(weights)
        return value, tape.gradient(value, weights)

    graph = step.get_concrete_function().graph
    assert len(graph.as_graph_def().SerializeToString()) < 4 * units**2
    # It is captured, and it is the one that others get.
    held = [c for c, _ in graph.captures if c.shape == (units, units)]
    assert len(held) == 1
    assert regularizer.penalty(units) is held[0]
    np.testing.assert_allclose(
        step()[0].numpy(), step.python_function()[0].numpy(), rtol=1e-6
    )


def test_first_call_inside_a_compiled_function():
    """The matrix made while tracing serves all that comes after."""
    regularizer = ModuliRegularizer(seed=1)
    kernel = np.ones((8, 8), "float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(regularizer.__call__, jit_compile=True)
    elif keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(regularizer.__call__)
    else:
        pytest.skip("nothing is traced")
    inside = float(compiled(keras.ops.convert_to_tensor(kernel)))
    np.testing.assert_allclose(inside, float(regularizer(kernel)), rtol=1e-6)
    fresh = ModuliRegularizer(seed=1)
    np.testing.assert_allclose(inside, float(fresh(kernel)), rtol=1e-6)


def test_large_matrices_are_made_of_blocks(monkeypatch):

    whole = keras.ops.convert_to_numpy(
        ModuliRegularizer("klein_bottle", seed=1).penalty(200)
    )
    monkeypatch.setattr(pairwise, "_BLOCK", 1000)
    blocks = keras.ops.convert_to_numpy(
        ModuliRegularizer("klein_bottle", seed=1).penalty(200)
    )
    np.testing.assert_array_equal(blocks, whole)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_a_large_matrix():
    """Building it takes less than twice the matrix."""
    script = """
    import threading, time
    from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

    def used():
        return int(open("/proc/self/statm").read().split()[1]) * 4096

    regularizer = ModuliRegularizer("klein_bottle", seed=1)
    regularizer.penalty(256)
    before, most, done = used(), 0, False

    def watch():
        global most
        while not done:
            most = max(most, used())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    regularizer.penalty(8192)
    done = True
    watcher.join()
    print((most - before) / (4 * 8192**2))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1.0 < float(done.stdout.split()[-1]) < 2.0
