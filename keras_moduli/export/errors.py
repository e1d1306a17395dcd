"""What can go wrong although every argument was right."""

import re


class ExportError(RuntimeError):
    """The model could not be exported, or what was written is not right.

    Nothing is left at the target path, and what stood there before stays.

    Example:

    ```python
    try:
        keras_moduli.export_tflite(model, "model.tflite", tolerance=1e-12)
    except keras_moduli.export.ExportError as error:
        print(error)
    ```
    """


class CoarseWarning(UserWarning):
    """A file is right, but single numbers are far from the model's.

    Example:

    ```python
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", keras_moduli.export.CoarseWarning)
        keras_moduli.export_tflite(model, "model.tflite", "int8")
    ```
    """


def explanation(message):
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
