"""Embeddings that are trained with the weights they regularize."""

import copy
import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli import spaces
from keras_moduli.models.kernels import EMBEDDING_NAME
from keras_moduli.regularizers.gates import Gate
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class TrainableModuliRegularizer(ModuliRegularizer, keras.Layer):
    """A `ModuliRegularizer` whose points move by gradient descent.

    What `ModuliRegularizer(..., trainable=True)` makes. It is a Keras layer
    too, so that the recurrent layer it is given to finds its points: they are
    in `model.trainable_variables` from the first loss on (`fit` computes one
    before its first step), under the name `"moduli_embedding"`; they are
    saved and restored with the model. After every optimizer update they are
    projected back onto the space.

    One instance serves one layer, which must keep its `recurrent_regularizer`
    as an attribute, as Keras 3's own do. Controls, separate target points and
    kernels between layers have no trainable form.

    Args:
        **kwargs: Those of `ModuliRegularizer`.

    Example:

    >>> layer = keras.layers.LSTM(
    ...     64,
    ...     recurrent_regularizer=keras_moduli.ModuliRegularizer(
    ...         "klein_bottle", trainable=True
    ...     ),
    ... )
    """

    def __new__(cls, *args, **kwargs):
        return keras.Layer.__new__(cls, *args, **kwargs)

    def __init__(
        self, *args: Any, trainable: bool = True, **kwargs: Any
    ) -> None:
        if trainable is not True:
            raise ValueError(
                "`trainable` must be True for a TrainableModuliRegularizer. "
                f"Received: trainable={trainable!r}"
            )
        keras.Layer.__init__(self, dtype="float32")
        ModuliRegularizer.__init__(self, *args, **kwargs)
        for name in ("control", "target_points"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` cannot be combined with `trainable=True`. "
                    f"Received: {name}={kwargs[name]!r}"
                )
        if self.space.dim == 0:
            raise ValueError(
                "`trainable` moves points, and those of a space of dimension "
                f"0 cannot move. Received: trainable=True, space={self.space}"
            )
        self._embedding: Any = None
        # A weak reference: a tracked one would make the kernel this layer's.
        self._kernel = lambda: None

    def embedding(self, units: int) -> np.ndarray:
        """The present points of `units` neurons, as a NumPy array."""
        if self._embedding is None:
            return super().embedding(units)
        return ops.convert_to_numpy(self.variable(units))

    def variable(self, units: int) -> keras.Variable:
        """The variable that holds the points; it is made when first needed.

        Args:
            units: How many neurons.

        Returns:
            A `keras.Variable` of shape `(units, space.ambient_dim)`.

        Raises:
            ValueError: If it holds the points of another number of units.
        """
        if self._embedding is None:
            points = super().embedding(units)
            for gate in self.gates or (Gate(None, 1.0),):
                # Checks the inhibitor's values once; later they are traced.
                self._array(units, units, gate.inhibitor)
            self._embedding = self.add_weight(
                shape=points.shape,
                initializer=lambda shape, dtype: ops.convert_to_tensor(
                    points, dtype
                ),
                constraint=OnSpace(self.space),
                name=EMBEDDING_NAME,
                dtype="float32",
            )
            self.built = True
        if units != self._embedding.shape[0]:
            raise ValueError(
                "A trainable regularizer serves one layer; this one holds "
                f"the points of {self._embedding.shape[0]} units. "
                f"Received: a kernel or request for {units} units"
            )
        return self._embedding

    def __call__(self, x: Tensor) -> Tensor:
        self._claim(x)
        value = super().__call__(x)
        if not self.dispersion:
            return value
        crowding = self._crowding(tuple(x.shape)[0])
        return value + ops.cast(self.dispersion * crowding, value.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "trainable": True,
            "dispersion": self.dispersion,
        }

    def get_build_config(self) -> dict[str, Any] | None:
        if self._embedding is None:
            return None
        return {"units": self._embedding.shape[0]}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.variable(config["units"])

    def load_own_variables(self, store: Any) -> None:
        # Weights may be loaded before a loss was ever computed.
        if self._embedding is None and "0" in store:
            self.variable(len(store["0"]))
        super().load_own_variables(store)

    def __deepcopy__(self, memo):
        other = type(self).from_config(copy.deepcopy(self.get_config(), memo))
        memo[id(self)] = other
        if self._embedding is not None:
            other.variable(self._embedding.shape[0]).assign(self._embedding)
        return other

    def _claim(self, kernel):
        """Refuses what would silently train no points, or lose them."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            if isinstance(kernel, tf.Variable):
                raise ValueError(
                    "`trainable=True` needs layers of Keras 3; those of "
                    "tf_keras do not find a regularizer's points. "
                    f"Received: a kernel of type {type(kernel).__name__}"
                )
        if not isinstance(kernel, keras.Variable):
            return
        known = self._kernel()
        if known is not None and known is not kernel:
            raise ValueError(
                "A trainable regularizer serves one layer: shared ones come "
                "apart when a model is loaded. Give every layer its own. "
                f"Received: the kernels '{known.path}' and '{kernel.path}'"
            )
        self._kernel = weakref.ref(kernel)

    def _matrix(self, rows, columns, inhibitor):
        if rows != columns:
            raise ValueError(
                "A trainable regularizer takes recurrent kernels only. "
                f"Received: a kernel from {rows} to {columns} units"
            )
        points = ops.convert_to_tensor(self.variable(rows))
        distance = self.space.distance(points) / self.scale
        return (inhibitor or self.inhibitor)(distance)

    def _crowding(self, units):
        """The mean over all pairs of neurons of `-log(d + 0.1)`."""
        points = ops.convert_to_tensor(self.variable(units))
        nearness = -ops.log(self.space.distance(points) + 0.1)
        others = 1.0 - ops.eye(units, dtype="float32")
        return ops.sum(nearness * others) / max(units * (units - 1), 1)

    def _dispersion(self, dispersion):
        return not_negative("dispersion", dispersion)


@keras.saving.register_keras_serializable(package="keras_moduli")
class OnSpace(keras.constraints.Constraint):
    """Projects points onto their space.

    Args:
        space: A `ModuliSpace` or a serialized one.

    Example:

    >>> on_torus = keras_moduli.regularizers.OnSpace("torus")
    >>> np.asarray(on_torus([[12.0, -1.0]])).tolist()
    [[2.0, 9.0]]
    """

    def __init__(self, space: Any) -> None:
        self.space = spaces.get(space)

    def __call__(self, x: Tensor) -> Tensor:
        return self.space.project(ops.convert_to_tensor(x))

    def get_config(self) -> dict[str, Any]:
        return {"space": spaces.serialize(self.space)}
