"""Constants of nothing but zeros are made when a file runs, not stored.

A loop over a sequence begins with an array for all of its outputs, and states,
which the converter stores as they are: as many zeros as the sequence has steps
times units, often more than the weights of a pruned layer.
"""

import numpy as np

from keras_moduli.export.flatbuffers import building
from keras_moduli.export.flatbuffers import flatbuffer

_SMALLEST = 256  # values; fewer are not worth an operator


def fill(content):
    """Lets loops begin with zeros that a FILL operator makes.

    Args:
        content: The bytes of a file.

    Returns:
        The bytes of a file that computes the same.
    """
    model = flatbuffer.read(content)
    found = [
        (graph, index)
        for graph in model.subgraphs
        for index in _only_for_loops(model, graph)
        if _is_zeros(model, graph.tensors[index])
    ]
    if not found:
        return content
    for graph, index in found:
        _insert_fill(model, graph, index)
    return flatbuffer.write(model)


def _only_for_loops(model, graph):
    """The tensors that loops take, and nothing else does."""
    loops, others = set(), set(graph.outputs)
    for operator in graph.operators or []:
        is_loop = flatbuffer.name_of(model, operator) == "WHILE"
        (loops if is_loop else others).update(operator.inputs)
    return sorted(loops - others)


def _is_zeros(model, tensor):
    if flatbuffer.type_of(tensor) != "float32":
        return False
    values = flatbuffer.constant(model, tensor)
    return values is not None and values.size >= _SMALLEST and not values.any()


def _insert_fill(model, graph, index):
    """The tensor becomes the result of an operator, and loses its buffer."""
    tensor = graph.tensors[index]
    inputs = [
        _constant(model, graph, tensor.name + suffix, values)
        for suffix, values in (
            (b"/shape", np.array(tensor.shape, "int32")),
            (b"/zero", np.zeros((), "float32")),
        )
    ]
    tensor.buffer = building.new_buffer(model, None)
    graph.operators.insert(
        0, building.new_operator(model, "FILL", inputs, index)
    )


def _constant(model, graph, name, values):
    """The index of a new tensor."""
    from ai_edge_litert import schema_py_generated as schema

    kind = getattr(schema.TensorType, str(values.dtype).upper())
    buffer = building.new_buffer(model, values.tobytes())
    return building.new_tensor(graph, name, list(values.shape), kind, buffer)
