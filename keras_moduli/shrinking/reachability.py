"""Which units of a model can reach its outputs."""

import dataclasses
import functools

import numpy as np

from keras_moduli.models.graph import Graph
from keras_moduli.models.units import passes_features
from keras_moduli.shrinking.units import kind_of


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
    return _Analysis(Graph(model)).survivors()


class _Analysis:
    """Goes back from the outputs: what is needed of every layer."""

    def __init__(self, graph):
        self._steps = graph.steps
        self._outputs = graph.outputs
        self._consumers = graph.consumers
        self._kinds = {
            name: kind_of(step.layer) if step.plain else None
            for name, step in graph.steps.items()
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
