"""A progress bar over a whole training, and a line for every epoch."""

import time

import keras
from rich import progress

_SECONDS = 0.1  # between two looks at the values: each waits for the device


class TrainingProgress(keras.callbacks.Callback):
    """Shows steps done, time left, the metric and the sparsity.

    Args:
        console: A `rich.console.Console`.
        label: What is trained.
        settings: The run's `Settings`.
        metric: The metric to show.
    """

    def __init__(self, console, label, settings, metric):
        super().__init__()
        self._console = console
        self._label = label
        self._settings = settings
        self._metric = metric
        self._bar = None
        self._row = None
        self._epoch = 0
        self._shown = 0.0

    def on_train_begin(self, logs=None):
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("steps, time left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[values]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._row = self._bar.add_task(
            self._label, total=self._settings.total_steps, values=""
        )
        self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self._shown < _SECONDS:
            return
        self._shown = time.monotonic()
        done = self._epoch * self._settings.steps_per_epoch + batch + 1
        self._bar.update(
            self._row, completed=done, values=self._values(logs or {})
        )

    def on_epoch_end(self, epoch, logs=None):
        self._console.print(
            f"{self._label}, epoch {epoch + 1} of {self._settings.epochs}: "
            f"{self._values(logs or {}, 'val_')}"
        )

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Gives the terminal back; also after an error."""
        if self._bar is not None:
            self._bar.stop()

    def _values(self, logs, prefix=""):
        values = []
        if prefix + self._metric in logs:
            value = float(logs[prefix + self._metric])
            values.append(f"{value:#.4g} {self._metric.replace('_', ' ')}")
        if "sparsity" in logs:
            values.append(f"sparsity {float(logs['sparsity']):.1%}")
        return ", ".join(values)
