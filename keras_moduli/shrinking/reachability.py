"""Which units of a model can reach its outputs."""

import dataclasses
import functools
import itertools

import keras
import numpy as np

from keras_moduli.shrinking.units import kind_of
from keras_moduli.shrinking.units import passes_features


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


@dataclasses.dataclass
class Survivors:
    """What is left of a layer.

    Attributes:
        kind: The kind of its units; see `keras_moduli.shrinking.units`.
        inputs: Boolean array over its input features, `None` for all.
        kept: Boolean array over its units.
    """

    kind: object
    inputs: object
    kept: object

    @property
    def unchanged(self):
        return self.kept.all() and (self.inputs is None or self.inputs.all())


def survivors(model):
    """Finds the units with a path of nonzero weights to an output.

    Args:
        model: A built Sequential or functional `keras.Model`.

    Returns:
        A dict from layer name to `Survivors`, for the layers whose units are
        known one by one. All others are read whole and stay whole.
    """
    return _Analysis(*_steps(model)).survivors()


class _Analysis:
    """Goes back from the outputs: what is needed of every layer."""

    def __init__(self, steps, outputs):
        self._steps = steps
        self._outputs = outputs
        self._consumers = {name: [] for name in steps}
        for name, step in steps.items():
            for source in step.sources:
                self._consumers[source].append(name)
        self._kinds = {
            name: kind_of(step.layer) if step.plain else None
            for name, step in steps.items()
        }
        # Every layer is asked once by each of its neighbours.
        self._needed = functools.cache(self._find_needed)
        self._live = functools.cache(self._find_live)

    def survivors(self):
        return {
            name: Survivors(
                kind,
                self._provided(self._steps[name].sources[0]),
                self._kept(name),
            )
            for name, kind in self._kinds.items()
            if kind is not None
        }

    def _find_needed(self, name):
        """Output features of a layer that are read; `None` for all."""
        if name in self._outputs:
            return None
        read = [self._reads(consumer) for consumer in self._consumers[name]]
        if not read or any(features is None for features in read):
            return None
        return np.logical_or.reduce(read)

    def _reads(self, name):
        """Input features that a layer reads; `None` for all."""
        if self._kinds[name] is not None:
            step = self._steps[name]
            return self._kinds[name].reads(step.layer, self._live(name))
        return self._needed(name) if self._passes(name) else None

    def _find_live(self, name):
        kind, layer = self._kinds[name], self._steps[name].layer
        return kind.live(layer, self._needed(name))

    def _kept(self, name):
        return self._kinds[name].kept(self._steps[name].layer, self._live(name))

    def _provided(self, name):
        """Output features that will be there; `None` for all."""
        if self._kinds[name] is not None:
            kept = self._kept(name)
            # Returned states have features of their own, but stay whole too.
            return None if kept.all() else kept
        if self._passes(name):
            return self._provided(self._steps[name].sources[0])
        return None

    def _passes(self, name):
        step = self._steps[name]
        return step.plain and passes_features(step.layer)


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
