"""`keras-moduli export`: a saved model as a file for a runtime."""

import warnings
import zipfile

import keras
import numpy as np

from keras_moduli.export import CoarseWarning
from keras_moduli.export import export_tflite
from keras_moduli.export import write_c_array
from keras_moduli.export.arguments import check_target


def export(arguments):
    """Writes what the arguments of the command line ask for.

    Args:
        arguments: What `commands.parser` gave for `export`.

    Returns:
        The `ExportReport`.

    Raises:
        TypeError, ValueError, OSError, ImportError: If an argument cannot be
            used; nothing is written then.
        ExportError: If the file would not give what the model gives.
    """
    header = arguments.c_array
    if header is not None:
        check_target(header, ".h")
    with warnings.catch_warnings():
        # The report says so too.
        warnings.simplefilter("ignore", CoarseWarning)
        report = export_tflite(
            _model(arguments.model),
            arguments.file,
            arguments.quantization,
            layout=arguments.layout,
            # TFLite Micro runs nothing else.
            streaming=arguments.streaming or arguments.runtime == "micro",
            sequence_length=arguments.sequence_length,
            inputs=_array("inputs", arguments.inputs),
            targets=_array("targets", arguments.targets),
            metrics=arguments.metrics,
            runtime=arguments.runtime,
        )
    if header is not None:
        write_c_array(arguments.file, header)
    return report


def _model(path):
    """The model of a .keras file; the package's own layers are known."""
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "`model` must be a .keras file that `model.save` wrote. "
            f"Received: {path}"
        )
    return keras.saving.load_model(path)


def _array(name, path):
    """The array of an .npy file, the dict of an .npz one, `None` for none."""
    if path is None:
        return None
    try:
        found = np.load(path, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else dict(found)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"`{name}` must be a file that `numpy.save` or `numpy.savez` "
            f"wrote. Received: {path}"
        ) from error
