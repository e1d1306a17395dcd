"""`MagnitudePruning`: the callback that prunes while a model trains."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_moduli.models.kernels import has_weights
from keras_moduli.models.optimizers import inner_optimizer
from keras_moduli.patterns import Pattern
from keras_moduli.pruning import resuming
from keras_moduli.pruning.group import PruningGroup
from keras_moduli.pruning.group import check_groups
from keras_moduli.pruning.pruner import Pruner


class MagnitudePruning(keras.callbacks.Callback):
    """Prunes the weights of least magnitude, on a schedule, during `fit`.

    Pruned weights are exactly zero after every optimizer step, and after `fit`
    until `keras_moduli.remove_masks(model)`. The guide, "Pruning recipes",
    says when it acts, and how to stop early, go on later and write loops.

    Args:
        schedule: A TF-MOT pruning schedule, its `get_config()`, or a callable
            `step -> (should_prune, sparsity)`.
        weights: `"recurrent"`, `"kernels"` (neither means those of sparse
            layers), a regular expression on weight paths, or a callable
            `(path, variable) -> bool`.
        ranking: `"global"`, `"local"` or `"erk"`; see `PruningGroup`, also
            for the following arguments.
        pattern: A `keras_moduli.patterns.Pattern`.
        block_size: `(sources, targets)`, short for a pattern of blocks.
        gates: Tuple of gate numbers to prune.
        score: `"mean"` or `"max"` of the magnitudes in a block or tile.
        by_penalty: Whether the moduli penalty lowers the rank of a weight.
        final_sparsity: Short for TF-MOT's `PolynomialDecay` to this sparsity.
        begin: Where that ramp begins, as a fraction of all training steps.
        end: Where it ends, likewise.
        groups: List of `PruningGroup`s, in place of all the above.
        initial_step: The schedule's first step, if it is not to be found from
            the optimizer and the weights.
        allow_partial: Whether a `fit` may end before the schedule does.

    Raises:
        ValueError: At the beginning of `fit`, if the schedule cannot reach its
            final sparsity in it, groups overlap, nothing is selected, or a
            pattern does not divide a weight.

    Example:

    ```python
    pruning = keras_moduli.MagnitudePruning(
        tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, 0, end_step=10)
    )
    model.fit(x, y, epochs=5, callbacks=[pruning])
    ```

    Reference: M. Zhu, S. Gupta, "To prune, or not to prune",
    arXiv:1710.01878, for the schedule.
    """

    def __init__(
        self,
        schedule: Any = None,
        weights: str | Callable[[str, keras.Variable], bool] = "recurrent",
        *,
        ranking: str = "global",
        pattern: Pattern | None = None,
        block_size: tuple[int, int] | None = None,
        gates: Sequence[int] | None = None,
        score: str = "mean",
        by_penalty: bool = False,
        final_sparsity: float | None = None,
        begin: float = 0.1,
        end: float = 0.7,
        groups: Sequence[PruningGroup] | None = None,
        initial_step: int | None = None,
        allow_partial: bool = False,
    ) -> None:
        super().__init__()
        if groups is None:
            groups = [
                PruningGroup(
                    schedule=schedule,
                    weights=weights,
                    ranking=ranking,
                    pattern=pattern,
                    block_size=block_size,
                    gates=gates,
                    score=score,
                    by_penalty=by_penalty,
                    final_sparsity=final_sparsity,
                    begin=begin,
                    end=end,
                )
            ]
        elif schedule is not None or final_sparsity is not None:
            raise ValueError(
                "Give either `groups` or a schedule; each group has its own. "
                f"Received: schedule={schedule!r}, "
                f"final_sparsity={final_sparsity!r}, groups={groups!r}"
            )
        self.groups = check_groups(groups)
        self.initial_step = resuming.check_step(initial_step)
        self.allow_partial = allow_partial
        self._pruner: Any = None
        self._wait = 0
        self._training = False

    @property
    def sparsity(self) -> float:
        """The fraction of the chosen weights that is pruned now."""
        return self._pruner.sparsity if self._pruner else 0.0

    @property
    def finished(self) -> bool:
        """Whether all schedules have reached their final sparsity."""
        return self._pruner is not None and self._pruner.finished

    def set_model(self, model: keras.Model) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                "MagnitudePruning prunes Keras 3 models. For tf_keras use "
                "tfmot.sparsity.keras.prune_low_magnitude, which takes the "
                "same schedules. Received: a model of type "
                f"{type(model).__module__}.{type(model).__name__}"
            )
        super().set_model(model)
        self._training = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._training:
            raise ValueError(
                "A MagnitudePruning must be listed once in `callbacks`. "
                "Received: the same one twice"
            )
        if inner_optimizer(self.model) is None:
            raise ValueError(
                f"Model '{self.model.name}' is compiled without an optimizer. "
                "Pass one to `model.compile(optimizer=...)`."
            )
        self._begun = False
        if self._pruner is not None or has_weights(self.model):
            self._bind()
        self._training = True

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # Not in on_train_begin: callbacks that restore a backup do so there,
        # and may stand after this one.
        if not self._begun:
            self._epoch, self._before = epoch, self._iterations()
            if self._pruner is not None:
                self._begin_fit()
                self._wait = self._pruner.advance(self._before + self._offset)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if not self._begun:  # the model was built by this batch
            self._bind()
            self._begin_fit()
            self._wait = 0
        self._wait -= max(1, self._pruner.model.steps_per_execution)
        if self._wait <= 0:
            self._wait = self._sync().advance(self._iterations() + self._offset)
        self._log(logs)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._log(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._training = False
        if not self._begun:
            return  # not one batch
        self._pruner.advance(self._iterations() + self._offset)
        # An optimizer with moving averages has just written them over the
        # weights.
        self._sync().enforce()
        if not self.allow_partial:
            resuming.warn_if_early(self._pruner)

    def step(self) -> None:
        """Prunes if it is time to, in a loop without `fit`.

        Call it after every optimizer step (after every `train_on_batch`), and
        `set_model(model)` once before. It counts its own calls, from
        `initial_step` or from what the compiled optimizer has done before.
        """
        if not self._training:
            if self.model is None:
                raise ValueError(
                    "Call `set_model(model)` before the first `step()`."
                )
            self._bind()
            self._begin_loop()
            self._training = True
        # Not every optimizer applies constraints.
        self._pruner.enforce()
        self._pruner.advance(self._pruner.step + 1)

    def _bind(self):
        """Selects the weights and gives them masks, once per model."""
        model = self.model
        if self._pruner is None:
            pruner = Pruner(self.groups, model)
            pruner.attach(self)
            self._pruner = pruner
        elif self._pruner.model is model:
            self._pruner.attach(self)
        else:
            raise ValueError(
                "A MagnitudePruning belongs to one model. Make another for "
                f"model '{model.name}'."
            )

    def _begin_fit(self):
        # A `CallbackList` of the user's own may know nothing of this.
        params = self.params or {}
        batches, epochs = params.get("steps"), params.get("epochs")
        each = inner_optimizer(self.model).gradient_accumulation_steps or 1
        known = bool(batches and epochs)
        first = self._pruner.begin(
            self._before,
            epoch=self._epoch,
            steps_per_epoch=batches // each if known else None,
            steps=batches * epochs // each if known else None,
            given=self.initial_step,
        )
        if known and not self.allow_partial:
            left = batches * (epochs - self._epoch) // each
            resuming.check_reach(self._pruner.plans, first, left)
        self._offset = first - self._before
        self._begun = True

    def _begin_loop(self):
        taken = 0
        if inner_optimizer(self.model) is not None:
            # The first call comes after the first step.
            taken = max(self._iterations() - 1, 0)
        first = self._pruner.begin(taken, given=self.initial_step)
        self._pruner.advance(first)

    def _sync(self):
        """The pruner, with the model's variables up to date."""
        # On JAX, `fit` keeps them elsewhere until the model is asked for.
        _ = self.model
        return self._pruner

    def _log(self, logs):
        if logs is not None:
            logs["sparsity"] = self.sparsity

    def _iterations(self):
        # A loss-scaling optimizer also counts the steps that it skips.
        optimizer = inner_optimizer(self.model)
        return int(ops.convert_to_numpy(optimizer.iterations))
