"""Language modelling on any text files, by characters or by words.

`Language` joins text, batches, model and metrics under one set of settings, for
`keras_moduli.experiments`.
"""

import dataclasses
import functools
import json
import math
import os
from pathlib import Path

from keras_moduli.tasks.base import Task
from keras_moduli.tasks.language.batches import dataset
from keras_moduli.tasks.language.batches import streams
from keras_moduli.tasks.language.language_model import CELLS
from keras_moduli.tasks.language.language_model import METRICS
from keras_moduli.tasks.language.language_model import model
from keras_moduli.tasks.language.recipes import RECIPES
from keras_moduli.tasks.language.recipes import FreshState
from keras_moduli.tasks.language.recipes import Plateau
from keras_moduli.tasks.language.text import LEVELS
from keras_moduli.tasks.language.text import Corpus
from keras_moduli.tasks.language.text import read
from keras_moduli.tasks.language.text import standard_library
from keras_moduli.tasks.options import option
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integers
from keras_moduli.utils.files import stamps


@dataclasses.dataclass(frozen=True)
class Language(Task):
    """The task "language": what a run needs of it, under one set of settings.

    Args:
        text: Paths of text files; none for the standard library's sources.
        level: `"character"` or `"word"`: what stands between spaces.
        units: Recurrent units of each layer.
        cell: `"simple_rnn"`, `"lstm"` or `"gru"`.
        layers: How many recurrent layers.
        embedding: Size of the embedding.
        sequence_length: Characters or words in one sequence.
        batch_size: Sequences in one batch.
        recipe: `"adam"` or `"sgd"`; see `recipes`.
        learning_rate: `None` for the recipe's own.
        kernel_l1: Factor of the mean absolute weight of every kernel that is
            not recurrent.

    Raises:
        ValueError: If a size is not a positive integer, or a name unknown.

    Example:

    >>> task = keras_moduli.tasks.Language(units=16, sequence_length=20)
    >>> codes, following = next(task.training(seed=0, first_step=0))
    >>> codes.shape
    (32, 20)
    """

    text: tuple[str, ...] = option(
        (),
        "FILE",
        "UTF-8 text files; without, the Python standard library's own sources "
        "on this machine",
        os.path.abspath,
    )
    level: str = option("character", "NAME", "character or word")
    units: int = option(256, "N", "recurrent units")
    cell: str = option("lstm", "NAME", "simple_rnn, lstm or gru")
    layers: int = option(1, "N", "recurrent layers")
    embedding: int = option(64, "N", "size of the embedding")
    sequence_length: int = option(64, "N", "steps of a sequence")
    batch_size: int = option(32, "N", "sequences in a batch")
    recipe: str = option(
        "adam",
        "NAME",
        "adam, or sgd for the paper's, with the state carried from batch to "
        "batch; each has its own learning rate, where none is set",
    )
    learning_rate: float | None = option(None, "X", "learning rate")
    kernel_l1: float = option(
        0.0, "X", "factor of the mean absolute weight of all other kernels"
    )

    twin_rates = (0.5, 1)

    presets = {
        # Better than dense nets of as many bytes, tuned as carefully, and
        # faster than as good ones with more units and fewer connections.
        "small": {
            "units": 384,
            "sparsity": 0.75,
            "connections": "near+random:0.5",
            "group_size": None,  # as many as suit the units
            "learning_rate": 0.02,
            "steps": 600,
            "epochs": 6,
        },
        # Blocks of 4 sources are what runs fast in a .tflite file; ordered
        # points make the sources of a block neighbours.
        "pruned": {"block_size": (4, 1), "points": "ordered"},
        "small_word": {
            "level": "word",
            "units": 128,
            "sequence_length": 35,
            "batch_size": 20,
            "steps": 1500,
        },
        "paper": {
            "level": "word",
            "cell": "simple_rnn",
            "units": 650,
            "embedding": 650,
            "layers": 3,
            "sequence_length": 35,
            "batch_size": 20,
            "recipe": "sgd",
            "kernel_l1": 0.1,
            "steps": None,
            "epochs": 15,
            "weights": "kernels",
            "factor": 0.1,
            "pruning_begin": 0.0,
            "pruning_end": 0.8,
            "pruning_power": 1,
        },
    }

    def __post_init__(self):
        positive_integers(
            self,
            "units",
            "layers",
            "embedding",
            "sequence_length",
            "batch_size",
        )
        for name, allowed in (
            ("level", LEVELS),
            ("cell", CELLS),
            ("recipe", RECIPES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {list(allowed)}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if self.learning_rate is not None:
            positive("learning_rate", self.learning_rate)
        not_negative("kernel_l1", self.kernel_l1)

    @property
    def metric(self):
        return self.metric_label.replace(" ", "_")

    @property
    def metric_label(self):
        return METRICS[self.level][0]

    @property
    def carried(self):
        """Whether the state is carried from batch to batch."""
        return RECIPES[self.recipe].carried

    @property
    def first_learning_rate(self):
        return self.learning_rate or RECIPES[self.recipe].learning_rate

    @property
    def evaluation_batch(self):
        """Streams to evaluate side by side, where the state is carried."""
        return self.batch_size if self.carried else Task.evaluation_batch

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
        corpus = _corpus(tuple(self.files), self.level, stamps(self.files))
        held_out = self.sequence_length * (
            self.batch_size if self.carried else 1
        )
        least = self.batch_size * self.sequence_length
        if (
            len(corpus.training) <= least
            or min(len(corpus.validation), len(corpus.test)) <= held_out
        ):
            needed = math.ceil(
                max((least + 1) / 0.9, (held_out + 1) / 0.05) + 10
            )
            raise ValueError(
                "`text` is too short for one batch: training on "
                f"{self.batch_size} x {self.sequence_length} {self.level}s, "
                "and validating and testing on a twentieth each, needs at "
                f"least {needed} {self.level}s. "
                f"Received: {len(corpus)} {self.level}s in "
                f"{len(self.files)} file(s)"
            )
        return corpus

    @property
    def digest(self):
        """What tells this data from other data."""
        return self.corpus.digest

    @property
    def pass_steps(self):
        """The steps of one pass through the training text."""
        size = self.batch_size * self.sequence_length
        return (len(self.corpus.training) - 1) // size

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
            f"{where}: {len(corpus.training):,} {self.level}s to train on, "
            f"{len(corpus.validation):,} to validate, {len(corpus.test):,} to "
            f"test, {len(corpus.vocabulary):,} different ones"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(
            self.corpus.training,
            self.sequence_length,
            self.batch_size,
            seed,
            first_step,
            self.carried,
        )

    @functools.cached_property
    def validation(self):
        """Validation data as `(x, y)`."""
        return self._cut(self.corpus.validation)

    @functools.cached_property
    def test(self):
        """Test data as `(x, y)`."""
        return self._cut(self.corpus.test)

    def _cut(self, codes):
        count = self.batch_size if self.carried else 1
        return streams(codes, self.sequence_length, count)

    @property
    def trivial(self):
        """The metric of frequencies that know of no context."""
        nats = self.corpus.trivial()
        return math.exp(nats) if self.level == "word" else nats / math.log(2)

    def model(self, steps, recurrent_regularizer=None):
        """The compiled model."""
        return model(
            len(self.corpus.vocabulary),
            self.units,
            self.cell,
            steps,
            self.learning_rate,
            recurrent_regularizer,
            level=self.level,
            embedding=self.embedding,
            layers=self.layers,
            recipe=self.recipe,
            batch_size=self.batch_size if self.carried else None,
            kernel_l1=self.kernel_l1,
        )

    def callbacks(self, curves=()):
        """What a recipe needs during training and evaluation."""
        recipe = RECIPES[self.recipe]
        return [
            *([FreshState()] if recipe.carried else []),
            *([Plateau(self.metric, curves)] if recipe.patient else []),
        ]

    def assets(self):
        """Files that a user of the trained model needs: name to text."""
        return {
            "vocabulary.json": json.dumps(
                self.corpus.vocabulary.symbols, ensure_ascii=False, indent=0
            )
        }


@functools.lru_cache(maxsize=2)
def _corpus(files, level, stamp):
    """The corpus of some files; `stamp` tells whether they have changed."""
    del stamp
    return Corpus.of(read(files), level)
