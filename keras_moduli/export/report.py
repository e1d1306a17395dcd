"""What an export wrote, and how it compares with its model."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        path: The file or folder.
        format: `"tflite"` or `"saved_model"`.
        layout: How the weights are stored (`"dense"`, ...).
        quantization: `None`, `"float16"` or `"int8"`.
        bytes: The size on disk.
        gzip_bytes: The size of every file gzipped, added up.
        operators: A dict from operator to how often it occurs.
        sparsity: A dict from weight path to its fraction of exact zeros.
        max_difference: The largest absolute difference from the Keras model
            over all outputs and inputs compared.
        relative_difference: The same relative to the largest value of the
            output concerned.
        median_difference: The median of the relative difference over all
            numbers compared, of inputs that are not extreme; `None` for
            SavedModels.
        high_difference: The 99th percentile of the same.
        tolerance: What was allowed for `relative_difference`.
        notes: Sentences on how the weights are stored and how they run.
        candidates: Where several layouts were tried, a dict for each with its
            size, latency and difference, or why it failed.
        arena_bytes: The tensor arena that the file needs on TFLite Micro, if
            it is for that.
        model_metrics: If the export was given targets, a dict from metric to
            what the Keras model has on them.
        file_metrics: What the file has on them.

    Example:

    ```python
    report = keras_moduli.export_saved_model(model, "saved_model")
    print(report.bytes, report.gzip_bytes, report.sparsity)
    ```
    """

    path: str
    format: str
    layout: str
    quantization: str | None
    bytes: int
    gzip_bytes: int
    operators: dict
    sparsity: dict
    max_difference: float
    relative_difference: float
    tolerance: float
    median_difference: float | None = None
    high_difference: float | None = None
    notes: tuple = ()
    candidates: tuple = ()
    arena_bytes: int | None = None
    model_metrics: dict | None = None
    file_metrics: dict | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts, lists, strings and numbers."""
        return dataclasses.asdict(self)

    def __str__(self):
        zeros = ", ".join(
            f"{path} {fraction:.1%}" for path, fraction in self.sparsity.items()
        )
        operators = ", ".join(
            f"{count} {name}" for name, count in self.operators.items()
        )
        return "\n".join(
            [
                f"{self.path}: {self.format}, {self.layout}, "
                f"{self.quantization or 'float32'}",
                f"  {self.bytes:,} bytes, {self.gzip_bytes:,} gzipped",
                f"  differs from Keras by at most {self.max_difference:.2g}"
                f"{self._relative()}",
                *self._arena(),
                *self._metrics(),
                f"  zeros: {zeros}",
                f"  operators: {operators}",
                *(f"  {note}" for note in self.notes),
                *(f"  tried {_trial(row)}" for row in self.candidates),
            ]
        )

    def _arena(self):
        if self.arena_bytes is not None:
            yield f"  tensor arena: {self.arena_bytes:,} bytes"

    def _metrics(self):
        for name, value in (self.model_metrics or {}).items():
            yield (
                f"  {name}: {value:.4g} of the Keras model, "
                f"{self.file_metrics[name]:.4g} of the file"
            )

    def _relative(self):
        if self.median_difference is None:
            return ""
        return (
            f", {self.relative_difference:.2g} of the largest output (median "
            f"{self.median_difference:.2g}, 99 % below "
            f"{self.high_difference:.2g})"
        )


def _trial(row):
    if "error" in row:
        return f"{row['layout']}: {row['error']}"
    return (
        f"{row['layout']}: {row['bytes']:,} bytes, {row['latency_ms']:.3f} ms"
    )
