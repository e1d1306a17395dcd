"""`OncePruned`: callbacks that judge a model only when it is sparse."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_moduli.pruning.magnitude_pruning import MagnitudePruning


class OncePruned(keras.callbacks.Callback):
    """Shows callbacks only what comes at the end of the pruning schedule.

    While the sparsity still rises, a model is better than it will be, and no
    epoch of that time should count as the best one. `EarlyStopping`,
    `ModelCheckpoint(save_best_only=True)` or `ReduceLROnPlateau` in here see
    the beginnings of all epochs and batches, but only those ends at which all
    schedules have reached their final sparsity: patience and best values
    count from there, in steps, however long the epochs are.

    `BackupAndRestore` has to see every epoch: list it beside this callback.
    It brings back the weights and the schedule's step, but not what these
    callbacks remember: they count anew from the epoch at which training goes
    on.

    Args:
        pruning: The `MagnitudePruning` of the same `fit`, listed before.
            Schedules that are callables tell no end: all ends count.
        callbacks: List of `keras.callbacks.Callback`s.

    Raises:
        ValueError: At the beginning of `fit`, if `pruning` is not in it.

    Example:

    ```python
    pruning = keras_moduli.MagnitudePruning(final_sparsity=0.9)
    judges = keras_moduli.OncePruned(
        pruning,
        [
            keras.callbacks.EarlyStopping(
                "loss", patience=3, restore_best_weights=True
            ),
            keras.callbacks.ModelCheckpoint(
                "best.keras", "loss", save_best_only=True
            ),
        ],
    )
    model.fit(x, y, epochs=10, callbacks=[pruning, judges])
    ```
    """

    def __init__(
        self,
        pruning: MagnitudePruning,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        super().__init__()
        if not isinstance(pruning, MagnitudePruning):
            raise TypeError(
                "`pruning` must be the keras_moduli.MagnitudePruning of the "
                f"same `fit`. Received: pruning={pruning!r}"
            )
        if not isinstance(callbacks, (list, tuple)) or not all(
            isinstance(one, keras.callbacks.Callback) for one in callbacks
        ):
            raise TypeError(
                "`callbacks` must be a list of keras.callbacks.Callback. "
                f"Received: callbacks={callbacks!r}"
            )
        self.pruning = pruning
        self.callbacks = keras.callbacks.CallbackList(list(callbacks))

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self.callbacks.set_params(params)

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self.callbacks.set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.pruning.model is not self.model:
            raise ValueError(
                "`pruning` must be among the `callbacks` of the same `fit`. "
                "Received: one that is not, or of another model"
            )
        self.callbacks.on_train_begin(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.callbacks.on_train_end(logs)

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.callbacks.on_epoch_begin(epoch, logs)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self.pruning.finished:
            self.callbacks.on_epoch_end(epoch, logs)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.callbacks.on_train_batch_begin(batch, logs)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self.pruning.finished:
            self.callbacks.on_train_batch_end(batch, logs)
