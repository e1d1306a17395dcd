"""Arguments that cannot work are refused before any work is done."""

import math
import os
from pathlib import Path

import keras
import numpy as np

from keras_moduli.export.programs.legacy import is_legacy
from keras_moduli.models.layers import path_of
from keras_moduli.models.layers import quantized_layers


def check_target(path, suffix):
    """Checks that a file or folder can be written at `path`.

    Args:
        path: A string or path object.
        suffix: What the name must end with (`".tflite"`), or `None` for a
            folder, whose name must not look like a file of another kind.

    Returns:
        `path` as a `pathlib.Path`.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            "`path` must be a string or a path object. "
            f"Received: path={path!r} (of type {type(path).__name__})"
        )
    path = Path(path)
    if suffix is not None and path.suffix != suffix:
        raise ValueError(
            f"`path` must end with '{suffix}'. Received: path={str(path)!r}"
        )
    if suffix is None and path.suffix in _FILE_SUFFIXES:
        raise ValueError(
            "`path` names the folder of the SavedModel and must not end "
            f"with any of {_FILE_SUFFIXES}. Received: path={str(path)!r}"
        )
    if suffix is not None and path.is_dir():
        raise ValueError(
            f"`path` must not be a folder. Received: path={str(path)!r}"
        )
    if suffix is None and path.exists() and not path.is_dir():
        raise ValueError(
            "`path` must be a folder or nothing yet, not a file. "
            f"Received: path={str(path)!r}"
        )
    parent = path.absolute().parent
    if not parent.is_dir():
        raise ValueError(
            f"the folder of `path` must exist; '{parent}' does not. "
            f"Received: path={str(path)!r}"
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(
            f"the folder of `path` must be writable; '{parent}' is not. "
            f"Received: path={str(path)!r}"
        )
    return path


def check_model(model, legacy=False):
    """Checks that `model` is a built Keras model with finite weights.

    Args:
        model: Anything.
        legacy: Whether a model of tf_keras will do, too.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "export needs Keras on the TensorFlow backend. Save the model "
            "with `model.save('model.keras')` and export it from a program "
            "started with KERAS_BACKEND=tensorflow. "
            f"Received: backend={keras.backend.backend()!r}"
        )
    if not isinstance(model, keras.Model) and not (legacy and is_legacy(model)):
        raise TypeError(
            "`model` must be a `keras.Model`. "
            f"Received: model={model!r} "
            f"(of type {type(model).__module__}.{type(model).__name__})"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built, so that its weights exist. Call it on a "
            "batch, or give it an `Input`. "
            f"Received: model={model.name!r}, not built"
        )
    for variable in model.weights:
        values = keras.ops.convert_to_numpy(variable)
        if not np.all(np.isfinite(values)):
            raise ValueError(
                "the weights of `model` must be finite. Received: "
                f"model={model.name!r} with NaN or infinite values in "
                f"'{_path(variable)}'"
            )


def check_precision(model):
    """Checks that all is stored as the converter wants it: no half precision.

    Nor what Keras's own `quantize` makes of layers.
    """
    for variable in model.weights:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if dtype in ("float16", "bfloat16"):
            raise ValueError(
                "`model` must keep its weights in float32, as mixed precision "
                f"does. Received: '{_path(variable)}' in {dtype}. Load the "
                "model with `dtype='float32'` in its layers' config"
            )
    for layer, mode in quantized_layers(model):
        if mode in _NOT_CONVERTED:
            raise ValueError(
                "`model` must not be quantized by Keras, whose layers the "
                "converter has no operators for: export the model as it was "
                "before `quantize`, and give `quantization='int8'`. "
                f"Received: '{path_of(layer)}' quantized to {mode}"
            )


def check_positive_integer(name, value):
    """Checks one argument that counts something."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(
            f"`{name}` must be a positive integer. "
            f"Received: {name}={value!r} (of type {type(value).__name__})"
        )
    if value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value}"
        )
    return int(value)


def check_choice(name, value, choices):
    """Checks one argument that picks from a few names."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {list(choices)}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_tolerance(value):
    """Checks the largest allowed difference, `None` for the default."""
    if value is not None and not (
        isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    ):
        raise ValueError(
            "`tolerance` must be a positive finite number or None. "
            f"Received: tolerance={value!r}"
        )
    return value


def _path(variable):
    # Variables of tf_keras have names only.
    return getattr(variable, "path", variable.name)


# Keras's 4-bit weights are unpacked by operators that can be converted.
_NOT_CONVERTED = ("int8", "float8")
_FILE_SUFFIXES = (".h5", ".hdf5", ".keras", ".pb", ".tflite", ".zip")


def check_batch_size(program, batch_size):
    """Raises unless a model can have this batch size."""
    if program.fixed_batch_size not in (None, batch_size):
        raise ValueError(
            f"`batch_size` must be {program.fixed_batch_size}, the size that "
            f"the model fixes. Received: batch_size={batch_size}"
        )


def check_sequence_length(program, sequence_length, inputs):
    """Raises if a model fixes other lengths, or examples have others."""
    if sequence_length is None:
        return
    lengths = program.fixed_lengths
    if lengths and sequence_length not in lengths:
        raise ValueError(
            f"`sequence_length` must be {' or '.join(map(str, lengths))}, as "
            f"the model fixes it. Received: sequence_length={sequence_length}"
        )
    feeds = {} if inputs is None else program.feeds(inputs)
    for name, array in feeds.items():
        wanted = program.sample_specs[name].sized(None, sequence_length)
        if array.shape[1:] != wanted[1:]:
            raise ValueError(
                f"`inputs` for '{name}' must be as long as `sequence_length` "
                f"says, {sequence_length}. Received: shape {array.shape}"
            )


def check_calibration(program, sequence_length, inputs):
    """Checks that ranges of integers can be learnt."""
    if is_legacy(program.model):
        raise ValueError(
            "`quantization` 'full_int8' needs a Keras 3 model; 'int8' works "
            f"with tf_keras. Received: model={program.model.name!r}"
        )
    if inputs is None:
        raise ValueError(
            "`quantization` 'full_int8' needs `inputs`, real examples to "
            "learn the ranges of its integers from; 'int8' does not. "
            "Received: inputs=None"
        )
    if sequence_length is None and any(
        None in spec.shape[1:] for spec in program.specs.values()
    ):
        raise ValueError(
            "`quantization` 'full_int8' unrolls recurrent layers and needs "
            "the length of the sequences: give `sequence_length`. "
            "Received: sequence_length=None"
        )


def check_targets(model, inputs, targets, metrics):
    """Checks that there is all that metrics on real data need."""
    if targets is None and metrics is not None:
        raise ValueError(
            "`metrics` are computed on `targets`, which must be given too. "
            f"Received: metrics={metrics!r}, targets=None"
        )
    if targets is not None and inputs is None:
        raise ValueError(
            "`targets` belong to `inputs`, which must be given too. "
            "Received: inputs=None"
        )
    if targets is not None and is_legacy(model):
        raise ValueError(
            "`targets` need a Keras 3 model. "
            f"Received: model={model.name!r} of tf_keras"
        )
