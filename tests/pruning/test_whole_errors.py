"""What cannot work is refused before the first step, with the numbers."""

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras

import keras_moduli
from keras_moduli import PruningGroup
from keras_moduli import patterns

X = np.random.default_rng(0).normal(size=(40, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


def schedule(final=0.8, end=8):
    return tfmot.sparsity.keras.PolynomialDecay(0.0, final, 0, end)


def lstm(units=8, **arguments):
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.LSTM(units, name="lstm", **arguments),
            keras.layers.Dense(1, name="dense"),
        ]
    )
    model.compile("sgd", "mse")
    return model


def fit(model, *callbacks, epochs=1, **arguments):
    """Ten batches an epoch."""
    return model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks,
        **arguments,
    )  # fmt: skip


def refused(model, *callbacks, message, error=ValueError, **arguments):
    """The fit must fail before any weight has changed."""
    before = [keras.ops.convert_to_numpy(v) for v in model.weights]
    with pytest.raises(error, match=message):
        fit(model, *callbacks, **arguments)
    for variable, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), old)


def test_a_schedule_that_the_fit_cannot_meet():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule(end=25)),
        epochs=2,
        message=r"80.0%, at step 25, but this `fit` ends "
        r"at step 20 \(20 steps from step 0\)",
    )
    pruning = keras_moduli.MagnitudePruning(
        schedule(end=25), allow_partial=True
    )
    model = lstm()
    fit(model, pruning)
    fit(model, pruning)
    fit(model, pruning)
    assert pruning.sparsity == pytest.approx(0.8, abs=0.5 / 256)


def test_a_fit_that_stops_early_says_so():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    with pytest.warns(UserWarning, match="ended at step 10, before .* step 15"):
        fit(
            lstm(),
            keras_moduli.MagnitudePruning(schedule(end=15)),
            Stop(),
            epochs=2,
        )


def test_nothing_to_prune():
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1, name="dense"))
    model.compile("sgd", "mse")
    refused(
        model,
        keras_moduli.MagnitudePruning(schedule()),
        message=r"\['dense/kernel'\]. Received: weights='recurrent'",
    )


def test_an_expression_that_matches_nothing():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule(), "gru"),
        message=r"'lstm/lstm_cell/recurrent_kernel'.*Received: weights='gru'",
    )


def test_blocks_that_do_not_divide():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule(), block_size=(16, 1)),
        message=r"'lstm/lstm_cell/recurrent_kernel' has 8 sources, which "
        r"\[1, 2, 4, 8\] divide",
    )


def test_n_of_m_with_another_sparsity():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(
            schedule(0.9), pattern=patterns.NOfM(2, 4)
        ),
        message="ends at sparsity 0.5",
    )


def test_groups_that_overlap():
    groups = [PruningGroup(schedule()), PruningGroup(schedule(), "kernels")]
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(groups=groups),
        message="two groups with 'lstm/lstm_cell/recurrent_kernel'",
    )


def test_a_gate_that_is_not_there():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule(), gates=(4,)),
        message=r"below 4.*Received: gates=\(4,\)",
    )


def test_a_penalty_that_is_not_there():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule(), by_penalty=True),
        message="needs recurrent weights with a ModuliRegularizer",
    )


def test_one_callback_on_two_models():
    pruning = keras_moduli.MagnitudePruning(schedule())
    fit(lstm(), pruning)
    refused(lstm(), pruning, message="belongs to one model")


def test_one_callback_listed_twice():
    pruning = keras_moduli.MagnitudePruning(schedule())
    refused(lstm(), pruning, pruning, message="listed once")


def test_two_callbacks_on_the_same_weights():
    refused(
        lstm(),
        keras_moduli.MagnitudePruning(schedule()),
        keras_moduli.MagnitudePruning(schedule(), "kernels"),
        message="pruned by two callbacks",
    )


def test_two_callbacks_on_different_weights():
    model = lstm()
    fit(
        model,
        keras_moduli.MagnitudePruning(schedule()),
        keras_moduli.MagnitudePruning(schedule(0.5), "dense"),
    )
    found = keras_moduli.sparsity(model)
    assert found["lstm/lstm_cell/recurrent_kernel"] == pytest.approx(
        0.8, abs=0.01
    )
    assert found["dense/kernel"] == 0.5


def test_another_callback_in_a_later_fit():
    model = lstm()
    fit(model, keras_moduli.MagnitudePruning(schedule(0.5)))
    later = tfmot.sparsity.keras.PolynomialDecay(0.5, 0.75, 0, 5)
    fit(model, keras_moduli.MagnitudePruning(later))
    found = keras_moduli.sparsity(model)
    assert found["lstm/lstm_cell/recurrent_kernel"] == 0.75


def test_a_tf_keras_model():
    model = tf_keras.Sequential(
        [tf_keras.layers.LSTM(8), tf_keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="prune_low_magnitude.*tf_keras"):
        model.fit(
            X, Y, verbose=0,
            callbacks=[keras_moduli.MagnitudePruning(schedule())],
        )  # fmt: skip


def test_a_model_that_keras_has_quantized():
    model = lstm()
    model.quantize("int8")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="pruned before it is quantized"):
        fit(model, keras_moduli.MagnitudePruning(final_sparsity=0.5))


def test_a_model_that_diverged():
    model = lstm()
    pruning = keras_moduli.MagnitudePruning(schedule())
    model.get_layer("lstm").cell.recurrent_kernel.assign(
        np.full((8, 32), np.nan)
    )
    with pytest.raises(ValueError, match="recurrent_kernel' has NaN"):
        fit(model, pruning)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(), "Give either `schedule` or `final_sparsity`"),
        (dict(schedule=schedule(), final_sparsity=0.9), "Give either"),
        (
            dict(final_sparsity=1.0),
            r"in \[0, 1\), such as 0.9 for 90 %. Received: final_sparsity=1",
        ),
        (dict(final_sparsity=-0.1), r"in \[0, 1\)"),
        (dict(final_sparsity=0.9, begin=0.7, end=0.2), "begin=0.7, end=0.2"),
        (dict(schedule=schedule(), ranking="best"), "'erk', 'global', 'local'"),
        (dict(schedule=schedule(), score="sum"), "Received: score='sum'"),
        (dict(schedule=schedule(), gates=()), "Received: gates="),
        (
            dict(
                schedule=schedule(),
                block_size=(4, 1),
                pattern=patterns.Tiles(4),
            ),
            "either `pattern` or `block_size`",
        ),
        (dict(schedule=schedule(), initial_step=-1), "initial_step=-1"),
        (
            dict(schedule=schedule(), groups=[PruningGroup(schedule())]),
            "Give either `groups` or a schedule",
        ),
        (dict(schedule=lambda step: (True, 1.5), block_size=(0, 1)), "block"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_moduli.MagnitudePruning(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(schedule=0.9),
        dict(schedule=schedule(), pattern="blocks"),
        dict(groups=[]),
        dict(groups=[schedule()]),
    ],
)
def test_arguments_of_the_wrong_type(arguments):
    with pytest.raises(TypeError, match="Received: "):
        keras_moduli.MagnitudePruning(**arguments)


def test_a_ramp_without_a_known_end():
    pruning = keras_moduli.MagnitudePruning(final_sparsity=0.9)
    pruning.set_model(lstm())
    with pytest.raises(ValueError, match="number of steps is known"):
        pruning.step()


def test_a_step_without_a_model():
    with pytest.raises(ValueError, match="set_model"):
        keras_moduli.MagnitudePruning(schedule()).step()
