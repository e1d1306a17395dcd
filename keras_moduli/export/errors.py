"""What can go wrong although every argument was right."""


class ExportError(RuntimeError):
    """The model could not be exported, or what was written is not right.

    Nothing is left at the target path, and what stood there before stays.
    """
