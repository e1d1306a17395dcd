"""Character-level language modelling on any text files.

`dataset` and `model` give ordinary generators and Keras models, which work
alone; `Language` joins them under one set of settings for
`keras_moduli.experiments`.
"""

import dataclasses
import functools
import json
import math
from pathlib import Path

import keras
import numpy as np

from keras_moduli.arguments import positive_integer
from keras_moduli.tasks.streams import stream
from keras_moduli.tasks.text import UNKNOWN
from keras_moduli.tasks.text import Corpus
from keras_moduli.tasks.text import read
from keras_moduli.tasks.text import standard_library


def dataset(codes, sequence_length=64, batch_size=32, seed=0, first_step=0):
    """Endless batches of random pieces of a text.

    Args:
        codes: Array of codes, `(length,)`.
        sequence_length: Characters in one sequence.
        batch_size: Sequences in one batch.
        seed: Integer.
        first_step: The step to begin with; see `streams.stream`.

    Yields:
        Pairs of int32 arrays `(batch_size, sequence_length)`: characters, and
        the characters that follow each of them.
    """
    windows = np.lib.stride_tricks.sliding_window_view(
        codes, sequence_length + 1
    )

    def batch(generator):
        rows = windows[generator.integers(len(windows), size=batch_size)]
        return rows[:, :-1], rows[:, 1:]

    return stream(batch, seed, first_step)


def windows(codes, sequence_length=64):
    """A text cut into sequences that lie side by side, as `(x, y)` arrays."""
    count = (len(codes) - 1) // sequence_length
    used = count * sequence_length
    shape = (count, sequence_length)
    return codes[:used].reshape(shape), codes[1 : used + 1].reshape(shape)


@keras.saving.register_keras_serializable(package="keras_moduli")
class BitsPerCharacter(keras.metrics.SparseCategoricalCrossentropy):
    """Mean cross-entropy of logits in bits, without regularisation terms."""

    def __init__(self, name="bits_per_character", dtype=None, **kwargs):
        kwargs.pop("from_logits", None)
        super().__init__(name=name, dtype=dtype, from_logits=True, **kwargs)

    def result(self):
        return super().result() / math.log(2.0)


CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def model(
    vocabulary_size,
    units=256,
    cell="lstm",
    steps=1200,
    learning_rate=1e-2,
    recurrent_regularizer=None,
):
    """A compiled embedding, recurrent layer and decoder.

    Args:
        vocabulary_size: How many codes there are.
        units: Recurrent units.
        cell: `"simple_rnn"`, `"lstm"` or `"gru"`.
        steps: Optimizer steps of the whole training, over which the learning
            rate falls to a tenth.
        learning_rate: Adam's at the first step.
        recurrent_regularizer: For the recurrent kernel.

    Returns:
        A `keras.Model` from codes `(batch, time)` to logits `(batch, time,
        vocabulary_size)`.
    """
    codes = keras.Input((None,), dtype="int32", name="codes")
    # An embedding is cheaper than one-hot vectors, here and on a phone.
    x = keras.layers.Embedding(vocabulary_size, 64, name="embedding")(codes)
    x = CELLS[cell](
        units,
        return_sequences=True,
        recurrent_regularizer=recurrent_regularizer,
        name=cell,
    )(x)
    logits = keras.layers.Dense(vocabulary_size, name="decoder")(x)
    network = keras.Model(codes, logits, name="language")
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                learning_rate, steps, alpha=0.1
            ),
            clipnorm=1.0,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[BitsPerCharacter()],
    )
    return network


@dataclasses.dataclass(frozen=True)
class Language:
    """The task "language": what a run needs of it, under one set of settings.

    Args:
        text: Paths of text files; none for the standard library's sources.
        units: Recurrent units.
        cell: `"simple_rnn"`, `"lstm"` or `"gru"`.
        sequence_length: Characters in one sequence.
        batch_size: Sequences in one batch.

    Raises:
        ValueError: If a size is not a positive integer, or the cell unknown.

    Example:

    >>> task = keras_moduli.tasks.Language(units=16, sequence_length=20)
    >>> codes, following = next(task.training(seed=0, first_step=0))
    >>> codes.shape
    (32, 20)
    """

    text: tuple = ()
    units: int = 256
    cell: str = "lstm"
    sequence_length: int = 64
    batch_size: int = 32

    metric = "bits_per_character"
    metric_label = "bits per character"
    # Blocks of 4 sources are what runs fast in a .tflite file; ordered points
    # make the sources of a block neighbours.
    presets = {"small": {"block_size": (4, 1), "points": "ordered"}}

    def __post_init__(self):
        for name in ("units", "sequence_length", "batch_size"):
            positive_integer(name, getattr(self, name))
        if self.cell not in CELLS:
            raise ValueError(
                f"`cell` must be one of {list(CELLS)}. "
                f"Received: cell={self.cell!r}"
            )

    @functools.cached_property
    def files(self):
        """The text files, as absolute paths."""
        files = self.text or standard_library()
        return [str(Path(file).resolve()) for file in files]

    @functools.cached_property
    def corpus(self):
        """The text, read and split.

        Raises:
            ValueError: If the text cannot be read or is too short.
        """
        text = read(self.files)
        corpus = Corpus.of(text)
        needed = self.batch_size * self.sequence_length
        if (
            len(corpus.training) <= needed
            or len(corpus.validation) <= self.sequence_length
        ):
            raise ValueError(
                "`text` is too short for one batch: training on "
                f"{self.batch_size} x {self.sequence_length} characters and "
                "validating on the last twentieth needs at least "
                f"{self._shortest()} characters. "
                f"Received: {len(text)} characters in {len(self.files)} "
                "file(s)"
            )
        return corpus

    def _shortest(self):
        return math.ceil(
            max(
                (self.batch_size * self.sequence_length + 1) / 0.95,
                (self.sequence_length + 1) / 0.05,
            )
            + 1
        )

    @property
    def digest(self):
        """What tells this data from other data."""
        return self.corpus.digest

    def describe(self):
        """One line on the data."""
        corpus = self.corpus
        where = (
            f"{len(self.files)} files given"
            if self.text
            else f"the first {len(self.files)} top-level modules of Python's "
            f"standard library, {Path(self.files[0]).parent}"
        )
        return (
            f"{where}: {len(corpus.training):,} characters to train on, "
            f"{len(corpus.validation):,} to validate, "
            f"{len(corpus.vocabulary)} different ones"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(
            self.corpus.training,
            self.sequence_length,
            self.batch_size,
            seed,
            first_step,
        )

    @functools.cached_property
    def validation(self):
        """Validation data as `(x, y)`."""
        return windows(self.corpus.validation, self.sequence_length)

    def model(self, steps, recurrent_regularizer=None):
        """The compiled model."""
        return model(
            len(self.corpus.vocabulary),
            self.units,
            self.cell,
            steps,
            recurrent_regularizer=recurrent_regularizer,
        )

    def assets(self):
        """Files that a user of the trained model needs: name to text."""
        characters = UNKNOWN + self.corpus.vocabulary.characters
        return {
            "vocabulary.json": json.dumps(
                list(characters), ensure_ascii=False, indent=0
            )
        }
