"""Trainings that stop in time, between two epochs."""

import time

import keras

PAUSED = "paused.txt"  # stands in a folder whose run ran out of time


class OutOfTime(Exception):
    """There is no time for another epoch; what is done so far is kept."""

    def __str__(self):
        return "Time is up; what is done so far is kept."


class Deadline(keras.callbacks.Callback):
    """Stops a training before the epoch that would not end in time.

    It goes after the callback that saves the model.

    Args:
        moment: When time is up, as `time.time()` counts; `None` for never.

    Raises:
        OutOfTime: At the end of an epoch, if another one that takes as long as
            the longest so far would end too late.
    """

    def __init__(self, moment):
        super().__init__()
        self._moment = moment
        self._longest = 0.0

    def on_train_begin(self, logs=None):
        check(self._moment)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.time()

    def on_epoch_end(self, epoch, logs=None):
        self._longest = max(self._longest, time.time() - self._start)
        if epoch + 1 < self.params["epochs"]:
            check(self._moment, self._longest)


def check(moment, needed=0.0):
    """Raises `OutOfTime` if `moment` is less than `needed` seconds ahead."""
    if moment is not None and time.time() + needed > moment:
        raise OutOfTime
