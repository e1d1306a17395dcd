"""Path integration: from where it began and how it moved, where is it now?

Positions are in metres from the centre of the box. The network is told the
start through place cells and every displacement after it, and is to activate
the place cells of where it is. Always answering the centre of the usual box
is wrong by about 84 cm.

Reference: B. Sorscher, G. Mel, S. Ganguli, S. Ocko, "A unified theory for the
origin of grid cells through the lens of pattern formation", 2019.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from keras_moduli.tasks.base import Generated
from keras_moduli.tasks.base import unrolls
from keras_moduli.tasks.navigation import place_cells
from keras_moduli.tasks.navigation.walks import dataset
from keras_moduli.tasks.navigation.walks import examples
from keras_moduli.tasks.navigation.walks import summed
from keras_moduli.tasks.options import option
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integers


def model(
    units: int = 4096,
    cells: int = 512,
    sequence_length: int | None = None,
    box: float = 2.2,
    width: float = 0.12,
    cells_seed: int = 0,
    learning_rate: float = 1e-4,
    recurrent_regularizer: Any = None,
    unroll: bool = False,
    global_clipnorm: float | None = None,
    epsilon: float = 1e-7,
) -> keras.Model:
    """A compiled ReLU RNN without biases between place cells.

    Args:
        units: Recurrent units.
        cells: Place cells.
        sequence_length: Fixes the length of the walks; `None` leaves it open.
        box: Side of the box in metres.
        width: Width of a place field in metres.
        cells_seed: Seed of the place cells' centres.
        learning_rate: AdamW's.
        recurrent_regularizer: For the recurrent kernel.
        unroll: Whether the recurrent layer is unrolled, which needs a fixed
            length, and makes steps on TensorFlow faster.
        global_clipnorm: The largest norm of all gradients together.
        epsilon: AdamW's. Many units over many steps begin with gradients far
            below Keras's default, and learn all the slower for it.

    Returns:
        A `keras.Model` from a dict with `"start"`, `(batch, 2)`, and
        `"displacement"`, `(batch, time, 2)`, to the logits of the place
        cells, `(batch, time, cells)`. Its targets are positions.

    Example:

    >>> keras_moduli.tasks.navigation.model(units=32, cells=16).output_shape
    (None, None, 16)
    """
    layout = dict(cells=cells, box=box, width=width, seed=cells_seed)
    # Uniform, as wide as PyTorch's defaults, which the paper's runs had.
    fan_in = functools.partial(
        keras.initializers.VarianceScaling, 1 / 3, "fan_in", "uniform"
    )
    bound = units**-0.5
    start = keras.Input((2,), name="start")
    displacement = keras.Input((sequence_length, 2), name="displacement")
    state = keras.layers.Dense(
        units, use_bias=False, kernel_initializer=fan_in(), name="encoder"
    )(place_cells.PlaceCells(**layout, name="place_cells")(start))
    states = keras.layers.SimpleRNN(
        units,
        activation="relu",
        use_bias=False,
        return_sequences=True,
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
        recurrent_initializer=fan_in(),
        recurrent_regularizer=recurrent_regularizer,
        unroll=unroll,
        name="rnn",
    )(displacement, initial_state=state)
    logits = keras.layers.Dense(
        cells, use_bias=False, kernel_initializer=fan_in(), name="decoder"
    )(states)
    network = keras.Model(
        {"start": start, "displacement": displacement},
        logits,
        name="navigation",
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(
            learning_rate,
            weight_decay=0.01,
            global_clipnorm=global_clipnorm,
            epsilon=epsilon,
        ),
        loss=place_cells.PlaceCrossentropy(**layout),
        metrics=[place_cells.PositionError(**layout)],
    )
    return network


@dataclasses.dataclass(frozen=True)
class Navigation(Generated):
    """The task "navigation": what a run needs of it, under one set of settings.

    Args:
        units: Recurrent units.
        cells: Place cells, at least 3.
        sequence_length: Steps of each walk.
        batch_size: Walks in one batch.
        learning_rate: AdamW's.
        width: Width of a place field in metres. It has to suit the cells: the
            code of 128 cells of 0.12 m cannot be decoded better than to 27
            cm, that of 512 to 4 cm.
        noise: Standard deviation of what is wrong with each coordinate of
            each displacement, in metres.
        global_clipnorm: The largest norm of all gradients together, `None`
            for any.
        epsilon: AdamW's; see the function `model`.
        validation_size: Walks to validate on, and as many to test on.

    Raises:
        ValueError: If a size is not a positive integer, the width or the norm
            not positive, or the noise negative.

    Example:

    >>> task = keras_moduli.tasks.Navigation(units=16, cells=32)
    >>> task.model(steps=100).output_shape
    (None, 20, 32)
    """

    units: int = option(256, "N", "recurrent units")
    cells: int = option(256, "N", "place cells")
    sequence_length: int = option(20, "N", "steps of a sequence")
    batch_size: int = option(100, "N", "sequences in a batch")
    learning_rate: float = option(1e-3, "X", "learning rate")
    width: float = option(0.3, "X", "width of a place field in metres")
    noise: float = option(
        0.0,
        "X",
        "standard deviation of what is wrong with a displacement, in metres",
    )
    global_clipnorm: float | None = option(
        None, "X", "largest norm of all gradients together (default: None)"
    )
    epsilon: float = option(1e-7, "X", "AdamW's epsilon")
    validation_size: int = 1000

    metric = "position_error"
    metric_label = "position error (cm)"
    presets = {
        "small": {
            "steps": 3000,
            "epochs": 20,
            "weights": "kernels",
            "factor": 0.1,
            # One threshold for all would leave the recurrent kernel, a third of
            # the weights here and four fifths at the paper's size, 1 % of its.
            "ranking": "local",
        },
        "paper": {
            "units": 4096,
            "cells": 512,
            "sequence_length": 50,
            "batch_size": 200,
            "learning_rate": 1e-4,
            "epsilon": 1e-8,  # PyTorch's default, which the paper's runs had
            "width": 0.12,
            "steps": 30000,
            "epochs": 30,
            "weights": "kernels",
            "factor": 0.1,
            "pruning_begin": 0.0,
            "pruning_power": 1,
            "pruning_end": 0.9,
        },
    }

    def __post_init__(self):
        positive_integers(
            self,
            "units",
            "cells",
            "sequence_length",
            "batch_size",
            "validation_size",
        )
        positive("width", self.width)
        positive("epsilon", self.epsilon)
        not_negative("noise", self.noise)
        if self.global_clipnorm is not None:
            positive("global_clipnorm", self.global_clipnorm)
        if self.cells < 3:
            raise ValueError(
                "`cells` must be at least 3: a position is decoded from the "
                f"three most active. Received: cells={self.cells}"
            )

    def describe(self):
        """One line on the data."""
        summing = "".join(
            f", summing the displacements by {error:.1f}"
            for error in self.rivals.values()
        )
        return (
            f"walks of {self.sequence_length} steps in a box of 2.2 m, read "
            f"from {self.cells} place cells; always answering the centre is "
            f"wrong by 84 cm{summing}"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(
            self.sequence_length,
            self.batch_size,
            seed=seed,
            first_step=first_step,
            noise=self.noise,
        )

    def examples(self, count, generator):
        """Draws data; see the function of this name."""
        return examples(
            count, self.sequence_length, generator, noise=self.noise
        )

    @property
    def trivial(self):
        """The test error, in cm, of always answering the centre."""
        return float(100 * np.mean(np.linalg.norm(self.test[1], axis=-1)))

    @property
    def rivals(self):
        """The test error, in cm, of summing displacements that are noisy."""
        if not self.noise:
            return {}
        inputs, y = self.test
        wrong = np.linalg.norm(summed(inputs) - y, axis=-1)
        return {"summed displacements": float(100 * wrong.mean())}

    def model(self, steps, recurrent_regularizer=None):
        """The compiled model."""
        del steps  # the learning rate stays as it is
        return model(
            self.units,
            self.cells,
            self.sequence_length,
            width=self.width,
            learning_rate=self.learning_rate,
            recurrent_regularizer=recurrent_regularizer,
            unroll=unrolls(self.sequence_length),
            global_clipnorm=self.global_clipnorm,
            epsilon=self.epsilon,
        )
