"""What every task has, unless it says otherwise."""

import functools

import keras

from keras_moduli.tasks.streams import held_out

_LONGEST = 100  # steps: longer unrolled ones take long to compile


def unrolls(sequence_length):
    """Whether a training is faster with its recurrent layer unrolled.

    TensorFlow's loops cost more than what these small models do in them; JAX
    compiles loops as they are.
    """
    return (
        keras.backend.backend() == "tensorflow" and sequence_length <= _LONGEST
    )


class Task:
    """Members that most tasks share; `keras_moduli.tasks` lists them all."""

    pass_steps = None
    rivals: dict[
        str, float
    ] = {}  # what one would do without a network: its name and metric
    # Small nets like other steps than large ones: the dense twin is the best of
    # several trainings, at the task's learning rate times so much.
    twin_rates: tuple[float, ...] = (1, 3)
    evaluation_batch = 128  # larger batches are faster and change nothing

    @property
    def first_learning_rate(self):
        """The learning rate at the first step."""
        return self.learning_rate

    def callbacks(self, curves=()):
        """Callbacks that training and evaluation need: none."""
        del curves
        return []

    def assets(self):
        """Files that a user of the trained model needs: none."""
        return {}


class Generated(Task):
    """A task whose data are drawn, without end.

    It has `validation_size` and `examples(count, generator)`.
    """

    digest = "generated"  # nothing but the settings tells the data apart

    @functools.cached_property
    def validation(self):
        """Validation data as `(inputs, y)`, the same for every seed."""
        return self._held_out("validation")

    @functools.cached_property
    def test(self):
        """Test data, likewise."""
        return self._held_out("test")

    def _held_out(self, part):
        return held_out(
            lambda generator: self.examples(self.validation_size, generator),
            part,
        )
