"""What can go wrong when a .tflite file runs, seen from the file alone.

Each rule looks at one finished file, ours or not, and gives sentences.
"""

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer

# The version that says "sparse" to delegates; with any other number XNNPACK
# takes the compressed values for a dense matrix.
_SPARSE_VERSION = 8
_INT8_ROWS = 4096


def warnings(model):
    """All warnings about a model read by `flatbuffer.read`.

    Returns:
        A list of strings, empty if nothing is known to be wrong.
    """
    return [sentence for rule in _RULES for sentence in rule(model)]


def _flex(model):
    names = [
        code.customCode.decode()
        for code in model.operatorCodes
        if code.customCode
    ]
    flex = sorted(name for name in names if name.startswith("Flex"))
    other = sorted(name for name in names if not name.startswith("Flex"))
    if flex:
        yield (
            f"needs the Select-TF-ops (Flex) delegate for {', '.join(flex)}: "
            "stock mobile runtimes and pip wheels cannot run it"
        )
    if other:
        yield f"needs custom operators: {', '.join(other)}"


def _densify(model):
    count = flatbuffer.operator_names(model).get("DENSIFY", 0)
    if count:
        yield (
            f"unpacks {count} sparse tensor(s) when loaded (DENSIFY): small on "
            "disk, as large in memory and as slow as dense"
        )


def _densified_int8(model):
    for graph, operator in _nodes(model, "DENSIFY"):
        tensor = graph.tensors[operator.inputs[0]]
        if flatbuffer.type_of(tensor) == "int8":
            yield (
                f"{_name(tensor)}: int8 behind DENSIFY; the default delegates "
                "refuse to prepare such a file"
            )


def _sparse_products(model):
    for graph, operator in _nodes(model, "FULLY_CONNECTED"):
        tensor = graph.tensors[operator.inputs[1]]
        if tensor.sparsity is None:
            continue
        version = model.operatorCodes[operator.opcodeIndex].version
        kind = flatbuffer.type_of(tensor)
        sources = int(tensor.shape[-1])
        block = _block(tensor)
        if version != _SPARSE_VERSION:
            yield (
                f"{_name(tensor)}: sparse weights in a FULLY_CONNECTED of "
                f"version {version}, not {_SPARSE_VERSION}; XNNPACK reads "
                "them as dense and gives wrong numbers"
            )
        if kind == "int8" and sources > _INT8_ROWS:
            yield (
                f"{_name(tensor)}: {sources} sources in int8 blocks; more "
                f"than {_INT8_ROWS} overflow the kernel's counters and give "
                "wrong numbers"
            )
        if sources % block or _lost_rows(tensor, block):
            yield (
                f"{_name(tensor)}: {sources} sources do not fill blocks of "
                f"{block}; the last {sources % block} are ignored"
            )


def _sparse_half(model):
    for graph, operator in _nodes(model, "DEQUANTIZE"):
        tensor = graph.tensors[operator.inputs[0]]
        if tensor.sparsity is not None:
            yield (
                f"{_name(tensor)}: sparse weights read by DEQUANTIZE without "
                "DENSIFY before it; the output is not a number"
            )


def _gathered_half(model):
    for graph, operator in _nodes(model, "GATHER"):
        unpacked = _made_by(model, graph, "DEQUANTIZE", operator)
        if unpacked and _made_by(model, graph, "DENSIFY", unpacked):
            table = graph.tensors[operator.inputs[0]]
            yield (
                f"{_name(table)}: sparse float16 weights that are gathered "
                "from; the default delegates give wrong numbers"
            )


def _made_by(model, graph, name, reader):
    """The operator of a name that makes the first thing another one reads."""
    maker = flatbuffer.makers(graph).get(int(reader.inputs[0]))
    found = maker and flatbuffer.name_of(model, maker) == name
    return maker if found else None


def _computed_shapes(model):
    for graph in model.subgraphs:
        computed = False
        for operator in graph.operators or []:
            name = flatbuffer.name_of(model, operator)
            if name == "RESHAPE" and len(operator.inputs) > 1:
                shape = graph.tensors[operator.inputs[1]]
                computed |= flatbuffer.data_of(model, shape) is None
            if name == "WHILE" and computed:
                yield (
                    "a RESHAPE before a loop to a shape that is computed when "
                    "it runs: the default delegates may answer every call but "
                    "the first with numbers of the call before"
                )
                return


def _batched_int8(model):
    for graph, operator in _nodes(model, "BATCH_MATMUL"):
        left, right = (graph.tensors[index] for index in operator.inputs[:2])
        kinds = flatbuffer.type_of(left), flatbuffer.type_of(right)
        if kinds == ("float32", "int8"):
            yield (
                f"{_name(right)}: int8 weights in a BATCH_MATMUL with float32 "
                "activations; LiteRT 2 takes longer with every run"
            )


def copied_outputs(model):
    """Says if a loop makes all of its outputs anew at every step."""
    for _, loop in _nodes(model, "WHILE"):
        body = model.subgraphs[loop.builtinOptions.bodySubgraphIndex]
        made_by = {
            index: flatbuffer.name_of(model, operator)
            for index, operator in flatbuffer.makers(body).items()
        }
        for operator in body.operators or []:
            # What is before the new one, the new one, and what is after.
            read = [made_by.get(i) for i in flatbuffer.listed(operator.inputs)]
            if (
                flatbuffer.name_of(model, operator) == "CONCATENATION"
                and read.count("SLICE") > 1
            ):
                yield (
                    "a loop copies the outputs of all steps at every step: "
                    "the longer the sequence, the longer each takes. "
                    "`export_tflite` has no such loop for an LSTM, GRU or "
                    "SimpleRNN of fixed length, the model's own or "
                    "`sequence_length`"
                )
                return


def _nodes(model, name):
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            if flatbuffer.name_of(model, operator) == name:
                yield graph, operator


def _block(tensor):
    axes = tensor.sparsity.dimMetadata
    blocked = len(axes) > len(tensor.shape)
    return axes[-1].denseSize if blocked else 1


def _lost_rows(tensor, block):
    """Whether the compressed axis is shorter than the tensor's last one."""
    axis = tensor.sparsity.dimMetadata[len(tensor.shape) - 1]
    indices = np.asarray(axis.arrayIndices.values)
    # In Python's integers: the largest of the file's own type has no next.
    return indices.size and (int(indices.max()) + 1) * block > int(
        tensor.shape[-1]
    )


def _name(tensor):
    return tensor.name.decode() if tensor.name else "a tensor"


_RULES = (
    _flex,
    _densify,
    _densified_int8,
    _sparse_products,
    _sparse_half,
    _gathered_half,
    _computed_shapes,
    _batched_int8,
    copied_outputs,
)
