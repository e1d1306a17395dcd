"""Models that their first batch builds: no `Input`, or subclassed."""

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

import keras_moduli
from keras_moduli.models.kernels import kernels

layers = keras.layers
STEPS = 24
X = np.random.default_rng(0).normal(size=(STEPS * 4, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]
SIZE = 8 * 32


class Subclassed(keras.Model):
    def __init__(self, **arguments):
        super().__init__()
        self.lstm = layers.LSTM(8, name="lstm", **arguments)
        self.dense = layers.Dense(1, name="dense")

    def call(self, x):
        return self.dense(self.lstm(x))


def sequential(**arguments):
    return keras.Sequential(
        [
            layers.LSTM(8, name="lstm", **arguments),
            layers.Dense(1, name="dense"),
        ]
    )


MODELS = {"sequential": sequential, "subclassed": Subclassed}


def schedule(begin=0, end=20, frequency=5):
    return tfmot.sparsity.keras.PolynomialDecay(
        0.0, 0.8, begin_step=begin, end_step=end, frequency=frequency
    )


def fit(model, *callbacks, epochs=1, **arguments):
    return model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0, shuffle=False,
        callbacks=callbacks, **arguments,
    )  # fmt: skip


def compiled(model, optimizer="sgd", **arguments):
    # Without XLA, which would take most of the time.
    model.compile(optimizer, "mse", jit_compile=False, **arguments)
    return model


def recurrent(model):
    return kernels(model)["lstm/lstm_cell/recurrent_kernel"]


class Probe(keras.callbacks.Callback):
    """Records how many weights are zero after every batch."""

    def __init__(self):
        super().__init__()
        self.history = []

    def on_train_batch_end(self, batch, logs=None):
        values = keras.ops.convert_to_numpy(recurrent(self.model))
        self.history.append(int(np.sum(values == 0)))


def asked(step, decay):
    """How many weights TF-MOT's schedule wants to be zero after a step."""
    past = [s for s in range(step + 1) if bool(decay(s)[0])]
    target = float(decay(past[-1])[1]) if past else 0.0
    return SIZE - round(SIZE * (1 - target))


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_exactly_sparse_from_the_first_batch_on(name, eager):
    keras.utils.set_random_seed(1)
    model = compiled(MODELS[name](), run_eagerly=eager)
    held, pruned = Probe(), Probe()
    pruning = keras_moduli.MagnitudePruning(schedule())
    fit(model, held, pruning, pruned)
    expected = [asked(step, schedule()) for step in range(1, STEPS + 1)]
    assert pruned.history == expected
    # `held` looks before the callback acts: the compiled step kept them zero.
    assert held.history == [0, *expected[:-1]]
    assert pruning.sparsity == expected[-1] / SIZE


@pytest.mark.parametrize("name", MODELS)
def test_as_if_it_had_been_built(name):
    """Nothing to prune in the first batch: to the bit the same training."""
    weights = []
    for build in (False, True):
        keras.utils.set_random_seed(1)
        model = MODELS[name]()
        if build:
            model(X[:4])
        compiled(model)
        fit(model, keras_moduli.MagnitudePruning(schedule(begin=2)))
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pruned_at_once_after_the_first_batch():
    model = compiled(sequential())
    probe = Probe()
    constant = tfmot.sparsity.keras.ConstantSparsity(0.5, begin_step=0)
    fit(model, keras_moduli.MagnitudePruning(constant), probe)
    assert probe.history == [SIZE // 2] * STEPS


COMPILE = {
    "several steps": dict(optimizer="adam", steps_per_execution=3),
    "averaging": dict(
        optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    ),
    "accumulation": dict(
        optimizer=keras.optimizers.Adam(gradient_accumulation_steps=2)
    ),
}


@pytest.mark.parametrize("setting", COMPILE)
def test_training_settings(setting):
    model = compiled(sequential(), **COMPILE[setting])
    pruning = keras_moduli.MagnitudePruning(final_sparsity=0.75, end=0.6)
    fit(model, pruning, epochs=2)
    assert pruning.sparsity == 0.75
    values = keras.ops.convert_to_numpy(recurrent(model))
    assert np.mean(values == 0) == 0.75


def test_a_later_fit_goes_on():
    model = compiled(sequential())
    pruning = keras_moduli.MagnitudePruning(
        schedule(end=40), allow_partial=True
    )
    fit(model, pruning)
    assert pruning.sparsity == asked(STEPS, schedule(end=40)) / SIZE
    probe = Probe()
    fit(model, pruning, probe, epochs=2, initial_epoch=1)
    assert probe.history == [
        asked(step, schedule(end=40))
        for step in range(STEPS + 1, 2 * STEPS + 1)
    ]


def test_initial_step_counts_from_the_first_batch():
    model = compiled(sequential())
    probe = Probe()
    pruning = keras_moduli.MagnitudePruning(
        schedule(begin=10, end=20), initial_step=8
    )
    fit(model, pruning, probe)
    assert probe.history[:3] == [0, 0, asked(11, schedule(begin=10, end=20))]
    assert probe.history[11] == asked(20, schedule(begin=10, end=20))


def test_new_weights_at_a_later_epoch_are_refused():
    model = compiled(sequential())
    pruning = keras_moduli.MagnitudePruning(schedule())
    with pytest.raises(ValueError, match="does not fit the schedule"):
        fit(model, pruning, epochs=3, initial_epoch=2)


def test_errors_come_with_the_first_batch():
    model = compiled(sequential())
    with pytest.raises(ValueError, match="this `fit` ends at step 24"):
        fit(model, keras_moduli.MagnitudePruning(schedule(end=50)))
    model = compiled(sequential())
    with pytest.raises(ValueError, match="selects nothing"):
        fit(model, keras_moduli.MagnitudePruning(schedule(), weights="none"))


def test_a_fit_without_a_batch_does_nothing():
    model = compiled(sequential())
    fit(model, keras_moduli.MagnitudePruning(schedule()), epochs=0)
    assert not model.built


def test_a_callback_of_another_model_is_refused():
    built, fresh = compiled(sequential()), compiled(sequential())
    pruning = keras_moduli.MagnitudePruning(schedule())
    fit(built, pruning)
    with pytest.raises(ValueError, match="belongs to one model"):
        fit(fresh, pruning)


@pytest.mark.parametrize(
    "name, trainable",
    [
        ("sequential", True),
        ("subclassed", False),
        pytest.param("sequential", False, marks=pytest.mark.slow),
        pytest.param("subclassed", True, marks=pytest.mark.slow),
    ],
)
def test_with_the_penalty(name, trainable):
    """The regularizer acts from the first batch, as on a built model."""
    histories = []
    for build in (False, True):
        keras.utils.set_random_seed(1)
        model = MODELS[name](
            recurrent_regularizer=keras_moduli.ModuliRegularizer(
                factor=0.1, seed=3, trainable=trainable
            )
        )
        if build:
            model(X[:4])
        compiled(model)
        pruning = keras_moduli.MagnitudePruning(
            schedule(begin=2), by_penalty=True
        )
        histories.append(fit(model, pruning).history)
    assert histories[0] == histories[1]
    assert histories[0]["sparsity"] == [(SIZE - round(SIZE * 0.2)) / SIZE]
