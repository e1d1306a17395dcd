"""Checkpoints: the model, its optimizer and the curves, after every epoch."""

import math
import shutil
from pathlib import Path

import keras

from keras_moduli.experiments.runs.folders import read_json
from keras_moduli.experiments.runs.folders import write_json
from keras_moduli.utils.files import atomic_path


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that the next epoch needs, at the end of each epoch.

    Every checkpoint is a folder of its own, which appears in one step; only
    then the one before is removed. So there is always a whole one.

    Args:
        folder: Where the checkpoints stand.
        curves: The logs of the epochs before, a list of dicts, to go on with.

    Raises:
        FloatingPointError: At the end of an epoch with a loss that is not a
            number: there is nothing to go on with.
    """

    def __init__(self, folder, curves=()):
        super().__init__()
        self.folder = Path(folder)
        self.curves = list(curves)

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        if not all(map(math.isfinite, values.values())):
            raise FloatingPointError(
                f"The training diverged in epoch {epoch + 1}: {values}. A "
                "smaller factor or learning rate may help."
            )
        self.curves.append({"epoch": epoch + 1, **values})
        self.folder.mkdir(exist_ok=True)
        with atomic_path(self.folder / f"epoch-{epoch + 1:06d}") as temporary:
            temporary.mkdir()
            self.model.save(temporary / "model.keras")
            write_json(temporary / "curves.json", self.curves)
        for older in _checkpoints(self.folder)[:-1]:
            shutil.rmtree(older)


def latest(folder):
    """The newest checkpoint in a folder, as a path, or `None`."""
    found = _checkpoints(Path(folder))
    return found[-1] if found else None


def epochs(checkpoint):
    """How many epochs a checkpoint, or `None`, stands for."""
    return int(checkpoint.name.split("-")[1]) if checkpoint else 0


def restore(checkpoint):
    """The compiled model and the curves of a checkpoint."""
    model = keras.saving.load_model(checkpoint / "model.keras")
    return model, read_json(checkpoint / "curves.json")


def _checkpoints(folder):
    return sorted(folder.glob("epoch-*"))
