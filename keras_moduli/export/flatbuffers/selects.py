"""What a file selects, in the operators that TFLite Micro has.

`keras.ops.take` counts negative indices from the end: an index is
SELECT(index < 0, index + size, index). TFLite Micro selects no integers;
index + (index < 0) * size is the same. Of the others it has SELECT_V2 alone.
"""

from keras_moduli.export.flatbuffers import building
from keras_moduli.export.flatbuffers import flatbuffer


def known(content):
    """The bytes of a .tflite file that selects as TFLite Micro does."""
    model = flatbuffer.read(content)
    for graph in model.subgraphs:
        for operator in list(graph.operators or []):
            name = flatbuffer.name_of(model, operator)
            if name not in ("SELECT", "SELECT_V2"):
                continue
            if not _multiply(model, graph, operator) and name == "SELECT":
                _renew(model, graph, operator)
    return flatbuffer.write(model)


def _renew(model, graph, select):
    """Makes a SELECT a SELECT_V2, which is the same where shapes are."""
    from ai_edge_litert import schema_py_generated as schema

    shapes = {tuple(graph.tensors[index].shape) for index in select.inputs}
    if len(shapes) == 1:
        select.opcodeIndex = building.operator_code(model, "SELECT_V2", 1)
        select.builtinOptionsType = schema.BuiltinOptions.SelectV2Options
        select.builtinOptions = schema.SelectV2OptionsT()


def _multiply(model, graph, select):
    """CAST, MUL and the ADD take the place of one SELECT and its ADD.

    Returns:
        Whether it was one of negative indices.
    """
    from ai_edge_litert import schema_py_generated as schema

    condition, shifted, index = map(int, select.inputs)
    add = flatbuffer.makers(graph).get(shifted)
    if (
        add is None
        or flatbuffer.name_of(model, add) != "ADD"
        or flatbuffer.type_of(graph.tensors[index]) != "int32"
        or index not in add.inputs
        or sum(shifted in each.inputs for each in graph.operators) > 1
    ):
        return False
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
    return True


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
