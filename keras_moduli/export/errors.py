"""What can go wrong although every argument was right."""


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
