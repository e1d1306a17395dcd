"""Settings of path integration that train in a moment."""

from rich.console import Console

from keras_moduli.experiments.runs.settings import Settings

QUIET = Console(quiet=True)


def tiny(**changes):
    return Settings.of(
        "navigation",
        {
            "units": 40,
            "cells": 24,
            "sequence_length": 4,
            "batch_size": 8,
            "validation_size": 16,
            "steps": 4,
            "epochs": 2,
            **changes,
        },
    )
