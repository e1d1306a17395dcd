"""TFLite's sparse tensors: only the nonzeros and where they stand.

The layout is that of `SparsityParameters` in the TFLite schema: the last
axis, or blocks along it, is compressed (CSR), the axes before it are dense.
"""

import numpy as np


class Elements:
    """Every nonzero by itself."""

    block = 1

    def stores(self, weights):
        """How many values would be stored."""
        return int(np.count_nonzero(weights))

    def encode(self, weights):
        """The values and the `SparsityParametersT` of an array."""
        return _encode(weights[..., None])


class Blocks:
    """Runs of nonzeros along the last axis, which the block must divide.

    Args:
        block: How many values make a block.
    """

    def __init__(self, block):
        self.block = block

    def stores(self, weights):
        alive = self._split(weights).any(axis=-1)
        return int(np.count_nonzero(alive)) * self.block

    def encode(self, weights):
        return _encode(self._split(weights))

    def fits(self, weights):
        """Whether whole blocks fill the last axis."""
        return weights.shape[-1] % self.block == 0

    def _split(self, weights):
        return weights.reshape(*weights.shape[:-1], -1, self.block)


def decode(values, sparsity, shape):
    """The array that `encode` made `values` and `sparsity` of.

    Raises:
        IndexError, ValueError: If they are of no array of this shape.
    """
    axis = sparsity.dimMetadata[len(shape) - 1]
    blocked = len(sparsity.dimMetadata) > len(shape)
    block = sparsity.dimMetadata[-1].denseSize if blocked else 1
    counts = np.diff(np.asarray(axis.arraySegments.values, "int64"))
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.asarray(axis.arrayIndices.values, "int64")
    blocks = np.zeros((len(counts), shape[-1] // block, block), values.dtype)
    blocks[rows, columns] = values.reshape(-1, block)
    return blocks.reshape(tuple(shape))


def stored_bytes(form, weights):
    """About how many bytes a sparse tensor takes in the file."""
    values = form.stores(weights)
    columns = weights.shape[-1] // form.block
    index = _index_type(columns)[0]().itemsize
    segment = _index_type(values // form.block)[0]().itemsize
    rows = weights.size // weights.shape[-1]
    return (
        values * weights.itemsize
        + values // form.block * index
        + (rows + 1) * segment
    )


def _encode(blocks):
    """Compresses the axis before the last of an array of blocks."""
    from ai_edge_litert import schema_py_generated as schema

    *outer, columns, block = blocks.shape
    rows = blocks.reshape(-1, columns, block)
    alive = (rows != 0).any(axis=-1)
    if not alive.any():
        alive[0, 0] = True  # a tensor without data would be no constant
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = list(range(len(outer) + 1 + (block > 1)))
    sparsity.blockMap = [len(outer)] if block > 1 else []
    sparsity.dimMetadata = [_dense_axis(schema, size) for size in outer]
    sparsity.dimMetadata.append(
        _compressed_axis(
            schema,
            np.concatenate([[0], np.cumsum(alive.sum(axis=1))]),
            np.nonzero(alive)[1],
            columns,
        )
    )
    if block > 1:
        sparsity.dimMetadata.append(_dense_axis(schema, block))
    return rows[alive].reshape(-1), sparsity


def _dense_axis(schema, size):
    axis = schema.DimensionMetadataT()
    axis.format = schema.DimensionType.DENSE
    axis.denseSize = size
    return axis


def _compressed_axis(schema, segments, indices, columns):
    axis = schema.DimensionMetadataT()
    axis.format = schema.DimensionType.SPARSE_CSR
    axis.arraySegmentsType, axis.arraySegments = _vector(
        schema, segments, segments[-1]
    )
    axis.arrayIndicesType, axis.arrayIndices = _vector(schema, indices, columns)
    return axis


def _vector(schema, numbers, largest):
    dtype, kind = _index_type(largest)
    vector = getattr(schema, f"{kind}T")()
    vector.values = numbers.astype(dtype)
    return getattr(schema.SparseIndexVector, kind), vector


def _index_type(largest):
    """The smallest integers that hold numbers up to `largest`."""
    if largest <= np.iinfo("uint8").max:
        return np.uint8, "Uint8Vector"
    if largest <= np.iinfo("uint16").max:
        return np.uint16, "Uint16Vector"
    return np.int32, "Int32Vector"
