"""A Keras model as a plain function of named tensors."""

import contextlib
import dataclasses

import keras
import numpy as np

from keras_moduli.export.conversion.converter import convert
from keras_moduli.export.programs.examples import inputs_explained
from keras_moduli.export.programs.examples import numbers
from keras_moduli.export.programs.lowering import lowered
from keras_moduli.export.programs.names import identifiers
from keras_moduli.export.programs.names import named
from keras_moduli.export.programs.per_step import any_length
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.programs.tracing import constant_module
from keras_moduli.export.programs.tracing import without_cudnn
from keras_moduli.models.layers import state_variables
from keras_moduli.models.layers import unrolled
from keras_moduli.models.sparsity import sparsity


@dataclasses.dataclass(frozen=True)
class Spec:
    """What one input looks like; `None` marks an open dimension."""

    shape: tuple
    dtype: str

    def sized(self, batch_size, sequence_length=None):
        """The shape with its open dimensions filled in.

        `sequence_length` fills every open dimension but the batch.
        """
        return (
            self.shape[0] or batch_size,
            *(size or sequence_length for size in self.shape[1:]),
        )


class Program:
    """A model's inference: named tensors in, named tensors out.

    It has two faces: `trace` builds TensorFlow graphs of it, with whatever a
    layout did to the model's layers, and `reference` is Keras's own answer,
    which every exported file is compared with.

    Args:
        model: A built `keras.Model`.
        inputs: One batch of sample data, in the model's structure; needed
            only for subclassed models, whose inputs Keras does not know.

    Attributes:
        specs: A dict from input name to `Spec`.
    """

    def __init__(self, model, inputs=None):
        self.model = model
        self.structure, leaves = _inputs_of(model, inputs)
        self.specs = {
            name: Spec(
                # Of sample data only the batch size is free.
                (None, *leaf.shape[1:])
                if isinstance(leaf, np.ndarray)
                else tuple(leaf.shape),
                keras.backend.standardize_dtype(leaf.dtype),
            )
            for name, leaf in leaves.items()
        }
        for name, spec in self.specs.items():
            if spec.dtype == "string":
                raise ValueError(
                    "the inputs of `model` must be numbers: do the text's "
                    f"splitting outside. Received: input '{name}' of strings"
                )

    @property
    def signatures(self):
        """The signatures of an exported file: a program for each name."""
        return {SIGNATURE: self}

    @property
    def fixed_batch_size(self):
        """The batch size that the model fixes, or `None`."""
        return next(iter(self.specs.values())).shape[0]

    @property
    def fixed_lengths(self):
        """The lengths that the model fixes; none if it leaves any open."""
        shapes = [spec.shape[1:] for spec in self.specs.values()]
        if any(None in shape for shape in shapes):
            return []
        return [shape[0] for shape in shapes if shape]

    @property
    def sample_specs(self):
        """What the model's own inputs look like, by name."""
        return self.specs

    def sample_length(self, sequence_length):
        """How long the sequences to compare on are, `None` for several."""
        return sequence_length

    def feeds(self, data):
        """Sample data in the model's structure, as named NumPy arrays."""
        try:
            keras.tree.assert_same_structure(self.structure, data)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`inputs` must have the structure of the model's inputs, "
                f"{list(self.sample_specs)}. Received: inputs of type "
                f"{type(data).__name__}"
            ) from error
        feeds = {}
        for (name, spec), leaf in zip(
            self.sample_specs.items(), keras.tree.flatten(data), strict=True
        ):
            array = numbers(name, leaf, spec.dtype)
            # Any number of examples: they are fed in batches.
            wanted = (None, *spec.shape[1:])
            if array.ndim != len(wanted) or any(
                size not in (None, given)
                for size, given in zip(wanted, array.shape, strict=True)
            ):
                raise ValueError(
                    f"`inputs` for '{name}' must have the shape {wanted}. "
                    f"Received: shape {array.shape}"
                )
            feeds[name] = array
        return feeds

    def pack(self, leaves):
        """Named leaves in the structure of the model's inputs."""
        return keras.tree.pack_sequence_as(
            self.structure, [leaves[name] for name in self.sample_specs]
        )

    @property
    def outputs(self):
        """The structure of the model's outputs, of symbolic tensors."""
        if isinstance(self.model, keras.Sequential):
            return self.model.outputs[0]
        if not getattr(self.model, "outputs", None):  # subclassed
            return self.model.compute_output_spec(
                self.pack(
                    {
                        name: keras.KerasTensor(spec.shape, spec.dtype)
                        for name, spec in self.sample_specs.items()
                    }
                )
            )
        return self.model.output

    def unnamed(self, values):
        """Named answers in the structure of the model's outputs."""
        outputs = self.outputs
        order = {id(leaf): name for name, leaf in named(outputs).items()}
        return keras.tree.map_structure(
            lambda leaf: values[order[id(leaf)]], outputs
        )

    def call(self, tensors):
        """Calls the model as it is now on named tensors."""
        with any_length(self.model):
            return named(self.model(self.pack(tensors), training=False))

    def sparsity(self):
        """The fraction of zeros in every kernel, by path."""
        return sparsity(self.model) if self.model.weights else {}

    def converted(
        self, rewrites, batch_size, sequence_length, quantization, calibration
    ):
        """The bytes of a .tflite file.

        Args:
            rewrites: How layers are computed, as `lowered` takes it.
            batch_size: The fixed batch size.
            sequence_length: The length of open dimensions, or `None`.
            quantization: `None`, `"float16"`, `"int8"` or `"full_int8"`.
            calibration: For the latter a dict from signature to what
                `calibration` gives.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(lowered(self.model, rewrites))
            if calibration:  # the converter cannot calibrate a loop
                stack.enter_context(unrolled(self.model))
            module = constant_module(self, batch_size, sequence_length)
        return convert(module, quantization, calibration)

    def calibration(self, batches):
        """Everything that a signature is fed when it runs on batches."""
        return batches

    def invocation(self, batch):
        """What one run of an exported file takes of a batch."""
        return batch

    def run(self, runner, batch):
        """Runs an exported file's signature on a batch of samples."""
        return runner(**self.invocation(batch))

    def answer(self, runner, batch):
        """What `run` gives, in the shape of the model's own answers."""
        return self.run(runner, batch)

    def reference(self, batches):
        """Keras's own answers to a list of batches, as NumPy arrays.

        Stateful layers start from zero, and get their state back.
        """
        whole = self.whole()
        with self.fresh_state(), inputs_explained(self.model):
            return [
                {
                    name: keras.ops.convert_to_numpy(value)
                    for name, value in whole(batch).items()
                }
                for batch in batches
            ]

    def whole(self):
        """The model on samples of any open size, as a compiled function.

        On the CPU: a GPU may round products to 10 bits.
        """
        import tensorflow as tf

        specs = {
            name: tf.TensorSpec(spec.shape, spec.dtype)
            for name, spec in self.sample_specs.items()
        }
        with without_cudnn(self.model), tf.device("CPU:0"):
            return tf.function(
                lambda tensors: Program.call(self, tensors),
                input_signature=[specs],
                autograph=False,
            ).get_concrete_function()

    @contextlib.contextmanager
    def fresh_state(self):
        """Stateful layers are at zero inside, and as before afterwards."""
        states = state_variables(self.model)
        before = [keras.ops.convert_to_numpy(state) for state in states]
        try:
            for state in states:
                state.assign(keras.ops.zeros_like(state))
            yield
        finally:
            for state, value in zip(states, before, strict=True):
                state.assign(value)


def _inputs_of(model, inputs):
    """The structure of a model's inputs, and their leaves by name."""
    known = getattr(model, "inputs", None)
    if known:
        single = isinstance(model, keras.Sequential)
        structure = known[0] if single else model.input
    elif inputs is not None:
        structure = keras.tree.map_structure(np.asarray, inputs)
    else:
        raise ValueError(
            "the inputs of a subclassed `model` are not known to Keras: give "
            "one batch of them as `inputs`. "
            f"Received: model={model.name!r}, inputs=None"
        )
    leaves = keras.tree.flatten(structure)
    if isinstance(structure, dict) and len(structure) == len(leaves):
        names = sorted(structure)
    else:
        names = [getattr(leaf, "name", None) for leaf in leaves]
    return structure, dict(zip(identifiers(names), leaves, strict=True))
