"""One training in one folder, from its start or from its last epoch."""

import shutil
import time
from pathlib import Path

import keras

from keras_moduli.experiments.runs import checkpoints
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.connections import hold
from keras_moduli.experiments.runs.deadline import Deadline
from keras_moduli.experiments.runs.models import first_model
from keras_moduli.experiments.runs.progress import TrainingProgress
from keras_moduli.layers.conversion import without_sparse_layers
from keras_moduli.models.sparsity import sparsity
from keras_moduli.pruning.masks import apply_masks
from keras_moduli.pruning.masks import load_masks
from keras_moduli.pruning.masks import masks_of
from keras_moduli.pruning.masks import save_masks
from keras_moduli.regularizers.embedding_learning_rate import trained_points
from keras_moduli.shrinking import shrink
from keras_moduli.utils.backend import CALLS_EVERY_STEP
from keras_moduli.utils.files import atomic_path

_PER_EXECUTION = 10  # steps between two looks from Python; more gain little
_OTHER_WEIGHTS = 9973  # added to the seed of a lottery ticket's weights


def make_deterministic():
    """Makes this process compute the same numbers every time.

    It holds for the whole process, so it is for commands, not for libraries.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class Run:
    """A training and its folder.

    The folder holds `settings.json` from the start, `checkpoints/` while the
    training goes on, and in the end `model.keras` (without optimizer),
    `masks.npz` if it was pruned, `curves.json` and `metrics.json`, which is
    written last. A lottery ticket is a run in the folder `lottery/` in it.

    Args:
        folder: Where the run stands, or is to stand.
        settings: Its `Settings`.
        task: What `settings.make_task()` gave.
        masks: The file of the masks that hold from the start, if it is a
            lottery ticket.
    """

    def __init__(self, folder, settings, task, masks=None):
        self.folder = Path(folder)
        self.settings = settings
        self.task = task
        self._masks = masks

    @property
    def finished(self):
        return self._done and (self.ticket is None or self.ticket.finished)

    @property
    def epochs_done(self):
        """How many epochs are safe."""
        if self._done:
            return self.settings.epochs
        return checkpoints.epochs(checkpoints.latest(self._checkpoints))

    @property
    def ticket(self):
        """The run of the lottery ticket, or `None`."""
        settings = self.settings
        if not settings.lottery or not settings.schedule() or self._masks:
            return None
        return Run(
            self.folder / "lottery",
            self.settings,
            self.task,
            masks=self.folder / "masks.npz",
        )

    def train(self, console, label, deadline=None):
        """Trains to the end, unless that is done already.

        Args:
            console: A `rich.console.Console` for the progress bar.
            label: What to call this training there.
            deadline: When to stop, as `time.time()` counts, or `None`.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        if self._done:
            console.print(f"{label}: finished before")
        else:
            if not folders.is_run(self.folder):
                folders.create(self.folder, self.settings.to_dict())
            model, curves = self._begin(console, label)
            if len(curves) < self.settings.epochs:
                curves = self._fit(model, curves, console, label, deadline)
            self._finish(model, curves)
        if self.ticket:
            self.ticket.train(console, f"{label}, lottery ticket", deadline)

    def _fit(self, model, curves, console, label, deadline):
        """Trains the epochs that are left; returns all curves."""
        settings = self.settings
        progress = TrainingProgress(console, label, settings, self.task.metric)
        checkpoint = checkpoints.Checkpoint(self._checkpoints, curves)
        pruning = None if self._masks else settings.pruning()
        rate = settings.embedding_rate()
        done = len(curves)
        try:
            model.fit(
                self.task.training(
                    settings.seed, done * settings.steps_per_epoch
                ),
                steps_per_epoch=settings.steps_per_epoch,
                initial_epoch=done,
                epochs=settings.epochs,
                validation_data=self.task.validation,
                validation_batch_size=self.task.evaluation_batch,
                callbacks=[
                    *(each for each in (pruning, rate) if each),
                    *self.task.callbacks(curves),
                    _Seconds(),
                    progress,
                    checkpoint,
                    Deadline(deadline),
                ],
                shuffle=False,  # the batches come in an order of their own
                verbose=0,
            )
        finally:
            progress.close()
        return checkpoint.curves

    def model(self):
        """The trained model."""
        return keras.saving.load_model(self.folder / "model.keras")

    def first_model(self):
        """The model before its first step, made anew."""
        self._set_seed()
        return first_model(self.settings, self.task)

    def _set_seed(self):
        # A ticket's weights are others than those that its masks are from.
        keras.utils.set_random_seed(
            self.settings.seed + (_OTHER_WEIGHTS if self._masks else 0)
        )

    def curves(self):
        """The logs of every epoch, a list of dicts."""
        return folders.read_json(self.folder / "curves.json")

    def metrics(self):
        """What was measured in the end, a dict."""
        return folders.read_json(self.folder / "metrics.json")

    @property
    def _done(self):
        return (self.folder / "metrics.json").is_file()

    @property
    def _checkpoints(self):
        return self.folder / "checkpoints"

    def _begin(self, console, label):
        """The model to go on with, and the curves so far."""
        checkpoint = checkpoints.latest(self._checkpoints)
        if checkpoint is None:
            model, curves = self.first_model(), []
        else:
            self._set_seed()
            model, curves = checkpoints.restore(checkpoint)
            if self.settings.fixed:
                hold(model, self.settings)
            console.print(f"{label}: goes on after epoch {len(curves)}")
        if not CALLS_EVERY_STEP:
            model.steps_per_execution = _divisor(self.settings.steps_per_epoch)
        if self._masks:
            apply_masks(model, load_masks(self._masks))
        if self._masks and checkpoint is None:
            self._take_points(model)
        return model, curves

    def _take_points(self, model):
        """Gives a ticket the trained points that its masks belong to."""
        if self.settings.trainable:
            _ = model.losses  # the points are made with the first loss
            first = keras.saving.load_model(self._masks.parent / "model.keras")
            _assign(trained_points(model), trained_points(first))

    def _finish(self, model, curves):
        tested = model.evaluate(
            *self.task.test,
            batch_size=self.task.evaluation_batch,
            callbacks=self.task.callbacks(curves),
            return_dict=True,
            verbose=0,
        )
        # To deploy, everybody needs Keras's own layers only.
        model = without_sparse_layers(model)
        if self.settings.whole_units:
            model = shrink(model)
        with atomic_path(self.folder / "model.keras") as temporary:
            to_keep(model).save(temporary)
        masks = masks_of(model)
        if masks:
            save_masks(self.folder / "masks.npz", masks)
        folders.write_json(self.folder / "curves.json", curves)
        last = curves[-1]
        folders.write_json(
            self.folder / "metrics.json",
            {
                self.task.metric: last["val_" + self.task.metric],
                "test": {name: float(value) for name, value in tested.items()},
                "trivial": self.task.trivial,
                "rivals": dict(self.task.rivals),
                "sparsity": sparsity(model),
                "seconds": sum(epoch["seconds"] for epoch in curves),
            },
        )
        shutil.rmtree(self._checkpoints, ignore_errors=True)


class _Seconds(keras.callbacks.Callback):
    """Adds the time that an epoch took to its logs."""

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - self._start


def to_keep(model):
    """A copy of a model without what only its training needed.

    Without optimizer, loss and metrics it takes a third of the bytes, and
    nothing else has to be imported to load it. Its recurrent layers begin
    every batch, of any size, with a state of zeros, and loop.
    """
    config = model.get_config()
    for layer in (layer["config"] for layer in config["layers"]):
        for name in ("stateful", "unroll"):
            if layer.get(name):
                layer[name] = False
        if "batch_shape" in layer:
            layer["batch_shape"] = (None, *layer["batch_shape"][1:])
    copy = type(model).from_config(config)
    _ = copy.losses  # trained points are made with the first loss
    _assign(copy.trainable_variables, model.trainable_variables)
    return copy


def _divisor(steps):
    """The largest divisor up to `_PER_EXECUTION`: epochs keep their length."""
    return max(d for d in range(1, _PER_EXECUTION + 1) if steps % d == 0)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
