"""Layers made of units: which units matter, and the layer with fewer.

Every kind of layer answers the same questions. `live`: which units matter, if
these are read? `reads`: which features of the input do live units read?
`kept`: which units stay? `slim` and `copy`: what is the layer with only these?
"""

import keras
import numpy as np

from keras_moduli.models.kernels import EMBEDDING_NAME
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

# Activations that look at one unit at a time. Others, such as softmax, tie
# units together: a layer with one of them keeps all its units.
_ELEMENTWISE = [
    getattr(keras.activations, name)
    for name in (
        "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu "
        "hard_tanh leaky_relu linear log_sigmoid mish relu relu6 selu sigmoid "
        "silu soft_shrink softplus softsign sparse_plus sparse_sigmoid "
        "squareplus tanh tanh_shrink threshold"
    ).split()
    if hasattr(keras.activations, name)
]


class DenseUnits:
    """`Dense`: every unit for itself."""

    def fits(self, layer):
        """Whether the layer has the weights of its kind and no others."""
        found = {
            id(v)
            for v in layer.weights
            if v.path.rsplit("/", 1)[-1] != EMBEDDING_NAME
        }
        return found == {id(v) for v in self.weights(layer).values()}

    def weights(self, layer):
        """The weights by attribute name."""
        owner = self.owner(layer)
        names = ("kernel", "recurrent_kernel", "bias")
        found = {name: getattr(owner, name, None) for name in names}
        return {name: v for name, v in found.items() if v is not None}

    def owner(self, layer):
        """What holds the weights: the layer or its cell."""
        return layer

    def can_lose(self, layer):
        """Whether units can go without another one noticing."""
        return layer.activation in _ELEMENTWISE

    def live(self, layer, needed):
        """Marks the units that matter.

        Args:
            layer: The layer.
            needed: Boolean array, the units that are read; `None` for all.

        Returns:
            A boolean array.
        """
        if needed is None or not self.can_lose(layer):
            return np.ones(layer.units, bool)
        return self.closure(layer, needed)

    def closure(self, layer, needed):
        """The units that those needed depend on, themselves included."""
        del layer
        return needed.copy()

    def reads(self, layer, live):
        """Marks the input features connected to a live unit."""
        kernel = _array(self.weights(layer)["kernel"])
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
        targets = self.weights(new)
        for name, variable in self.weights(old).items():
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

    def owner(self, layer):
        return layer.cell

    def can_lose(self, layer):
        gates = getattr(layer, "recurrent_activation", keras.activations.linear)
        return (
            not layer.return_state
            and layer.activation in _ELEMENTWISE
            and gates in _ELEMENTWISE
        )

    def closure(self, layer, needed):
        units = layer.units
        kernel = _array(self.weights(layer)["recurrent_kernel"])
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

    def fits(self, layer):
        return type(layer.layer) is keras.layers.Dense and _DENSE.fits(
            layer.layer
        )

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

    def fits(self, layer):
        parts = _directions(layer)
        return (
            layer.merge_mode == "concat"
            and all(KINDS.get(type(part)) is _RECURRENT for part in parts)
            and all(_RECURRENT.fits(part) for part in parts)
            and parts[0].units == parts[1].units
        )

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
        parts = zip(self._parts(old, kept), _directions(new), strict=True)
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
        return list(zip(_directions(layer), halves, strict=True))


_DENSE = DenseUnits()
_RECURRENT = RecurrentUnits()
KINDS = {
    keras.layers.Dense: _DENSE,
    keras.layers.SimpleRNN: _RECURRENT,
    keras.layers.LSTM: _RECURRENT,
    keras.layers.GRU: _RECURRENT,
    keras.layers.TimeDistributed: TimeDistributedUnits(),
    keras.layers.Bidirectional: BidirectionalUnits(),
}

# Layers whose output features are those of the input, one by one.
_PASSING = (
    keras.layers.ActivityRegularization,
    keras.layers.Activation,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.RepeatVector,
    keras.layers.SpatialDropout1D,
)


def kind_of(layer):
    """The kind of a layer's units, or `None` for any other layer."""
    # The classes themselves: a subclass may compute something else.
    kind = KINDS.get(type(layer))
    return kind if kind is not None and kind.fits(layer) else None


def passes_features(layer):
    """Whether a layer hands its features on, each for itself."""
    return (
        type(layer) in _PASSING
        and getattr(layer, "noise_shape", None) is None
        and getattr(layer, "activation", _ELEMENTWISE[0]) in _ELEMENTWISE
    )


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


def _directions(layer):
    return layer.forward_layer, layer.backward_layer


def _states(layer):
    """What a stateful layer carries between calls; else nothing."""
    return keras.tree.flatten(layer.states) if layer.stateful else []


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
