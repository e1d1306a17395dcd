"""`inspect`: what a .tflite file holds, and what to beware of."""

import dataclasses
import gzip
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import traps
from keras_moduli.export.flatbuffers.gathered import gathered_weights
from keras_moduli.export.flatbuffers.micro_traps import micro_warnings


@dataclasses.dataclass(frozen=True)
class Weights:
    """A constant tensor in a file.

    Attributes:
        name: Its name.
        shape: Its shape.
        type: Its type (`"float32"`, `"int8"`, ...).
        bytes: What its values take in the file.
        sparsity: The fraction of zeros, or `None` if the type is not known.
        stored: `"dense"`, `"sparse"` or `"sparse, blocks of 4"`.
    """

    name: str
    shape: tuple
    type: str
    bytes: int
    sparsity: float | None
    stored: str


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What a .tflite file holds.

    Attributes:
        path: The file.
        bytes: Its size.
        gzip_bytes: Its size when gzipped.
        operators: A dict from operator to how often it occurs.
        signatures: A dict from signature to a dict of its `"inputs"` and
            `"outputs"`, each from name to a description.
        weights: A list of `Weights`, the largest first.
        gathered: A list of the kernels in the layout `"gathered"`, with
            `groups`, `group_size`, `gates`, `fan_in` (the sources that each
            group reads), `type`, `bytes`, `sparsity` and `operator`.
        metadata: What `export_tflite` noted in the file, `None` in others.
        warnings: What will not run everywhere, or gives wrong numbers.
        micro_warnings: What TFLite Micro gets wrong or does not load.
    """

    path: str
    bytes: int
    gzip_bytes: int
    operators: dict
    signatures: dict
    weights: list
    gathered: list
    metadata: dict | None
    warnings: list
    micro_warnings: list

    def to_dict(self) -> dict[str, Any]:
        """The inspection as plain dicts, lists, strings and numbers."""
        return dataclasses.asdict(self)

    def __str__(self):
        lines = [
            f"{self.path}: {self.bytes:,} bytes, {self.gzip_bytes:,} gzipped"
        ]
        for name, signature in self.signatures.items():
            lines.append(f"signature {name}")
            for side, tensors in signature.items():
                lines += [f"  {side[:-1]} {n}: {t}" for n, t in tensors.items()]
        lines.append("operators")
        lines += [
            f"  {count:4} {name}" for name, count in self.operators.items()
        ]
        lines.append("weights (of 256 values or more)")
        lines += [f"  {_line(weights)}" for weights in self.weights]
        if self.gathered:
            lines.append("gathered kernels, which are among these weights")
            lines += [f"  {kernel}" for kernel in self.gathered]
        for key, value in (self.metadata or {}).items():
            lines.append(f"{key}: {value}")
        lines += [f"WARNING: {sentence}" for sentence in self.warnings]
        if not self.warnings:
            lines.append("no warnings")
        lines += [f"on TFLite Micro: {text}" for text in self.micro_warnings]
        return "\n".join(lines)


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Reads a .tflite file, ours or not, without running it.

    Args:
        path: The file.

    Returns:
        An `Inspection`; `print` it to read it.

    Raises:
        ValueError: If there is no .tflite file at `path`.

    Example:

    ```python
    keras_moduli.export_tflite(model, "model.tflite")
    print(keras_moduli.export.inspect("model.tflite"))
    ```
    """
    content = _content(path)
    try:
        model = flatbuffer.read(content)
        return Inspection(
            path=str(path),
            bytes=len(content),
            gzip_bytes=len(gzip.compress(content)),
            operators=flatbuffer.operator_names(model),
            signatures=_signatures(model),
            weights=_weights(model),
            gathered=gathered_weights(model),
            metadata=flatbuffer.metadata(model),
            warnings=traps.warnings(model),
            micro_warnings=micro_warnings(model),
        )
    except Exception as error:  # a broken file can break the reader anywhere
        raise ValueError(
            f"`path` must be a whole .tflite file; this one is damaged "
            f"({type(error).__name__}: {error}). Received: path={str(path)!r}"
        ) from error


def _content(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            "`path` must be a string or a path object. "
            f"Received: path={path!r} (of type {type(path).__name__})"
        )
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"`path` must be a file that can be read: {error.strerror}. "
            f"Received: path={str(path)!r}"
        ) from error
    if content[4:8] != b"TFL3":
        raise ValueError(
            "`path` must be a .tflite file; this one does not begin like one. "
            f"Received: path={str(path)!r}"
        )
    return content


def _signatures(model):
    return {
        signature.signatureKey.decode(): {
            side: {
                entry.name.decode(): _description(
                    model.subgraphs[signature.subgraphIndex].tensors[
                        entry.tensorIndex
                    ]
                )
                for entry in getattr(signature, side) or []
            }
            for side in ("inputs", "outputs")
        }
        for signature in model.signatureDefs or []
    }


def _description(tensor):
    open_shape = tensor.shapeSignature
    shape = tensor.shape if open_shape is None else open_shape
    sizes = [
        "?" if size < 0 else str(size) for size in flatbuffer.listed(shape)
    ]
    return f"{flatbuffer.type_of(tensor)} ({', '.join(sizes)})"


def _weights(model):
    found = [
        _one(model, tensor)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if math.prod(_shape(tensor)) >= 256
        and flatbuffer.data_of(model, tensor) is not None
    ]
    return sorted(found, key=lambda weights: -weights.bytes)


def _one(model, tensor):
    data = flatbuffer.data_of(model, tensor)
    values = flatbuffer.values_of(model, tensor)
    shape = _shape(tensor)
    return Weights(
        name=(tensor.name or b"").decode(),
        shape=shape,
        type=flatbuffer.type_of(tensor),
        bytes=len(data),
        sparsity=None
        if values is None
        else 1 - int(np.count_nonzero(values)) / math.prod(shape),
        stored=_stored(tensor),
    )


def _shape(tensor):
    # In Python's integers: a damaged file's product need not fit NumPy's.
    return tuple(int(size) for size in flatbuffer.listed(tensor.shape))


def _stored(tensor):
    if tensor.sparsity is None:
        return "dense"
    axes = tensor.sparsity.dimMetadata
    if len(axes) > len(tensor.shape):
        return f"sparse, blocks of {axes[-1].denseSize}"
    return "sparse"


def _line(weights):
    zeros = (
        "" if weights.sparsity is None else f", {weights.sparsity:.1%} zeros"
    )
    shape = "x".join(map(str, weights.shape))
    return (
        f"{weights.bytes:>10,} bytes  {shape} {weights.type}, "
        f"{weights.stored}{zeros}  {weights.name[-50:]}"
    )
