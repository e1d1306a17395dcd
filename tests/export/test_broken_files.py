"""Files that were broken on purpose, each in one place: none is delivered."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import keras_moduli
from keras_moduli.export import ExportError
from keras_moduli.export import candidates
from keras_moduli.export.flatbuffers import flatbuffer

UNITS, TOKENS = 32, 24
FLOAT, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((10,), dtype="int32"),
        keras.layers.Embedding(TOKENS, 16, "glorot_normal"),
        keras.layers.LSTM(UNITS, return_sequences=True),
        keras.layers.Dense(5, bias_initializer="uniform"),
    ]
    model = keras.Sequential(layers)
    cell = model.layers[1].cell
    rng = np.random.default_rng(0)
    alive = np.repeat(rng.random((UNITS // 4, 4 * UNITS)) < 0.2, 4, 0)
    cell.recurrent_kernel.assign(3 * cell.recurrent_kernel * alive)
    return model


def attempt(model, folder, monkeypatch, breaking, **options):
    """Exports a model, every file of which is broken before it is run."""
    right = flatbuffer.with_metadata
    broken = []

    def with_metadata(content, values):
        file = flatbuffer.read(content)
        breaking(file)
        broken.append(flatbuffer.write(file))
        assert broken[-1] != flatbuffer.write(flatbuffer.read(content))
        return right(broken[-1], values)

    monkeypatch.setattr(candidates.flatbuffer, "with_metadata", with_metadata)
    try:
        return keras_moduli.export_tflite(
            model, folder / "model.tflite", **options
        )
    finally:
        assert broken


def tensors(file, shape, kind=FLOAT):
    """The constants of a shape."""
    found = [
        tensor
        for graph in file.subgraphs
        for tensor in graph.tensors
        if tensor.shape is not None
        and tuple(tensor.shape) == shape
        and tensor.type == kind
        and flatbuffer.data_of(file, tensor)
    ]
    assert found
    return found


def change(file, tensor, how):
    """Changes the values of a constant in place."""
    dtype = "int8" if tensor.type == INT8 else "float32"
    values = np.frombuffer(flatbuffer.data_of(file, tensor), dtype)
    dense = tensor.sparsity is None
    changed = how(values.reshape(tensor.shape) if dense else values).copy()
    file.buffers[tensor.buffer].data = np.frombuffer(
        changed.astype(dtype).tobytes(), "uint8"
    )


def weights(shape, how, kind=FLOAT):
    def breaking(file):
        change(file, tensors(file, shape, kind)[0], how)

    return breaking


def operators(file, name):
    return [
        operator
        for graph in file.subgraphs
        for operator in graph.operators or []
        if flatbuffer.name_of(file, operator) == name
    ]


def one_negated(values):
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    values = values.copy()
    values[place] *= -1
    return values


def other_activation(file):
    """TANH where LOGISTIC was."""
    codes = {flatbuffer.name_of(file, o): o for o in _all(file)}
    for operator in operators(file, "LOGISTIC")[:1]:
        operator.opcodeIndex = codes["TANH"].opcodeIndex


def _all(file):
    return [o for graph in file.subgraphs for o in graph.operators or []]


def gates_renamed(file):
    """Every gate takes the sum of another one."""
    splits = operators(file, "SPLIT")
    splits[0].outputs = np.roll(splits[0].outputs, 1)


def no_bias(file):
    """A product that forgets its bias, or adds one that is not its own."""
    shape = (4 * UNITS,)
    for tensor in tensors(file, shape):
        change(file, tensor, lambda values: 0 * values + 0.1)


def states(file, side):
    (signature,) = file.signatureDefs
    found = {m.name: m for m in getattr(signature, side)}
    return found[b"state_0"], found[b"state_1"]


def states_crossed(file):
    one, other = states(file, "outputs")
    one.tensorIndex, other.tensorIndex = other.tensorIndex, one.tensorIndex


def state_stands_still(file):
    """What comes out is what went in."""
    states(file, "outputs")[0].tensorIndex = states(file, "inputs")[
        0
    ].tensorIndex


def state_is_lost(file):
    """The next step reads zeros in place of the state."""
    graph = file.subgraphs[0]
    place = states(file, "inputs")[0].tensorIndex
    zero = schema.TensorT()
    zero.shape, zero.type = graph.tensors[place].shape, FLOAT
    zero.name, zero.buffer = b"zero", len(file.buffers)
    buffer = schema.BufferT()
    buffer.data = np.zeros(4 * int(np.prod(zero.shape)), "uint8")
    file.buffers.append(buffer)
    graph.tensors.append(zero)
    for operator in graph.operators:
        inputs = np.array(operator.inputs)
        inputs[inputs == place] = len(graph.tensors) - 1
        operator.inputs = inputs


def scales(factor):
    """A quantized kernel with the wrong scale."""

    def breaking(file):
        tensor = tensors(file, (4 * UNITS, UNITS), INT8)[0]
        scale = np.array(tensor.quantization.scale)
        tensor.quantization.scale = scale * factor

    return breaking


def _sparse(file):
    (tensor,) = [
        t for g in file.subgraphs for t in g.tensors if t.sparsity is not None
    ]
    return tensor


def sparse_version(file):
    """XNNPACK takes the compressed values for a dense matrix."""
    (operator,) = [
        o
        for g in file.subgraphs
        for o in g.operators
        if flatbuffer.name_of(file, o) == "FULLY_CONNECTED"
        and g.tensors[o.inputs[1]].sparsity is not None
    ]
    file.operatorCodes[operator.opcodeIndex].version = 1


def sparse_indices(file):
    """Blocks that stand elsewhere."""
    indices = _sparse(file).sparsity.dimMetadata[1].arrayIndices
    indices.values = np.array(indices.values)[::-1].copy()


def sparse_values(file):
    """One block that is zero."""

    def without(values):
        values = values.copy()
        values[:4] = 0
        return values

    change(file, _sparse(file), without)


GATES = (4 * UNITS, UNITS)  # as FULLY_CONNECTED stores kernels
BROKEN = {
    "one weight": weights(GATES, one_negated),
    "transposed": weights((5, UNITS), lambda v: v.reshape(UNITS, 5).T),
    "two units swapped": weights(
        GATES, lambda v: v[:, [1, 0, *range(2, UNITS)]]
    ),
    "gates swapped": weights(GATES, lambda v: np.roll(v, UNITS, 0)),
    "gates after their product": gates_renamed,
    "tokens shifted": weights((TOKENS, 16), lambda v: np.roll(v, 1, 0)),
    "one token lost": weights(
        (TOKENS, 16), lambda v: v * (np.arange(TOKENS) > 0)[:, None]
    ),
    "not a number": weights((5, UNITS), lambda v: v * np.nan),
    "activation": other_activation,
    "bias": no_bias,
}
STREAMING = {
    "states crossed": states_crossed,
    "a state that stands still": state_stands_still,
    "a state that is lost": state_is_lost,
}
QUANTIZED = {
    "all scales": scales(1.5),
    "some scales": scales(np.where(np.arange(4 * UNITS) < 8, 3, 1)),
    "rows reversed": weights((4 * UNITS, 16), lambda v: v[::-1], INT8),
    "signs": weights(GATES, lambda v: -v.clip(-127), INT8),
    # This net hardly remembers: most numbers do without the kernel.
    "no recurrence": weights(GATES, lambda v: v * 0, INT8),
}
SPARSE = {
    "version": sparse_version,
    "indices": sparse_indices,
    "values": sparse_values,
}


def check_refused(model, folder, monkeypatch, breaking, **options):
    with pytest.raises(ExportError):
        attempt(model, folder, monkeypatch, breaking, **options)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [*STREAMING, *(pytest.param(n, marks=pytest.mark.slow) for n in BROKEN)],
)
def test_one_step(model, tmp_path, monkeypatch, name):
    breaking = {**BROKEN, **STREAMING}[name]
    check_refused(
        model, tmp_path, monkeypatch, breaking, layout="dense", streaming=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_whole_sequence(model, tmp_path, monkeypatch, name):
    check_refused(model, tmp_path, monkeypatch, BROKEN[name], layout="dense")


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_weights(model, tmp_path, monkeypatch, name):
    check_refused(
        model,
        tmp_path,
        monkeypatch,
        SPARSE[name],
        layout="sparse",
        streaming=True,
    )


@pytest.mark.parametrize("name", QUANTIZED)
def test_int8(model, tmp_path, monkeypatch, name):
    check_refused(
        model,
        tmp_path,
        monkeypatch,
        QUANTIZED[name],
        quantization="int8",
        layout="dense",
        streaming=True,
    )


def sparse_nothing(file):
    change(file, _sparse(file), lambda values: values * 0)


def test_sparse_int8_weights(model, tmp_path, monkeypatch):
    check_refused(
        model,
        tmp_path,
        monkeypatch,
        sparse_nothing,
        quantization="int8",
        layout="sparse",
        streaming=True,
    )


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_full_int8(model, tmp_path, monkeypatch, layout):
    nothing = weights(GATES, lambda v: v * 0, INT8)
    check_refused(
        model,
        tmp_path,
        monkeypatch,
        sparse_nothing if layout == "sparse" else nothing,
        quantization="full_int8",
        layout=layout,
        streaming=True,
        inputs=np.random.default_rng(1).integers(0, TOKENS, (16, 10)),
    )


def test_a_tolerance_of_ones_own_leaves_nothing_to_medians(
    model, tmp_path, monkeypatch
):
    """Of a net that hardly remembers, most numbers do without its memory."""
    check_refused(
        model,
        tmp_path,
        monkeypatch,
        weights(GATES, lambda v: v * 0, INT8),
        quantization="int8",
        layout="dense",
        streaming=True,
        tolerance=0.1,
    )


def test_auto_leaves_out_what_is_broken(model, tmp_path, monkeypatch):
    def breaking(file):
        stored = [t for g in file.subgraphs for t in g.tensors if t.sparsity]
        if stored:
            sparse_values(file)
        else:
            file.description = b"not broken"

    report = attempt(model, tmp_path, monkeypatch, breaking, streaming=True)
    assert report.layout != "sparse"
    (error,) = [row for row in report.candidates if "error" in row]
    assert error["layout"] == "sparse" and "does not give" in error["error"]
