"""Whether numbers are told from other weights, in right and broken files."""

import keras
import numpy as np
import pytest

from keras_moduli import export_tflite
from keras_moduli.export import ExportError
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.verification.rounding import check_rounded

pytestmark = pytest.mark.slow

L = keras.layers
X = np.random.default_rng(0).integers(0, 40, (8, 6)).astype("int32")


def in_blocks(layer):
    """The recurrent kernel in blocks of 16 sources, some of them alive."""
    kernel = layer.cell.recurrent_kernel
    rows, columns = kernel.shape
    rng = np.random.default_rng(1)
    blocks = rng.random((rows // 16 + 1, columns)) < 0.3
    kernel.assign(kernel * np.repeat(blocks, 16, axis=0)[:rows])


def model_of(*layers):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            L.Embedding(40, 32, "glorot_normal"),
            *layers,
            L.Dense(40),
        ]
    )
    for layer in model.layers:
        if hasattr(layer, "cell"):
            in_blocks(layer)
    rng = np.random.default_rng(2)
    for weight in model.weights:
        if weight.path.endswith("bias"):
            weight.assign(rng.normal(size=weight.shape))
    return model


MODELS = {
    "LSTM": lambda: model_of(L.LSTM(32)),
    # The sources fill no blocks of 16: zeros are put after them.
    "padded": lambda: model_of(L.GRU(44)),
    "both ways": lambda: model_of(L.Bidirectional(L.SimpleRNN(48))),
}


# Where these read weights: factors, biases, tables, and what was rounded.
READS = {"FULLY_CONNECTED": (1, 2), "GATHER": (0,), "DEQUANTIZE": (0,)}


def weights(file):
    """The places of all weights, dense and sparse, each once."""
    found = {
        (number, int(operator.inputs[place]))
        for number, graph in enumerate(file.subgraphs)
        for operator in graph.operators
        for place in READS.get(flatbuffer.name_of(file, operator), ())
        if place < len(operator.inputs)
    }
    tensors = {
        (graph, index): file.subgraphs[graph].tensors[index]
        for graph, index in sorted(found)
        if index >= 0
    }
    return [
        place
        for place, tensor in tensors.items()
        if flatbuffer.data_of(file, tensor)
        and len(tensor.shape)  # the one of 1 - z is no weight
    ]


def one_changed(content, place):
    """A file with one number that is not what it was."""
    file = flatbuffer.read(content)
    graph, index = place
    tensor = file.subgraphs[graph].tensors[index]
    kind = flatbuffer.type_of(tensor)
    values = np.frombuffer(flatbuffer.data_of(file, tensor), kind).copy()
    largest = np.abs(values.astype("float64")).argmax()
    if kind == "int8":
        values[largest] = -values.clip(-127)[largest]
    elif kind == "int32":
        values[largest] -= 2 + abs(values[largest]) // 100
    else:
        values[largest] += 0.01 + abs(values[largest]) / 100
    file.buffers[tensor.buffer].data = values.view("uint8")
    return flatbuffer.write(file)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("quantization", ["float16", "int8", "full_int8"])
def test_one_number(tmp_path, name, layout, quantization):
    model = MODELS[name]()
    if name == "both ways" and layout == "sparse":
        pytest.skip("nothing is sparse there")
    contents = []
    for kind in quantization, None:
        path = tmp_path / f"{kind}.tflite"
        export_tflite(model, path, kind, layout, inputs=X, tolerance=1.0)
        contents.append(path.read_bytes())
    content, exact = contents
    check_rounded(content, exact)
    places = weights(flatbuffer.read(content))
    # Kernels, biases, and the table.
    assert len(places) >= 6
    for place in places:
        with pytest.raises(ExportError, match="other weights"):
            check_rounded(one_changed(content, place), exact)


@pytest.mark.parametrize("quantization", ["int8", "full_int8"])
def test_blocks_elsewhere(tmp_path, quantization):
    model = MODELS["LSTM"]()
    contents = []
    for kind in quantization, None:
        path = tmp_path / f"{kind}.tflite"
        export_tflite(model, path, kind, "sparse", inputs=X, tolerance=1.0)
        contents.append(path.read_bytes())
    file = flatbuffer.read(contents[0])
    (tensor,) = [
        t for g in file.subgraphs for t in g.tensors if t.sparsity is not None
    ]
    indices = tensor.sparsity.dimMetadata[1].arrayIndices
    right = np.array(indices.values)
    for wrong in 1 - right, right + 2:  # the other block, and none
        indices.values = wrong
        with pytest.raises(ExportError, match="other weights"):
            check_rounded(flatbuffer.write(file), contents[1])
