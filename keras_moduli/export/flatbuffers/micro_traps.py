"""What TFLite Micro gets wrong, or does not load, seen from a file alone."""

from keras_moduli.export.flatbuffers import flatbuffer

_PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D")


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
    for graph in model.subgraphs:
        for operator in graph.operators:
            if flatbuffer.name_of(model, operator) not in _PRODUCTS:
                continue
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


_RULES = (_loops, _sparse, _hybrid)
