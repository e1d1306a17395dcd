"""A recurrent model as a function of one step and its state."""

import contextlib
import functools

import keras
import numpy as np

from keras_moduli.export.programs.carriers import CannotStream
from keras_moduli.export.programs.carriers import carriers
from keras_moduli.export.programs.examples import inputs_explained
from keras_moduli.export.programs.keras_steps import KerasSteps
from keras_moduli.export.programs.names import named
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.program import Spec
from keras_moduli.export.programs.stepping import check_steps
from keras_moduli.export.programs.stepping import steps_explained
from keras_moduli.export.programs.streamable import check_streamable
from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import path_of
from keras_moduli.models.layers import replaced

STEPS = 100  # over which a streaming file is compared with its model

STREAMING = "streaming"  # the signature's name beside the whole sequence's

_MOST_STEPS = 1000  # of all steps of all examples, evenly spread

# A model without one output per step is compared after as many steps.
_CHECKED = (1, 2, 3, 5, 10, 25, 50, 75, 100)


class StreamingProgram(Program):
    """One step of a model: the state goes in and comes out.

    The states are named `state_0`, `state_1`, ... in the order of the layers,
    on both sides, and are zero when a stream begins.

    Args:
        model: A built `keras.Model` of one input `(batch, time, ...)`.
        batch_size: The fixed batch size.

    Raises:
        ValueError: If the model cannot be computed step by step.
    """

    def __init__(self, model, batch_size):
        _check_input(model)
        check_streamable(model)
        super().__init__(_with_open_time(model))
        self._known_length = model.inputs[0].shape[1]
        self.carriers = _carriers(self.model)
        self._whole = self.specs
        ((self.input_name, whole),) = self.specs.items()
        specs = [
            [Spec(*state) for state in carrier.states(batch_size)]
            for carrier in self.carriers
        ]
        self._counts = [len(states) for states in specs]
        self.states = {
            f"state_{i}": spec for i, spec in enumerate(sum(specs, []))
        }
        step = Spec((whole.shape[0], 1, *whole.shape[2:]), whole.dtype)
        self.specs = {self.input_name: step, **self.states}

    @property
    def sample_specs(self):
        return self._whole

    @property
    def fixed_lengths(self):
        return [self._known_length] if self._known_length else []

    def sample_length(self, sequence_length):
        return sequence_length or STEPS

    def call(self, tensors):
        """Calls the model on one step; its outputs, and the new states."""
        names = iter(self.states)
        kept = [[] for _ in self.carriers]
        with contextlib.ExitStack() as stack:
            for carrier, count, new in zip(
                self.carriers, self._counts, kept, strict=True
            ):
                given = [tensors[next(names)] for _ in range(count)]
                changes = carrier.replacements(given, new.append)
                for name, value in changes.items():
                    stack.enter_context(replaced(carrier.layer, name, value))
            outputs = super().call(tensors)
        self._check_used_once(kept)
        states = [state for (new,) in kept for state in new]
        return {**outputs, **dict(zip(self.states, states, strict=True))}

    def _check_used_once(self, kept):
        for carrier, new in zip(self.carriers, kept, strict=True):
            if len(new) != 1:
                raise CannotStream(
                    "`streaming` needs layers with states that are used once; "
                    f"'{path_of(carrier.layer)}' is used {len(new)} times"
                )

    def calibration(self, batches):
        """Every step of the batches, with the states that precede it."""
        for carrier in self.carriers:
            if not carrier.holds_in_8_bits:
                raise ValueError(
                    "`quantization` 'full_int8' cannot stream a running mean: "
                    "8 bits do not hold it. 'int8' can, with float "
                    f"activations. Received: '{path_of(carrier.layer)}'"
                )
        return [feed for feed, _ in self.steps(batches)]

    def steps(self, batches):
        """Steps of the batches as Keras takes them.

        Returns:
            A list of pairs: what a step is fed, the states that precede it
            among it, and its outputs.
        """
        pairs = [
            pair
            for batch in batches
            for pair in self._keras_steps(batch[self.input_name])
        ]
        return pairs[:: -(-len(pairs) // _MOST_STEPS)]

    @functools.cached_property
    def _keras_steps(self):
        return KerasSteps(self.call, self.specs, self._zeros())

    def invocation(self, batch):
        step = {self.input_name: batch[self.input_name][:, :1]}
        return {**step, **self._zeros()}

    def _zeros(self):
        return {
            name: np.zeros(spec.shape, spec.dtype)
            for name, spec in self.states.items()
        }

    def reference(self, batches):
        """Keras's own answers to whole sequences, as `run` gives them."""
        whole = self.whole()
        with inputs_explained(self.model):
            for batch in batches:
                whole(batch)
        with steps_explained(self.model):
            answers = [self._reference(whole, batch) for batch in batches]
            found = [
                self._joined(
                    [a for _, a in self._keras_steps(batch[self.input_name])]
                )
                for batch in batches
            ]
        check_steps(self.model, found, answers)
        return answers

    def _reference(self, whole, batch):
        def ask(length):
            sequences = batch[self.input_name][:, :length]
            return {
                name: keras.ops.convert_to_numpy(value)
                for name, value in whole({self.input_name: sequences}).items()
            }

        lengths = _checked(batch[self.input_name].shape[1])
        answers = {length: ask(length) for length in {lengths[0], lengths[-1]}}
        last = answers[lengths[-1]]
        self._per_step = {
            name: all(
                answer[name].ndim > 1 and answer[name].shape[1] == length
                for length, answer in answers.items()
            )
            for name in last
        }
        if not all(self._per_step.values()):
            answers = {n: answers.get(n) or ask(n) for n in lengths}
        return {
            name: value
            if self._per_step[name]
            else np.stack([a[name] for a in answers.values()], axis=1)
            for name, value in last.items()
        }

    def run(self, runner, batch):
        """Runs a signature step by step over whole sequences.

        Returns:
            A dict from output to the answers of all steps, or, for outputs
            without a time axis, of the steps in `_CHECKED`.
        """
        return self._joined(self._walk(runner, batch))

    def _joined(self, steps):
        """The answers to all steps as one."""
        checked = [steps[length - 1] for length in _checked(len(steps))]
        return {
            name: np.concatenate([answer[name] for answer in steps], axis=1)
            if self._per_step[name]
            else np.stack([answer[name] for answer in checked], axis=1)
            for name in steps[0]
        }

    def answer(self, runner, batch):
        steps = self._walk(runner, batch)
        return {
            # Only a time axis is open, beside the batch.
            name: np.concatenate([answer[name] for answer in steps], axis=1)
            if output.shape[1:2] == (None,)
            else steps[-1][name]
            for name, output in named(self.outputs).items()
        }

    def _walk(self, runner, batch):
        """The answers to every step of a batch, the states passed on."""
        sequences = batch[self.input_name]
        state = self._zeros()
        steps = []
        for step in range(sequences.shape[1]):
            x = {self.input_name: sequences[:, step : step + 1]}
            answer = runner(**x, **state)
            state = {name: answer.pop(name) for name in state}
            steps.append(answer)
        return steps


class WholeAndStreaming(Program):
    """A model on whole sequences, and one step of it, in one file.

    Args:
        model, batch_size: As for `StreamingProgram`.
    """

    def __init__(self, model, batch_size):
        self.streaming = StreamingProgram(model, batch_size)
        # Both on the same layers, which layouts rewrite and files share.
        super().__init__(self.streaming.model)
        ((name, spec),) = self.specs.items()
        known = model.inputs[0].shape[1]
        self.specs = {
            name: Spec((spec.shape[0], known, *spec.shape[2:]), spec.dtype)
        }

    @property
    def signatures(self):
        return {**super().signatures, STREAMING: self.streaming}


def _checked(steps):
    return sorted({length for length in _CHECKED if length <= steps} | {steps})


def _check_input(model):
    inputs = getattr(model, "inputs", None)
    if not inputs or len(inputs) != 1 or len(inputs[0].shape) < 2:
        raise ValueError(
            "`streaming` needs a Sequential or functional model of one input "
            f"(batch, time, ...). Received: model={model.name!r}"
        )


def _carriers(model):
    found = carriers(model)
    if not found:
        raise ValueError(
            "`streaming` needs a model with recurrent layers, or others that "
            f"remember steps. Received: model={model.name!r} without any"
        )
    return found


def _with_open_time(model):
    """The model for sequences of any length, sharing nothing if rebuilt.

    How a layer loops and where its states begin is the stream's affair, so
    that a rebuilt model is neither unrolled nor stateful.
    """
    (known,) = model.inputs
    recurrent = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.RNN)
    ]
    if known.shape[1] is None and not any(one.stateful for one in recurrent):
        return model
    opened = keras.Input(
        (None, *known.shape[2:]), dtype=known.dtype, name=known.name
    )
    with contextlib.ExitStack() as stack:
        for layer in recurrent:
            stack.enter_context(replaced(layer, "unroll", False))
            stack.enter_context(replaced(layer, "stateful", False))
        try:
            clone = keras.models.clone_model(model, input_tensors=opened)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`streaming` needs a model that takes sequences of any "
                f"length; with an open time axis this one fails: {error}. "
                f"Received: model={model.name!r}"
            ) from error
    clone.set_weights(model.get_weights())
    return clone
