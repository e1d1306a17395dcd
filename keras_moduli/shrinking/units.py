"""Layers made of units: which units matter, and the layer with fewer.

Every kind of layer answers the same questions. `live`: which units matter, if
these are read? `reads`: which features of the input do live units read?
`kept`: which units stay? `slim` and `copy`: what is the layer with only these?
"""

import keras
import numpy as np

from keras_moduli.models.units import RECURRENT
from keras_moduli.models.units import is_separable
from keras_moduli.models.units import parts_of
from keras_moduli.models.units import weights_of
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer


class DenseUnits:
    """`Dense`: every unit for itself."""

    def live(self, layer, needed):
        """Marks the units that matter.

        Args:
            layer: The layer.
            needed: Boolean array, the units that are read; `None` for all.

        Returns:
            A boolean array.
        """
        if needed is None or not is_separable(layer):
            return np.ones(layer.units, bool)
        return self.closure(layer, needed)

    def closure(self, layer, needed):
        """The units that those needed depend on, themselves included."""
        del layer
        return needed.copy()

    def reads(self, layer, live):
        """Marks the input features connected to a live unit."""
        kernel = _array(weights_of(layer)["kernel"])
        columns = kernel.reshape(len(kernel), -1, layer.units)[..., live]
        return (columns != 0).any((1, 2))

    def kept(self, layer, live):
        """Marks the units that stay: no layer can be without any."""
        del layer
        return _filled(live, max(1, live.sum()))

    def slim(self, layer, kept):
        """A new layer with as many units as are kept, not yet built."""
        return type(layer).from_config(_config(layer, kept))

    def copy(self, old, new, inputs, kept):
        """Gives a slim layer its weights.

        Args:
            old: The layer as it was.
            new: What `slim` made of it, built.
            inputs: Boolean array, the input features that are still there;
                `None` for all.
            kept: Boolean array, the units that are.
        """
        targets = weights_of(new)
        for name, variable in weights_of(old).items():
            array = _array(variable)
            # Gates stand side by side in the columns.
            array = array.reshape(*array.shape[:-1], -1, old.units)[..., kept]
            array = array.reshape(*array.shape[:-2], -1)
            rows = {"kernel": inputs, "recurrent_kernel": kept}.get(name)
            targets[name].assign(array if rows is None else array[rows])

    def dead(self, layer, kept, path):
        """The removable units by path of their layer."""
        del layer
        return {path: np.flatnonzero(~kept)}


class RecurrentUnits(DenseUnits):
    """`SimpleRNN`, `LSTM` or `GRU`: units read each other."""

    def closure(self, layer, needed):
        units = layer.units
        kernel = _array(weights_of(layer)["recurrent_kernel"])
        connected = (kernel.reshape(units, -1, units) != 0).any(1)
        live, count = needed.copy(), -1
        while live.sum() > count:
            count = live.sum()
            # A unit that a live one reads, in any gate, is live.
            live |= connected[:, live].any(1)
        return live

    def copy(self, old, new, inputs, kept):
        super().copy(old, new, inputs, kept)
        for state, target in zip(_states(old), _states(new), strict=True):
            target.assign(_array(state)[:, kept])


class TimeDistributedUnits:
    """`TimeDistributed(Dense)`."""

    def live(self, layer, needed):
        return _DENSE.live(layer.layer, needed)

    def reads(self, layer, live):
        return _DENSE.reads(layer.layer, live)

    def kept(self, layer, live):
        return _DENSE.kept(layer.layer, live)

    def slim(self, layer, kept):
        return _rewrap(layer, {"layer": _DENSE.slim(layer.layer, kept)})

    def copy(self, old, new, inputs, kept):
        _DENSE.copy(old.layer, new.layer, inputs, kept)

    def dead(self, layer, kept, path):
        return _DENSE.dead(layer.layer, kept, f"{path}/{layer.layer.name}")


class BidirectionalUnits:
    """`Bidirectional`, with its two outputs side by side."""

    def live(self, layer, needed):
        parts = self._parts(layer, needed)
        return np.concatenate([_RECURRENT.live(*part) for part in parts])

    def reads(self, layer, live):
        parts = self._parts(layer, live)
        forward, backward = [_RECURRENT.reads(*part) for part in parts]
        return forward | backward

    def kept(self, layer, live):
        # Keras wants as many units in one direction as in the other.
        halves = [half for _, half in self._parts(layer, live)]
        count = max(1, *(half.sum() for half in halves))
        return np.concatenate([_filled(half, count) for half in halves])

    def slim(self, layer, kept):
        parts = self._parts(layer, kept)
        forward, backward = [_RECURRENT.slim(*part) for part in parts]
        return _rewrap(layer, {"layer": forward, "backward_layer": backward})

    def copy(self, old, new, inputs, kept):
        parts = zip(self._parts(old, kept), parts_of(new), strict=True)
        for (part, half), target in parts:
            _RECURRENT.copy(part, target, inputs, half)

    def dead(self, layer, kept, path):
        return {
            f"{path}/{part.name}": np.flatnonzero(~half)
            for part, half in self._parts(layer, kept)
        }

    def _parts(self, layer, mask):
        """Both directions, each with its half of a mask."""
        halves = (None, None)
        if mask is not None:
            halves = np.split(mask, [layer.forward_layer.units])
        return list(zip(parts_of(layer), halves, strict=True))


_DENSE = DenseUnits()
_RECURRENT = RecurrentUnits()
_KINDS = {
    keras.layers.Dense: _DENSE,
    **dict.fromkeys(RECURRENT, _RECURRENT),
    keras.layers.TimeDistributed: TimeDistributedUnits(),
    keras.layers.Bidirectional: BidirectionalUnits(),
}


def kind_of(layer):
    """The kind of a layer's units, or `None` for any other layer."""
    return _KINDS[type(layer)] if parts_of(layer) else None


def _filled(live, count):
    """The live units and the first dead ones, `count` together."""
    kept = live.copy()
    kept[np.flatnonzero(~live)[: count - live.sum()]] = True
    return kept


def _config(layer, kept):
    """A layer's configuration with fewer units.

    A `ModuliRegularizer` is left out: its points belong to numbered neurons,
    and the numbers have changed.
    """
    config = {**layer.get_config(), "units": int(kept.sum())}
    for name in config:
        if isinstance(getattr(layer, name, None), ModuliRegularizer):
            config[name] = None
    return config


def _rewrap(layer, parts):
    """A wrapper's twin around other layers."""
    config = layer.get_config()
    for name, part in parts.items():
        config[name] = keras.saving.serialize_keras_object(part)
    return type(layer).from_config(config)


def _states(layer):
    """What a stateful layer carries between calls; else nothing."""
    return keras.tree.flatten(layer.states) if layer.stateful else []


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
