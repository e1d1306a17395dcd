"""How language models are trained: as is usual today, or as in the paper."""

import dataclasses
import math
from collections.abc import Callable

import keras


def _cosine_adam(learning_rate, steps):
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate, steps, alpha=0.1
    )
    return keras.optimizers.Adam(schedule, clipnorm=1.0)


def _clipped_sgd(learning_rate, steps):
    del steps  # a `Plateau` lowers the learning rate
    return keras.optimizers.SGD(learning_rate, global_clipnorm=0.25)


def _keras_initializers(units):
    del units
    return {"embedding": {}, "rnn": {}, "decoder": {}}


def _paper_initializers(units):
    """PyTorch's, which the paper's runs had."""

    def uniform(bound):
        return keras.initializers.RandomUniform(-bound, bound)

    return {
        "embedding": {"embeddings_initializer": uniform(0.1)},
        "rnn": {
            name: uniform(units**-0.5)
            for name in (
                "kernel_initializer",
                "recurrent_initializer",
                "bias_initializer",
            )
        },
        "decoder": {"kernel_initializer": uniform(0.1)},
    }


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One way to train.

    Attributes:
        learning_rate: The one it was made for.
        optimizer: From a learning rate and a number of steps to an optimizer.
        initializers: From a number of units to arguments of the layers.
        carried: Whether the text runs in parallel streams, and the state is
            carried from batch to batch (truncated back-propagation through
            time); else batches are random pieces of the text.
        patient: Whether the learning rate waits for the validation to stall.
    """

    learning_rate: float
    optimizer: Callable[[float, int], keras.optimizers.Optimizer]
    initializers: Callable[[int], dict]
    carried: bool
    patient: bool


RECIPES = {
    "adam": Recipe(1e-2, _cosine_adam, _keras_initializers, False, False),
    "sgd": Recipe(20.0, _clipped_sgd, _paper_initializers, True, True),
}


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """Divides the learning rate by 4 after every epoch without a new best.

    Args:
        metric: The metric that counts, lower being better.
        curves: The logs of the epochs before, if a training goes on.
    """

    def __init__(self, metric, curves=()):
        monitor = f"val_{metric}"
        super().__init__(
            monitor, factor=0.25, patience=1, mode="min", min_delta=0.0
        )
        self._before = min((e[monitor] for e in curves), default=math.inf)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.best = self._before


class FreshState(keras.callbacks.Callback):
    """Sets the state of stateful layers to zero where a text begins.

    That is before every epoch and every evaluation; so a training that goes
    on after an epoch does not need the state that it broke off with.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self._reset()

    def on_test_begin(self, logs=None):
        self._reset()

    def _reset(self):
        for layer in self.model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()
