"""Masks as a user's own: lottery tickets, files, custom loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot

import keras_moduli
from keras_moduli.models.kernels import kernels

KERNEL = "lstm/lstm_cell/recurrent_kernel"
X = np.random.default_rng(0).normal(size=(64, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


def lstm(seed=1, compiled=True):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.LSTM(8, name="lstm"),
            keras.layers.Dense(1, name="dense"),
        ]
    )
    if compiled:
        model.compile("sgd", "mse")
    return model


def masks(keep=0.25):
    alive = np.random.default_rng(0).random((8, 32)) < keep
    return {KERNEL: alive}


def read(model, path=KERNEL):
    return keras.ops.convert_to_numpy(kernels(model)[path])


def test_a_lottery_ticket(tmp_path):
    model = lstm()
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.8, 3, frequency=1)
    model.fit(
        X, Y, batch_size=8, verbose=0,
        callbacks=[keras_moduli.MagnitudePruning(schedule)],
    )  # fmt: skip
    keras_moduli.save_masks(tmp_path / "masks.npz", model)
    ticket = keras_moduli.load_masks(tmp_path / "masks.npz")
    np.testing.assert_array_equal(ticket[KERNEL], read(model) != 0)
    assert list(ticket) == [KERNEL]

    fresh = keras.models.clone_model(model)
    assert (read(fresh) != 0).all()
    fresh.compile("sgd", "mse")
    keras_moduli.apply_masks(fresh, ticket)
    before = read(fresh)
    fresh.fit(X, Y, batch_size=8, verbose=0)
    after = read(fresh)
    np.testing.assert_array_equal(after != 0, ticket[KERNEL])
    assert (after != before)[ticket[KERNEL]].all()


def test_masks_applied_between_two_fits():
    """The compiled step of the first fit must not outlive it."""
    model = lstm()
    model.fit(X, Y, batch_size=8, verbose=0)
    keras_moduli.apply_masks(model, masks())
    model.fit(X, Y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(read(model) != 0, masks()[KERNEL])


def test_masks_of_a_loaded_model(tmp_path):
    model = lstm()
    keras_moduli.apply_masks(model, masks())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = keras_moduli.masks_of(loaded)
    assert list(found) == [KERNEL]
    np.testing.assert_array_equal(found[KERNEL], masks()[KERNEL])


def test_masks_of_a_dense_model_are_none():
    assert keras_moduli.masks_of(lstm()) == {}


@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"gru/kernel": np.ones((8, 32), bool)}, "Received: 'gru/kernel'"),
        ({KERNEL: np.ones((8, 8), bool)}, r"shape \(8, 32\).*\(8, 8\)"),
        ({KERNEL: np.ones((8, 32))}, "Received: .*dtype float64"),
        ({**masks(), "dense/kernel": np.ones(8, bool)}, "dense/kernel"),
    ],
)
def test_masks_that_do_not_fit_change_nothing(wrong, message):
    model = lstm()
    with pytest.raises(ValueError, match=message):
        keras_moduli.apply_masks(model, wrong)
    assert (read(model) != 0).all()
    assert kernels(model)[KERNEL].constraint is None


def test_a_file_that_is_no_npz(tmp_path):
    with pytest.raises(ValueError, match="must end in '.npz'"):
        keras_moduli.save_masks(tmp_path / "masks.npy", masks())
    with pytest.raises(FileNotFoundError):
        keras_moduli.load_masks(tmp_path / "none.npz")


def ramp():
    return tfmot.sparsity.keras.PolynomialDecay(0.0, 0.75, 2, 6, frequency=3)


def test_train_on_batch():
    model = lstm()
    pruning = keras_moduli.MagnitudePruning(ramp())
    pruning.set_model(model)
    history = []
    for i in range(8):
        model.train_on_batch(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8])
        pruning.step()
        history.append(int((read(model) == 0).sum()))
    # Like `fit` with the same batches.
    twin, counts = lstm(), []
    twin.fit(
        X, Y, batch_size=8, shuffle=False, verbose=0,
        callbacks=[
            keras_moduli.MagnitudePruning(ramp()),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: counts.append(
                    int((read(twin) == 0).sum())
                )
            ),
        ],
    )  # fmt: skip
    assert history == counts
    assert history[5:] == [192] * 3
    np.testing.assert_array_equal(read(model), read(twin))


def test_a_loop_with_a_gradient_tape():
    model = lstm(compiled=False)
    optimizer = keras.optimizers.SGD(0.1)
    pruning = keras_moduli.MagnitudePruning(ramp())
    pruning.set_model(model)

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    for i in range(8):
        train(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8])
        pruning.step()
    assert (read(model) == 0).sum() == 192
