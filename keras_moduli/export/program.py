"""A Keras model as a plain function of named tensors."""

import contextlib
import dataclasses
import re

import keras
import numpy as np

from keras_moduli.export.layers import state_variables


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

    @property
    def fixed_batch_size(self):
        """The batch size that the model fixes, or `None`."""
        return next(iter(self.specs.values())).shape[0]

    def feeds(self, data):
        """Sample data in the model's structure, as named NumPy arrays."""
        try:
            keras.tree.assert_same_structure(self.structure, data)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`inputs` must have the structure of the model's inputs, "
                f"{list(self.specs)}. Received: inputs of type "
                f"{type(data).__name__}"
            ) from error
        feeds = {}
        for (name, spec), leaf in zip(
            self.specs.items(), keras.tree.flatten(data), strict=True
        ):
            array = np.asarray(leaf).astype(spec.dtype)
            if array.ndim != len(spec.shape) or any(
                wanted not in (None, size)
                for wanted, size in zip(spec.shape, array.shape, strict=True)
            ):
                raise ValueError(
                    f"`inputs` for '{name}' must have the shape "
                    f"{spec.shape}. Received: shape {array.shape}"
                )
            feeds[name] = array
        return feeds

    def pack(self, named):
        """Named leaves in the structure of the model's inputs."""
        return keras.tree.pack_sequence_as(
            self.structure, [named[name] for name in self.specs]
        )

    def call(self, tensors):
        """Calls the model as it is now on named tensors."""
        return _named(self.model(self.pack(tensors), training=False))

    def reference(self, batches):
        """Keras's own answers to a list of batches, as NumPy arrays.

        Stateful layers start from zero, and get their state back.
        """
        with self.fresh_state():
            return [
                {
                    name: keras.ops.convert_to_numpy(value)
                    for name, value in self.call(batch).items()
                }
                for batch in batches
            ]

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
    if isinstance(structure, dict):
        names = [_identifier(key) for key in sorted(structure)]
        if len(names) != len(leaves):
            names = [None] * len(leaves)
    else:
        names = [_identifier(getattr(leaf, "name", None)) for leaf in leaves]
    return structure, {
        name or f"input_{index}": leaf
        for index, (name, leaf) in enumerate(zip(names, leaves, strict=True))
    }


def _identifier(name):
    # Names that Keras counts up by itself ("keras_tensor_12") would differ
    # from one program run to the next.
    if name is None or name.startswith("keras_tensor"):
        return None
    return re.sub(r"\W", "_", name)


def _named(outputs):
    if isinstance(outputs, dict) and not any(
        keras.tree.is_nested(value) for value in outputs.values()
    ):
        return {_identifier(key): outputs[key] for key in outputs}
    return {
        f"output_{index}": value
        for index, value in enumerate(keras.tree.flatten(outputs))
    }
