"""`export_saved_model`: a Keras model becomes a verified SavedModel."""

import collections
import gzip
import os
from typing import Any

import keras

from keras_moduli.export.arguments import check_choice
from keras_moduli.export.arguments import check_model
from keras_moduli.export.arguments import check_target
from keras_moduli.export.arguments import check_tolerance
from keras_moduli.export.errors import ExportError
from keras_moduli.export.layouts.compact import compact_module
from keras_moduli.export.layouts.compact import is_worth
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.programs.tracing import tensor_specs
from keras_moduli.export.programs.tracing import without_cudnn
from keras_moduli.export.report import ExportReport
from keras_moduli.export.verification.comparison import check_difference
from keras_moduli.export.verification.comparison import largest_difference
from keras_moduli.export.verification.samples import samples
from keras_moduli.models.sparsity import sparsity
from keras_moduli.utils import files

_BATCH_SIZE = 2  # of the inputs compared; the SavedModel takes any


def export_saved_model(
    model: keras.Model,
    path: str | os.PathLike[str],
    layout: str = "auto",
    *,
    inputs: Any = None,
    tolerance: float | None = None,
) -> ExportReport:
    """Writes a Keras model as a SavedModel for inference.

    It holds the variables that inference uses and nothing else: no optimizer,
    no regularizer's embedding. It needs TensorFlow only:
    `tf.saved_model.load(path).serve(x)`, `keras.layers.TFSMLayer(path)` and
    TensorFlow Serving (signature `"serving_default"`) run it. The folder
    takes its name only after it was loaded and gave what Keras gives.

    Args:
        model: A built `keras.Model` with finite weights.
        path: The folder to write. What stands there is replaced once the new
            folder is known to be right.
        layout: `"dense"` stores every weight. `"compact"` stores the nonzeros
            of weights that have many zeros, and unpacks them once when the
            folder is loaded; the model is as fast as a dense one. `"auto"` is
            compact if that makes any weight much smaller. Defaults to
            `"auto"`.
        inputs: Real examples to verify with, besides made ones, in the
            structure `model.predict` takes. Subclassed models need them.
        tolerance: The largest allowed difference, relative to the largest
            output of the model on the inputs compared. Defaults to 1e-4.

    Returns:
        A `keras_moduli.export.report.ExportReport`.

    Raises:
        TypeError, ValueError: If an argument cannot work; nothing is written.
        ExportError: If the model cannot be saved, or what was written does
            not give what the model gives. What stood at `path` stays.

    Example:

    ```python
    keras_moduli.export_saved_model(model, "saved_model")
    layer = keras.layers.TFSMLayer("saved_model")
    ```
    """
    import tensorflow as tf

    path = check_target(path, None)
    check_model(model)
    check_choice("layout", layout, ("auto", "dense", "compact"))
    tolerance = check_tolerance(tolerance) or 1e-4
    program = Program(model, inputs)
    batch_size = program.fixed_batch_size or _BATCH_SIZE
    typical, extreme = samples(program, batch_size, inputs=inputs)
    batches = typical + extreme
    references = program.reference(batches)
    with files.atomic_path(path) as temporary:
        with program.fresh_state():
            module, signature = _module(program)
            used = _used(model, signature)
            layout = _chosen(layout, used)
            if layout == "compact":
                module, signature = compact_module(program, used)
            try:
                tf.saved_model.save(
                    module, temporary, signatures={SIGNATURE: signature}
                )
            except (ValueError, tf.errors.OpError) as error:
                raise ExportError(
                    f"TensorFlow cannot save this model: {error}"
                ) from error
        absolute, relative = largest_difference(
            _answers(temporary, batches), references
        )
        check_difference(absolute, relative, tolerance)
        sizes = {
            "bytes": files.size_of(temporary),
            "gzip_bytes": _gzip_size(temporary),
        }
    return ExportReport(
        path=str(path),
        format="saved_model",
        layout=layout,
        quantization=None,
        **sizes,
        operators=_operators(signature),
        sparsity=sparsity(model) if model.weights else {},
        max_difference=absolute,
        relative_difference=relative,
        tolerance=tolerance,
    )


def _module(program):
    """The object to save and its signature function."""
    import tensorflow as tf

    specs = tensor_specs(program, None)
    module = tf.Module()
    module.serve = tf.function(
        lambda inputs: program.model(inputs, training=False),
        input_signature=[program.pack(specs)],
        autograph=False,
    )
    with without_cudnn(program.model):
        module.serve.get_concrete_function()
        signature = tf.function(
            lambda **tensors: program.call(tensors), autograph=False
        ).get_concrete_function(**specs)
    # Tracking the model would save every weight it has; the graph knows which
    # of them inference reads.
    module.variables_used = list(signature.variables)
    return module, signature


def _used(model, signature):
    """The variables of the model that a concrete function reads."""
    read = {id(variable) for variable in signature.variables}
    return [v for v in model.variables if id(v.value) in read]


def _chosen(layout, used):
    if layout == "dense":
        return layout
    useful = any(is_worth(weight) for weight in used)
    if layout == "compact" and not useful:
        raise ValueError(
            "`layout` 'compact' is of no use for this model: no weight of "
            "1,024 or more values has enough zeros (about 35 %); 'dense' and "
            "'auto' work. Received: layout='compact'"
        )
    return "compact" if useful else "dense"


def _answers(path, batches):
    """What the folder gives through plain TensorFlow."""
    import tensorflow as tf

    with tf.device("CPU:0"):  # as the references are
        function = tf.saved_model.load(path).signatures[SIGNATURE]
    return [
        {
            name: keras.ops.convert_to_numpy(value)
            for name, value in function(
                **{name: tf.constant(array) for name, array in batch.items()}
            ).items()
        }
        for batch in batches
    ]


def _operators(function):
    """How often each TensorFlow operation occurs, in loop bodies too."""
    graph = function.graph.as_graph_def()
    counts = collections.Counter(node.op for node in graph.node)
    for body in graph.library.function:
        counts.update(node.op for node in body.node_def)
    return dict(counts.most_common())


def _gzip_size(folder):
    return sum(
        len(gzip.compress(file.read_bytes()))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    )
