"""What an exported file says about where it comes from."""

import keras

from keras_moduli.models.layers import all_layers
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.version import __version__


def description(program, quantization):
    """A dict of plain values: producer, model, sparsity, moduli spaces."""
    model, zeros = program.model, program.sparsity()
    return {
        "producer": f"keras_moduli {__version__}, keras {keras.__version__}",
        "model": model.name,
        "quantization": quantization,
        "sparsity": {path: round(value, 6) for path, value in zeros.items()},
        "spaces": _spaces(model),
    }


def _spaces(model):
    """The space and inhibitor of every regularizer, by layer path."""
    return {
        layer.path: {
            "space": repr(found.space),
            "inhibitor": repr(found.inhibitor),
        }
        for layer in all_layers(model)
        if isinstance(
            found := getattr(layer, "recurrent_regularizer", None),
            ModuliRegularizer,
        )
    }
