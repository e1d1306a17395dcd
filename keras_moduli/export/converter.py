"""TensorFlow Lite's converter, with the settings that give portable files."""

import re
import tempfile

from keras_moduli.export.errors import ExportError
from keras_moduli.export.tracing import SIGNATURE


def convert(module, quantization):
    """Converts a module of `constant_module` to the bytes of a file.

    Args:
        module: A `tf.Module` whose signature is in `module.function`.
        quantization: `None`, `"float16"` or `"int8"`.

    Raises:
        ExportError: If the built-in operators of LiteRT cannot express it.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(
                module, folder, signatures={SIGNATURE: module.function}
            )
        except tf.errors.OpError as error:  # a full disk, most likely
            raise ExportError(
                f"TensorFlow cannot write temporary files: {error.message}"
            ) from error
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[SIGNATURE]
        )
        return _converted(converter, quantization)


def convert_function(function, quantization):
    """Converts a concrete function; its variables become constants.

    The file has no signature.
    """
    import tensorflow as tf

    return _converted(
        tf.lite.TFLiteConverter.from_concrete_functions([function]),
        quantization,
    )


def _converted(converter, quantization):
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # the converter raises bare Exceptions
        raise ExportError(_explanation(str(error))) from error


def _explanation(message):
    """Which operators were too much, or the start of what TensorFlow says."""
    operators = sorted(set(re.findall(r"'tf\.(\w+)' op", message)))
    told = " ".join(message.split())[:500]
    if operators:
        return (
            "LiteRT has no built-in operator for what this model computes "
            f"with TensorFlow's {', '.join(operators)}. Layers that use other "
            f"operations, or float32, would work. The converter says: {told}"
        )
    return f"TensorFlow Lite cannot convert this model: {told}"
