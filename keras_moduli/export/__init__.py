"""A trained model becomes a file that other programs run: always verified.

Nothing here imports TensorFlow or LiteRT before it is called.
"""

from keras_moduli.export.c_array import write_c_array as write_c_array
from keras_moduli.export.errors import CoarseWarning as CoarseWarning
from keras_moduli.export.errors import ExportError as ExportError
from keras_moduli.export.evaluation import evaluate_tflite as evaluate_tflite
from keras_moduli.export.inspection import inspect as inspect
from keras_moduli.export.report import ExportReport as ExportReport
from keras_moduli.export.saved_model import (
    export_saved_model as export_saved_model,
)
from keras_moduli.export.tflite import export_tflite as export_tflite
