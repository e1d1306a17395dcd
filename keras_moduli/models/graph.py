"""The layers of a model, and which of them read which."""

import dataclasses
import itertools

import keras


@dataclasses.dataclass
class Step:
    """One layer of a model, and where it stands.

    Attributes:
        layer: The layer, `None` for an operation that is none.
        sources: Names of the layers that it takes its input from.
        plain: Whether it is called once, with one tensor.
    """

    layer: object
    sources: list
    plain: bool


class Graph:
    """A Sequential or functional model as a graph of named layers.

    Args:
        model: One for which `is_graph` is true.

    Attributes:
        steps: A dict from layer name to `Step`.
        outputs: The names of the layers whose outputs are the model's.
        consumers: A dict from layer name to the names of its readers.
    """

    def __init__(self, model):
        self.steps, self.outputs = _steps(model)
        self.consumers = {name: [] for name in self.steps}
        for name, step in self.steps.items():
            for source in step.sources:
                self.consumers[source].append(name)


def _steps(model):
    """A model's layers by name, and the names of those with outputs."""
    if isinstance(model, keras.Sequential):
        return _chain(model)
    config = model.get_config()
    layers = {layer.name: layer for layer in model.layers}
    steps = {}
    for entry in config["layers"]:
        calls = [list(_tensors(node)) for node in entry["inbound_nodes"]]
        plain = len(calls) == 1 and len(calls[0]) == 1
        name = entry["name"]
        sources = list(itertools.chain.from_iterable(calls))
        steps[name] = Step(layers.get(name), sources, plain)
    outputs = {history[0] for history in _histories(config["output_layers"])}
    return steps, outputs


def _chain(model):
    names = [layer.name for layer in model.layers]
    # The input stands before them under a name that no layer has.
    steps = {None: Step(None, [], False)}
    for layer, source in zip(model.layers, [None, *names], strict=False):
        steps[layer.name] = Step(layer, [source], True)
    return steps, set(names[-1:])


def _tensors(item):
    """Names of the layers whose outputs appear in a call's arguments."""
    if isinstance(item, dict):
        if item.get("class_name") == "__keras_tensor__":
            yield item["config"]["keras_history"][0]
            return
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        for part in item:
            yield from _tensors(part)


def _histories(item):
    """The `[layer, node, tensor]` triples in a structure of outputs."""
    if isinstance(item, dict):
        item = list(item.values())
    if len(item) == 3 and isinstance(item[0], str):
        yield item
        return
    for part in item:
        yield from _histories(part)
