"""`ModuliRegularizer`: weight penalties that follow a geometry."""

import random
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli import inhibitors
from keras_moduli import spaces
from keras_moduli.inhibitors.base import checked
from keras_moduli.regularizers import points as point_sources
from keras_moduli.regularizers.controls import CONTROLS
from keras_moduli.regularizers.gates import gate_list
from keras_moduli.regularizers.gates import layout
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integer
from keras_moduli.utils.backend import held
from keras_moduli.utils.pairwise import pairwise_array
from keras_moduli.utils.serialization import register_with_tf_keras
from keras_moduli.utils.typing import Tensor

_STRENGTH = {1: ops.abs, 2: ops.square}


@keras.saving.register_keras_serializable(package="keras_moduli")
class ModuliRegularizer(keras.regularizers.Regularizer):
    """Penalises recurrent weights by where their neurons sit on a space.

    Give it as `recurrent_regularizer` to SimpleRNN, LSTM, GRU or their cells,
    of Keras 3 or tf_keras. Its value for a kernel is `factor` times the mean
    of the absolute weights, each times the penalty of its two neurons'
    distance. The guide, "How it works", has the formula and the controls.

    Args:
        space: Where neurons live: a name, `keras_moduli.spaces.ModuliSpace`
            or serialized one.
        inhibitor: From distance to penalty: a name, callable or serialized
            one.
        factor: Strength, a finite float of at least 0.
        power: `1` or `2`: of the absolute weights.
        seed: Seed of the points, a non-negative integer. `None` draws one,
            which then stays, in files and copies too.
        scale: Width of the inhibitor: the penalty is `f(d / scale)`.
        points: `"uniform"` (random), `"ordered"` (neighbours in index are
            neighbours on the space), an array `(units, ambient_dim)`, or
            another `ModuliRegularizer`, whose points to take.
        target_points: The same for neurons as targets. Defaults to `None`:
            each neuron's source point.
        gates: Number of gates, or a list with a factor or an inhibitor for
            each; needed for kernels that are not recurrent.
        control: A penalty to compare with: `"permuted"`, `"l1"`, `"l2"`,
            `"matched_l1"`, `"self"`, `"no_self"` or `"box"`.
        trainable: Whether to train the points too; see
            `keras_moduli.regularizers.TrainableModuliRegularizer`.
        dispersion: With `trainable`, the weight of a term that keeps points
            apart: the mean of `-log(d + 0.1)` over all pairs of neurons.

    Raises:
        ValueError: If an argument is not among those allowed, or `dispersion`
            is given without `trainable`.

    Example:

    >>> layer = keras.layers.LSTM(
    ...     512, recurrent_regularizer=keras_moduli.ModuliRegularizer("torus")
    ... )

    Reference:

    - [Geometric sparsification in recurrent neural networks](
        https://arxiv.org/abs/2406.06290)
    """

    # The subclass that is a layer, so that Keras finds the points it trains.
    _trained_form: Any = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if ModuliRegularizer._trained_form is None:
            ModuliRegularizer._trained_form = cls

    def __new__(cls, *args, trainable=False, **kwargs):
        if not trainable or issubclass(cls, keras.Layer):
            return super().__new__(cls)
        if cls is not ModuliRegularizer:
            raise TypeError(
                "Only ModuliRegularizer itself can be made trainable; derive "
                "from keras_moduli.regularizers.TrainableModuliRegularizer. "
                f"Received: trainable={trainable!r} for {cls.__name__}"
            )
        return cls._trained_form.__new__(cls._trained_form, *args, **kwargs)

    def __init__(
        self,
        space: Any = "torus",
        inhibitor: Any = "difference_of_gaussians",
        factor: float = 0.1,
        power: int = 1,
        seed: int | None = None,
        *,
        scale: float = 1.0,
        points: Any = "uniform",
        target_points: Any = None,
        gates: Any = None,
        control: str | None = None,
        trainable: bool = False,
        dispersion: float = 0.0,
    ) -> None:
        del trainable  # decides the class
        self.space = spaces.get(space)
        self.inhibitor = inhibitors.get(inhibitor)
        self.factor = not_negative("factor", factor)
        self.control = _one_of("control", control, (None, *CONTROLS))
        fixed_power = CONTROLS[control][0] if control else None
        self.power = fixed_power or _one_of("power", power, _STRENGTH)
        self.seed = _seed(seed)
        self.scale = positive("scale", scale)
        self._points = point_sources.get("points", points, self.space)
        self._target_points = (
            None
            if target_points is None
            else point_sources.get("target_points", target_points, self.space)
        )
        self.gates = gate_list(gates)
        self.dispersion = self._dispersion(dispersion)
        self._penalties: dict[tuple, Any] = {}
        register_with_tf_keras(ModuliRegularizer, "keras_moduli")

    def embedding(self, units: int) -> np.ndarray:
        """The points of `units` neurons.

        Args:
            units: How many neurons.

        Returns:
            A float32 NumPy array of shape `(units, space.ambient_dim)`.
        """
        units = positive_integer("units", units)
        return self._points.draw(self.space, units, self.seed)

    def target_embedding(self, units: int) -> np.ndarray:
        """The points of `units` neurons as targets of connections.

        Args:
            units: How many neurons.

        Returns:
            A float32 NumPy array of shape `(units, space.ambient_dim)`: what
            `embedding` returns, unless `target_points` was given.
        """
        if self._target_points is None:
            return self.embedding(units)
        units = positive_integer("units", units)
        # Another stream of random numbers than the sources'.
        return self._target_points.draw(self.space, units, [self.seed, 2])

    def penalty(
        self, units: int, target_units: int | None = None, gate: int = 0
    ) -> Tensor:
        """The penalties of the connections of `units` neurons.

        Computed once for every number of units, and shared by all layers of
        that size. A gate's factor is included.

        Args:
            units: How many source neurons.
            target_units: How many target neurons. Defaults to `units`.
            gate: Index of a gate, where `gates` tells them apart.

        Returns:
            A float32 tensor of shape `(units, target_units)`,
            `[source, target]`.
        """
        if target_units is None:
            target_units = units
        if self.gates and not 0 <= gate < len(self.gates):
            raise ValueError(
                f"`gate` must be below {len(self.gates)}, the number of "
                f"`gates`. Received: gate={gate!r}"
            )
        inhibitor, factor = self.gates[gate] if self.gates else (None, 1.0)
        matrix = self._matrix(units, target_units, inhibitor)
        return matrix if factor == 1.0 else matrix * factor

    def __call__(self, x: Tensor) -> Tensor:
        """The penalty of a kernel.

        Args:
            x: Kernel of shape `(units, gates * units)`; of shape
                `(source_units, gates * target_units)` if `gates` was given.

        Returns:
            A scalar.

        Raises:
            ValueError: If the kernel has another shape.
        """
        rows, gates, columns = layout(x, self.gates)
        # In float32 even for half-precision weights: the mean of millions of
        # small products is not to be trusted to less.
        dtype = "float32"
        if keras.backend.standardize_dtype(x.dtype) == "float64":
            dtype = "float64"
        strength = ops.reshape(
            _STRENGTH[self.power](ops.cast(x, dtype)), (rows, gates, columns)
        )
        if self.gates is None:
            matrix = ops.cast(self._matrix(rows, columns, None), dtype)
            return self.factor * ops.mean(strength * matrix[:, None, :])
        total = 0.0
        for gate, (inhibitor, factor) in enumerate(self.gates):
            matrix = ops.cast(self._matrix(rows, columns, inhibitor), dtype)
            total += factor * ops.mean(strength[:, gate, :] * matrix)
        return self.factor / gates * total

    def get_config(self) -> dict[str, Any]:
        target_points = self._target_points
        return {
            "space": spaces.serialize(self.space),
            "inhibitor": inhibitors.serialize(self.inhibitor),
            "factor": self.factor,
            "power": self.power,
            "seed": self.seed,
            "scale": self.scale,
            "points": self._points.serialize(),
            "target_points": target_points and target_points.serialize(),
            "gates": self.gates and [gate.serialize() for gate in self.gates],
            "control": self.control,
        }

    def __getstate__(self):
        # Copies build their matrices anew, when they need them.
        return {**self.__dict__, "_penalties": {}}

    def _matrix(self, rows, columns, inhibitor):
        """The penalty of one inhibitor, `None` being the regularizer's own."""
        key = rows, columns, inhibitor
        if key not in self._penalties:
            self._penalties[key] = held(self._array(*key))
        return self._penalties[key]

    def _array(self, rows, columns, inhibitor):
        def block(source, target):
            distance = self.space.distance(source, target) / self.scale
            return checked(inhibitor or self.inhibitor, distance)

        array = pairwise_array(
            block, self.embedding(rows), self.target_embedding(columns)
        )
        if self.control is None:
            return array
        return CONTROLS[self.control][1](array, self.seed)

    def _dispersion(self, dispersion):
        if dispersion != 0:
            raise ValueError(
                "`dispersion` moves points, so it needs `trainable=True`. "
                f"Received: dispersion={dispersion!r}, trainable=False"
            )
        return 0.0


def _one_of(name, value, allowed):
    if isinstance(value, bool) or value not in allowed:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={value!r}"
        )
    return value


def _seed(seed):
    if seed is None:
        return random.randint(1, 10**9)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(
            "`seed` must be a non-negative integer or None. "
            f"Received: seed={seed!r}"
        )
    return seed


register_with_tf_keras(ModuliRegularizer, "keras_moduli")
