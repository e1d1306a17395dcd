"""`export_tflite`: a Keras model becomes a verified .tflite file."""

import gzip
import tempfile

from keras_moduli.export import flatbuffer
from keras_moduli.export.checks import check_choice
from keras_moduli.export.checks import check_model
from keras_moduli.export.checks import check_positive_integer
from keras_moduli.export.checks import check_target
from keras_moduli.export.checks import check_tolerance
from keras_moduli.export.comparison import check_difference
from keras_moduli.export.comparison import largest_difference
from keras_moduli.export.errors import ExportError
from keras_moduli.export.program import Program
from keras_moduli.export.runtime import answers
from keras_moduli.export.samples import samples
from keras_moduli.export.tracing import SIGNATURE
from keras_moduli.export.tracing import constant_module
from keras_moduli.files import atomic_path
from keras_moduli.report import ExportReport
from keras_moduli.report import sparsity


def export_tflite(
    model,
    path,
    quantization=None,
    batch_size=1,
    *,
    sequence_length=None,
    inputs=None,
    tolerance=None,
):
    """Writes a Keras model as a .tflite file for the stock LiteRT runtime.

    The file uses built-in operators only, and takes its name only after the
    LiteRT interpreter has run it, under its default delegates and with its
    built-in kernels, on several inputs, and has given what Keras gives.

    Args:
        model: A built `keras.Model` with finite weights.
        path: The file to write; must end with `".tflite"`. What stands there
            is replaced once the new file is known to be right.
        quantization: `None` for float32, `"float16"`, or `"int8"` (int8
            weights, activations quantized as they come; matrices of fewer
            than 1,024 weights stay float). Defaults to `None`.
        batch_size: The fixed batch size. Defaults to `1`.
        sequence_length: The length of dimensions that the model leaves open.
            `None` leaves them open in the file too (resize the input before
            use, as signature runners do). Defaults to `None`.
        inputs: Real examples to verify with, besides made ones, in the
            structure `model.predict` takes. Subclassed models need them.
            Made whole numbers are drawn from the range of the model's
            `Embedding` layers, or {0, 1}.
        tolerance: The largest allowed difference, relative to the largest
            output of the model on the inputs compared. Defaults to 1e-4
            (float32), 1e-2 (float16) or 1e-1 (int8).

    Returns:
        A `keras_moduli.report.ExportReport`.

    Raises:
        TypeError, ValueError: If an argument cannot work; nothing is written.
        ExportError: If the model cannot be converted, or the converted file
            does not give what the model gives. What stood at `path` stays.

    Example:

    ```python
    model = keras.Sequential(
        [keras.Input((32, 8)), keras.layers.LSTM(64), keras.layers.Dense(3)]
    )
    report = keras_moduli.export_tflite(model, "model.tflite", "int8")
    print(report.bytes, report.max_difference)
    ```
    """
    path = check_target(path, ".tflite")
    check_model(model)
    check_choice("quantization", quantization, tuple(TOLERANCES))
    batch_size = check_positive_integer("batch_size", batch_size)
    if sequence_length is not None:
        check_positive_integer("sequence_length", sequence_length)
    tolerance = check_tolerance(tolerance) or TOLERANCES[quantization]
    program = Program(model, inputs)
    _check_batch_size(program, batch_size)
    batches = samples(program, batch_size, sequence_length, inputs)
    references = program.reference(batches)
    module = constant_module(program, batch_size, sequence_length)
    content = convert(module, quantization)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        differences = [
            largest_difference(answer, references)
            for answer in answers(temporary, batches)
        ]
        absolute, relative = map(max, zip(*differences, strict=True))
        check_difference(absolute, relative, tolerance)
    return ExportReport(
        path=str(path),
        format="tflite",
        layout="dense",
        quantization=quantization,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content)),
        operators=flatbuffer.operator_names(flatbuffer.read(content)),
        sparsity=sparsity(model),
        max_difference=absolute,
        relative_difference=relative,
        tolerance=tolerance,
    )


def convert(module, quantization):
    """Converts a module of `constant_module` to the bytes of a file."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(
            module, folder, signatures={SIGNATURE: module.function}
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[SIGNATURE]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return converter.convert()
        except Exception as error:  # the converter raises bare Exceptions
            raise ExportError(
                "TensorFlow Lite cannot convert this model with built-in "
                f"operators only: {_first_lines(error)}"
            ) from error


def _check_batch_size(program, batch_size):
    if program.fixed_batch_size not in (None, batch_size):
        raise ValueError(
            f"`batch_size` must be {program.fixed_batch_size}, the size that "
            f"the model fixes. Received: batch_size={batch_size}"
        )


def _first_lines(error):
    return " ".join(str(error).split())[:600]


# How far a file may be from its model: rounding for float32, the precision of
# the weights for the others.
TOLERANCES = {None: 1e-4, "float16": 1e-2, "int8": 1e-1}
