"""Parts of a file, added: buffers, tensors, operators."""

import numpy as np


def new_buffer(model, data):
    """The index of a buffer, added; `None` in place of bytes for none."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = None if data is None else np.frombuffer(data, "uint8")
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def operator_code(model, name, version):
    """The index of an operator code, added if there is none yet."""
    from ai_edge_litert import schema_py_generated as schema

    number = getattr(schema.BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (number, version):
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = number, version
    code.deprecatedBuiltinCode = min(number, 127)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def new_tensor(graph, name, shape, kind, buffer=0):
    """The index of a tensor, added; no constant without a buffer of its own.

    Args:
        graph: A subgraph.
        name: Bytes.
        shape: A list or array of integers.
        kind: A number in the schema's `TensorType`.
        buffer: Of its values; the first one is empty.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, shape, kind
    tensor.buffer = buffer
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_operator(model, name, inputs, output, options=None):
    """An operator, for a place in a subgraph.

    Args:
        model: The model, as `flatbuffer.read` gives it.
        name: Its name in the schema, such as `"MUL"`.
        inputs: Indices of tensors.
        output: The index of its only result.
        options: An object of the schema, such as a `MulOptionsT`.
    """
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = operator_code(model, name, 1)
    operator.inputs, operator.outputs = inputs, [output]
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
    return operator
