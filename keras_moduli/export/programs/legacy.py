"""Models of tf_keras, which TF-MOT trains and strips."""

import sys

import numpy as np

from keras_moduli.export.conversion.converter import convert_function
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.programs.tracing import tensor_specs


def is_legacy(model):
    """Whether a model is one of tf_keras (which is then imported already)."""
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(model, tf_keras.Model)


def check_stripped(model):
    """Checks that a tf_keras model can be exported as it is."""
    for layer in model.submodules:
        if type(layer).__name__ == "PruneLowMagnitude":
            raise ValueError(
                "`model` must be stripped first: give "
                "`tfmot.sparsity.keras.strip_pruning(model)`. "
                f"Received: model={model.name!r} with '{layer.name}' wrapped"
            )
        if getattr(layer, "stateful", False):
            raise ValueError(
                "of tf_keras, `model` must not be stateful. Build it with "
                f"Keras 3. Received: model={model.name!r} with '{layer.name}'"
            )


class LegacyProgram(Program):
    """A tf_keras model as a plain function; its layers stay as they are."""

    def sparsity(self):
        return {
            variable.name: float(np.mean(variable.numpy() == 0))
            for variable in self.model.trainable_variables
            if len(variable.shape) >= 2 and "bias" not in variable.name
        }

    def converted(
        self, rewrites, batch_size, sequence_length, quantization, calibration
    ):
        import tensorflow as tf

        # No layout knows these layers, and `export_tflite` calibrates none.
        del rewrites, calibration
        function = tf.function(
            lambda **tensors: self.call(tensors), autograph=False
        ).get_concrete_function(
            **tensor_specs(self, batch_size, sequence_length)
        )
        # Weights become constants on this way, but the signature gets lost.
        return flatbuffer.with_signature(
            convert_function(function, quantization),
            SIGNATURE,
            [tensor.op.name for tensor in function.inputs[: len(self.specs)]],
            sorted(function.structured_outputs),
        )
