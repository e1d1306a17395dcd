"""The script that `calibration` starts; it imports TensorFlow alone."""

import sys
from pathlib import Path

import numpy as np

from keras_moduli_command import quick_imports

RESULT = "calibrated.tflite"
MESSAGE = "message.txt"


def main(folder, *signatures):
    """Converts the SavedModel in a folder, and writes the file there."""
    with quick_imports():
        import tensorflow as tf

    folder = Path(folder)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=list(signatures)
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: (
        (signature, feed)
        for signature in signatures
        for feed in _feeds(folder / f"{signature}.npz")
    )
    try:
        (folder / RESULT).write_bytes(converter.convert())
    except Exception as error:  # the converter raises bare Exceptions
        (folder / MESSAGE).write_text(str(error), encoding="utf-8")
        raise


def _feeds(path):
    arrays = dict(np.load(path))
    for index in range(len(next(iter(arrays.values())))):
        yield {name: array[index] for name, array in arrays.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
