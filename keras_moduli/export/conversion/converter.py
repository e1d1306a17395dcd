"""TensorFlow Lite's converter, with the settings that give portable files."""

import contextlib
import gc
import tempfile

from keras_moduli.export.conversion.calibration import calibrated
from keras_moduli.export.errors import ExportError
from keras_moduli.export.errors import explanation
from keras_moduli.export.flatbuffers import ranges

_FROZEN = False


def convert(module, quantization, calibration=None):
    """Converts a module of `constant_module` to the bytes of a file.

    Args:
        module: A `tf.Module` whose signatures are in `module.functions`.
        quantization: `None`, `"float16"`, `"int8"` or `"full_int8"`.
        calibration: For the latter a dict from signature to a list of feeds:
            dicts from input name to array.

    Raises:
        ExportError: If the built-in operators of LiteRT cannot express it.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(
                module, folder, signatures=dict(module.functions)
            )
        except tf.errors.OpError as error:  # a full disk, most likely
            raise ExportError(
                f"TensorFlow cannot write temporary files: {error.message}"
            ) from error
        if calibration:
            return ranges.widened(calibrated(folder, calibration))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(module.functions)
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
        with _garbage_of_before_left():
            return converter.convert()
    except Exception as error:  # the converter raises bare Exceptions
        raise ExportError(explanation(str(error))) from error


@contextlib.contextmanager
def _garbage_of_before_left():
    """Lets garbage collection look only at objects that are made in here.

    The converter collects garbage every time. To look through all that Keras
    and TensorFlow hold takes a third of a small model's export.
    """
    if _others_have_frozen():
        yield  # they do the same, and would find all unfrozen
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _others_have_frozen():
    """Whether there are frozen objects: counted once, as that takes long."""
    global _FROZEN
    _FROZEN = _FROZEN or gc.get_freeze_count() > 0
    return _FROZEN
