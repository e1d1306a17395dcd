"""The kernels that hold the weights of hidden units, and of their readers."""

import dataclasses

from keras_moduli.models.graph import Graph
from keras_moduli.models.kernels import kernels
from keras_moduli.models.layers import is_graph
from keras_moduli.models.units import is_separable
from keras_moduli.models.units import parts_of
from keras_moduli.models.units import passes_features
from keras_moduli.models.units import weights_of


@dataclasses.dataclass
class UnitKernels:
    """Where the weights of a recurrent layer's units stand.

    Attributes:
        units: How many units the layer has.
        own: Paths of the layer's kernels: a unit has a column in every gate.
        readers: Paths of the kernels that read the layer, each with the row
            of its first unit.
    """

    units: int
    own: list[str]
    readers: list[tuple[str, int]]


def unit_kernels(model, chosen):
    """Finds all weights of the units of recurrent layers.

    Args:
        model: A built Sequential or functional `keras.Model`.
        chosen: The layers' recurrent kernels, a dict from path to variable.

    Returns:
        A dict from path to `UnitKernels`.

    Raises:
        ValueError: If not every reader of these units is known unit by unit,
            or only one direction of a `Bidirectional` is chosen.
    """
    if not is_graph(model):
        raise ValueError(
            "Hidden units can be pruned as wholes in Sequential and functional "
            "models only: of others it is not known who reads them. Received: "
            f"model={model.name!r} (of type {type(model).__name__})"
        )
    names = {id(v): path for path, v in kernels(model).items()}
    places = {
        id(weights_of(part)["recurrent_kernel"]): (graph, layer, part)
        for graph, layer, part in _recurrent_parts(model)
    }
    found = {}
    for path, variable in chosen.items():
        if id(variable) not in places:
            raise ValueError(
                "Hidden units can be pruned as wholes in SimpleRNN, LSTM and "
                "GRU, also in a Bidirectional that concatenates: `weights` "
                f"must select recurrent kernels of these. Received: '{path}'"
            )
        try:
            found[path] = _located(*places[id(variable)], names)
            _check_directions(places[id(variable)][1], chosen)
        except _Inseparable as reason:
            raise ValueError(
                "Hidden units can be pruned as wholes where each of them is "
                "read by Dense and recurrent layers alone. Leave the layer "
                "out with `weights`, or give another `pattern`. Received: "
                f"'{path}', of a layer that {reason}"
            ) from None
    return found


class _Inseparable(Exception):
    """Why units cannot go one by one: what is wrong with their layer."""


def _recurrent_parts(model):
    """Recurrent layers, the layers that they are in, and these layers' graph.

    A model in the model is a graph of its own.
    """
    graph = Graph(model)
    for layer in model.layers:
        if is_graph(layer):
            yield from _recurrent_parts(layer)
        for part in parts_of(layer):
            if "recurrent_kernel" in weights_of(part):
                yield graph, layer, part


def _located(graph, layer, part, names):
    if not graph.steps[layer.name].plain:
        raise _Inseparable("is called more than once or with several tensors")
    if not is_separable(part):
        raise _Inseparable(
            "returns its states or has an activation that ties units together"
        )
    first = 0 if part is parts_of(layer)[0] else part.units
    own = _paths(part, names, "kernel", "recurrent_kernel")
    readers = [
        (path, first)
        for reader in _readers(graph, layer.name)
        for path in _paths(reader, names, "kernel")
    ]
    return UnitKernels(part.units, own, readers)


def _readers(graph, name):
    """The layers with weights that read a layer's features."""
    if name in graph.outputs:
        raise _Inseparable(f"leads to an output of its model, in '{name}'")
    for consumer in graph.consumers[name]:
        step = graph.steps[consumer]
        if step.plain and passes_features(step.layer):
            yield from _readers(graph, consumer)
        elif step.plain and parts_of(step.layer):
            yield from parts_of(step.layer)
        else:
            raise _Inseparable(f"is read by '{consumer}'")


def _paths(layer, names, *attributes):
    """Paths of a layer's kernels, which have to be trained ones."""
    weights = weights_of(layer)
    try:
        return [names[id(weights[attribute])] for attribute in attributes]
    except KeyError:
        raise _Inseparable(f"needs '{layer.name}' to be trainable") from None


def _check_directions(layer, chosen):
    """Both directions of a `Bidirectional` have as many units."""
    ids = {id(variable) for variable in chosen.values()}
    for part in parts_of(layer):
        if id(weights_of(part)["recurrent_kernel"]) not in ids:
            raise _Inseparable(
                f"has to keep as many units as '{part.name}', beside it"
            )
