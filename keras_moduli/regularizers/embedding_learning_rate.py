"""A learning rate of their own for trained embeddings."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.models.kernels import EMBEDDING_NAME
from keras_moduli.models.kernels import has_weights
from keras_moduli.utils.argument_validation import not_negative


class EmbeddingLearningRate(keras.callbacks.Callback):
    """Slows down and then stops the points of trainable regularizers.

    In epoch e the points move `decay^e` times as far as the optimizer moves
    them, and not at all in the last `frozen_epochs` epochs. Scaling their
    gradient instead would change little under optimizers that normalise it,
    such as Adam.

    It acts at the end of every batch (of every `steps_per_execution` batches)
    in which the factor is not 1: the points are set back by the rest of the
    way.

    Args:
        decay: Factor per epoch, in `[0, 1]`. Defaults to `0.99`.
        frozen_epochs: Number of epochs at the end of training in which the
            points rest. Defaults to `0`.

    Example:

    ```python
    regularizer = keras_moduli.ModuliRegularizer("torus", trainable=True)
    recurrent = keras.layers.LSTM(8, recurrent_regularizer=regularizer)
    model = keras.Sequential([keras.Input((None, 4)), recurrent])
    model.compile("adam", "mse")
    rate = keras_moduli.EmbeddingLearningRate(0.99, frozen_epochs=1)
    model.fit(np.ones((8, 5, 4)), np.ones((8, 8)), epochs=3, callbacks=[rate])
    ```
    """

    def __init__(self, decay: float = 0.99, frozen_epochs: int = 0) -> None:
        super().__init__()
        self.decay = not_negative("decay", decay)
        if self.decay > 1:
            raise ValueError(
                f"`decay` must be at most 1. Received: decay={decay!r}"
            )
        self.frozen_epochs = int(not_negative("frozen_epochs", frozen_epochs))
        self._checked = False
        self._rate = 1.0
        self._before: list[np.ndarray] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._checked = False
        if has_weights(self.model):
            # The points are made with the first loss.
            _ = self.model.losses
            self._check()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        resting = epoch >= self.params["epochs"] - self.frozen_epochs
        self._rate = 0.0 if resting else self.decay**epoch
        if self._rate != 1.0:
            self._check()

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self._rate != 1.0:
            # On the JAX backend, asking for `self.model` brings its variables
            # up to date.
            self._before = [
                np.copy(ops.convert_to_numpy(v))
                for v in trained_points(self.model)
            ]

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if not self._checked:  # the model was built by this batch
            self._check()
        if self._rate == 1.0:
            return
        for variable, before in zip(
            trained_points(self.model), self._before, strict=True
        ):
            space = variable.constraint.space
            after = space.nearest(before, ops.convert_to_numpy(variable))
            moved = before + self._rate * (ops.convert_to_numpy(after) - before)
            variable.assign(space.project(moved) if self._rate else before)

    def _check(self):
        if not trained_points(self.model):
            raise ValueError(
                "EmbeddingLearningRate needs a model with a trainable "
                "ModuliRegularizer, built if the points are to be slowed down "
                f"in its first epoch. Received: model '{self.model.name}', "
                "which has none"
            )
        self._checked = True


def trained_points(model):
    """The variables that hold the points of a model's trainable regularizers.

    They are made with the model's first loss.
    """
    return [
        v
        for v in model.trainable_variables
        if v.path.rsplit("/", 1)[-1] == EMBEDDING_NAME
    ]
