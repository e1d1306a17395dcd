"""Stopping and best epochs count from the end of the schedule."""

import keras
import numpy as np
import pytest

import keras_moduli

BATCHES = 6
EPOCHS = 8
X = np.random.default_rng(0).normal(size=(BATCHES * 4, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]
END = 3  # the epoch, from 0, at whose end the schedule ends


def compiled(given_input=True):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            *([keras.Input((5, 3))] if given_input else []),
            keras.layers.SimpleRNN(10, name="rnn"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", jit_compile=False)
    return model


def prune(**arguments):
    return keras_moduli.MagnitudePruning(
        final_sparsity=0.8, begin=0.1, end=(END + 1) / EPOCHS, **arguments
    )


class Score(keras.callbacks.Callback):
    """Logs given scores, and remembers the weights of every epoch."""

    def __init__(self, scores, fail_at=None):
        super().__init__()
        self.scores, self.fail_at, self.weights = scores, fail_at, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.fail_at:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.scores[epoch]
        self.weights.append(self.model.get_weights())


def fit(model, *callbacks):
    return model.fit(
        X, Y, batch_size=4, epochs=EPOCHS, verbose=0, shuffle=False,
        callbacks=callbacks,
    )  # fmt: skip


def zeros(model):
    kernel = model.get_layer("rnn").cell.recurrent_kernel
    return float(np.mean(keras.ops.convert_to_numpy(kernel) == 0))


def assert_weights(model, wanted):
    for one, other in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


# Best while dense; of the sparse epochs the sixth is.
SCORES = [0, 1, 2, 7, 6, 3, 4, 5]
BEST = 5


@pytest.mark.parametrize("given_input", [True, False])
def test_patience_counts_from_the_end(given_input):
    model = compiled(given_input)
    pruning = prune()
    stop = keras.callbacks.EarlyStopping("score", mode="min", patience=1)
    history = fit(
        model,
        pruning,
        Score(range(EPOCHS)),
        keras_moduli.OncePruned(pruning, [stop]),
    )
    assert history.epoch == list(range(END + 2))
    assert zeros(model) == 0.8


def test_without_it_a_stopped_training_is_told_the_remedy():
    model = compiled()
    stop = keras.callbacks.EarlyStopping("score", mode="min", patience=1)
    with pytest.warns(UserWarning, match="belongs inside .*OncePruned"):
        fit(model, prune(), Score(range(EPOCHS)), stop)
    assert zeros(model) < 0.8


@pytest.mark.parametrize("patience", [2, 20])
def test_the_best_weights_restored_are_sparse(patience):
    model = compiled()
    pruning, score = prune(), Score(SCORES)
    stop = keras.callbacks.EarlyStopping(
        "score", mode="min", patience=patience, restore_best_weights=True
    )
    fit(model, pruning, score, keras_moduli.OncePruned(pruning, [stop]))
    assert stop.best_epoch == BEST
    assert_weights(model, score.weights[BEST])
    assert zeros(model) == 0.8


def test_start_from_epoch_does_the_same_where_epochs_are_known():
    model = compiled()
    score = Score(SCORES)
    stop = keras.callbacks.EarlyStopping(
        "score", mode="min", patience=2, restore_best_weights=True,
        start_from_epoch=END,
    )  # fmt: skip
    fit(model, prune(), score, stop)
    assert_weights(model, score.weights[BEST])


def test_the_best_file_is_sparse(tmp_path):
    model = compiled()
    pruning, score = prune(), Score(SCORES)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.keras", "score", mode="min", save_best_only=True
    )
    fit(model, pruning, score, keras_moduli.OncePruned(pruning, [best]))
    # Epochs count from 1 in names of files.
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["4.keras", "5.keras", "6.keras"]
    loaded = keras.models.load_model(tmp_path / f"{BEST + 1}.keras")
    assert_weights(loaded, score.weights[BEST])
    assert zeros(loaded) == 0.8


def test_files_by_batches_begin_at_the_end_too(tmp_path):
    model = compiled()
    pruning = prune()
    often = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{batch}.keras", save_freq=BATCHES // 2
    )
    fit(model, pruning, keras_moduli.OncePruned(pruning, [often]))
    for file in tmp_path.iterdir():
        assert zeros(keras.models.load_model(file)) == 0.8
    # The batch that ends the schedule is the first.
    assert len(list(tmp_path.iterdir())) == 1 + 2 * (EPOCHS - END - 1)


@pytest.mark.slow
@pytest.mark.parametrize("fail_at", [2, END + 1, BEST + 1])
def test_a_training_that_is_taken_up_again(fail_at, tmp_path):
    model, whole = compiled(), compiled()
    reference = Score(SCORES)
    fit(whole, prune(), reference)

    def attempt(model, fail_at=None):
        pruning, score = prune(), Score(SCORES, fail_at)
        stop = keras.callbacks.EarlyStopping(
            "score", mode="min", patience=9, restore_best_weights=True
        )
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        once = keras_moduli.OncePruned(pruning, [stop])
        fit(model, pruning, score, once, backup)
        return stop.best_epoch

    with pytest.raises(KeyboardInterrupt):
        attempt(model, fail_at)
    again = compiled()
    best = attempt(again)
    # What went before the interruption is not remembered.
    assert best == max(BEST, fail_at)
    assert_weights(again, reference.weights[best])
    assert zeros(again) == 0.8


def test_what_it_refuses():
    pruning, other = prune(), prune()
    stop = keras.callbacks.EarlyStopping("loss")
    with pytest.raises(TypeError, match="`pruning` must be"):
        keras_moduli.OncePruned(stop, [pruning])
    with pytest.raises(TypeError, match="`callbacks` must be"):
        keras_moduli.OncePruned(pruning, stop)
    with pytest.raises(ValueError, match="same `fit`"):
        fit(compiled(), pruning, keras_moduli.OncePruned(other, [stop]))
