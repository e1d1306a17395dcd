"""Negative indices without SELECT, for TFLite Micro.

`keras.ops.take` counts negative indices from the end: an index is
SELECT(index < 0, index + size, index). TFLite Micro selects no integers;
index + (index < 0) * size is the same.
"""

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
        _cast(model, condition, is_negative),
        _product(model, [is_negative, size], shift),
        add,
    ]


def _maker(graph, tensor):
    made = [each for each in graph.operators if tensor in each.outputs]
    return made[0] if made else None


def _like(graph, shape_of, type_of, name):
    """The index of a new tensor with the shape of one and the type of another.

    It is no constant: its buffer is the empty one.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.shape = graph.tensors[shape_of].shape
    tensor.shapeSignature = graph.tensors[shape_of].shapeSignature
    tensor.type = graph.tensors[type_of].type
    tensor.name = graph.tensors[type_of].name + b"/" + name
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _cast(model, source, target):
    from ai_edge_litert import schema_py_generated as schema

    operator = _operator(model, "CAST", [source], target)
    operator.builtinOptionsType = schema.BuiltinOptions.CastOptions
    operator.builtinOptions = schema.CastOptionsT()
    operator.builtinOptions.inDataType = schema.TensorType.BOOL
    operator.builtinOptions.outDataType = schema.TensorType.INT32
    return operator


def _product(model, sources, target):
    from ai_edge_litert import schema_py_generated as schema

    operator = _operator(model, "MUL", sources, target)
    operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
    operator.builtinOptions = schema.MulOptionsT()
    return operator


def _operator(model, name, inputs, output):
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = flatbuffer.operator_code(model, name, 1)
    operator.inputs, operator.outputs = inputs, [output]
    return operator
