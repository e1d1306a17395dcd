"""Negative indices without SELECT, for TFLite Micro.

`keras.ops.take` counts negative indices from the end: an index is
SELECT(index < 0, index + size, index). TFLite Micro selects no integers;
index + (index < 0) * size is the same.
"""

from keras_moduli.export.flatbuffers import building
from keras_moduli.export.flatbuffers import flatbuffer


def multiplied(content):
    """The bytes of a .tflite file in which such SELECTs are products."""
    model = flatbuffer.read(content)
    for graph in model.subgraphs:
        for operator in list(graph.operators or []):
            if flatbuffer.name_of(model, operator) in ("SELECT", "SELECT_V2"):
                _multiply(model, graph, operator)
    return flatbuffer.write(model)


def _multiply(model, graph, select):
    """CAST, MUL and the ADD take the place of one SELECT and its ADD."""
    from ai_edge_litert import schema_py_generated as schema

    condition, shifted, index = map(int, select.inputs)
    add = _maker(graph, shifted)
    if (
        add is None
        or flatbuffer.name_of(model, add) != "ADD"
        or flatbuffer.type_of(graph.tensors[index]) != "int32"
        or index not in add.inputs
        or sum(shifted in each.inputs for each in graph.operators) > 1
    ):
        return
    (size,) = [int(i) for i in add.inputs if i != index]
    is_negative = _like(graph, condition, index, b"is_negative")
    shift = _like(graph, condition, index, b"shift")
    add.inputs, add.outputs = [index, shift], select.outputs
    graph.operators.remove(add)
    place = graph.operators.index(select)
    graph.operators[place : place + 1] = [
        building.new_operator(
            model, "CAST", [condition], is_negative, _as_integers()
        ),
        building.new_operator(
            model, "MUL", [is_negative, size], shift, schema.MulOptionsT()
        ),
        add,
    ]


def _maker(graph, tensor):
    made = [each for each in graph.operators if tensor in each.outputs]
    return made[0] if made else None


def _like(graph, shape_of, type_of, name):
    """The index of a new tensor: the shape of one, the type of another."""
    like, other = graph.tensors[shape_of], graph.tensors[type_of]
    index = building.new_tensor(
        graph, other.name + b"/" + name, like.shape, other.type
    )
    graph.tensors[index].shapeSignature = like.shapeSignature
    return index


def _as_integers():
    from ai_edge_litert import schema_py_generated as schema

    options = schema.CastOptionsT()
    options.inDataType = schema.TensorType.BOOL
    options.outDataType = schema.TensorType.INT32
    return options
