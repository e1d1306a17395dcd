"""What TFLite Micro gets wrong, or does not load, seen from a file alone."""

from keras_moduli.export.flatbuffers import flatbuffer

_PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D")
_SELECTED = ("float32", "int8", "int16")


def micro_warnings(model):
    """All warnings about a model read by `flatbuffer.read`.

    Returns:
        A list of strings, empty if nothing is known to be wrong.
    """
    return [sentence for rule in _RULES for sentence in rule(model)]


def _loops(model):
    if "WHILE" in flatbuffer.operator_names(model):
        yield (
            "a loop over a sequence (WHILE), which TFLite Micro computes "
            "wrongly: export with streaming=True"
        )


def _sparse(model):
    stored = any(
        tensor.sparsity is not None
        for graph in model.subgraphs
        for tensor in graph.tensors
    )
    if stored or "DENSIFY" in flatbuffer.operator_names(model):
        yield (
            "sparse tensors, which TFLite Micro reads as NaN or does not load: "
            "the layouts 'gathered' and 'tiled' have none"
        )


def _hybrid(model):
    for graph, operator in _nodes(model, *_PRODUCTS):
        kinds = [
            flatbuffer.type_of(graph.tensors[index])
            for index in operator.inputs[:2]
        ]
        if kinds[0] == "float32" and kinds[1] != "float32":
            yield (
                f"{kinds[1]} weights with float32 activations, for which "
                "TFLite Micro has no kernels: quantization None or "
                "'full_int8'"
            )
            return


def _selects(model):
    for graph, operator in _nodes(model, "SELECT", "SELECT_V2"):
        kind = flatbuffer.type_of(graph.tensors[operator.outputs[0]])
        known = flatbuffer.name_of(model, operator) == "SELECT_V2"
        if not known or kind not in _SELECTED:
            yield (
                f"a SELECT of {kind}, which TFLite Micro does not have (an "
                "Embedding makes one): export with runtime='micro'"
            )
            return


def _gathers(model):
    for graph, operator in _nodes(model, "GATHER"):
        kind = flatbuffer.type_of(graph.tensors[operator.inputs[1]])
        if kind != "int32":
            yield f"a GATHER by {kind}, where TFLite Micro has int32 alone"
            return


def _nodes(model, *names):
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            if flatbuffer.name_of(model, operator) in names:
                yield graph, operator


_RULES = (_loops, _sparse, _hybrid, _selects, _gathers)
