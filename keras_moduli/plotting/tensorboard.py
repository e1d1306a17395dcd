"""`SparsityTensorBoard`: what pruning does, among TensorBoard's other logs."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np

from keras_moduli.models.kernels import kernels
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.spaces.curves import curve_order
from keras_moduli.utils.argument_validation import positive_integer


class SparsityTensorBoard(keras.callbacks.TensorBoard):
    """Keras's `TensorBoard`, with sparsity and pictures of kernels.

    At the end of every epoch it logs the fraction of zeros of every kernel as
    a scalar, `sparsity/<path>`. Every `image_freq` epochs, and at the last, it
    logs pictures: `mask/<path>`, white where a weight lives, as stored; and,
    for recurrent kernels with a `ModuliRegularizer`, `sorted/<path>`, the
    same with neighbours on the space beside each other. All of it goes to the
    `train` folder under `log_dir`.

    List it after `MagnitudePruning`. Needs TensorFlow and the package
    tensorboard (extra `tensorboard`), as Keras's own does.

    Args:
        log_dir: Where to log to. Defaults to `"logs"`.
        image_freq: Epochs from one set of pictures to the next; `0` for no
            pictures. Defaults to `10`.
        image_size: Pixels along the longer side that a picture is thinned to
            if its kernel is larger. Defaults to `1024`.
        **kwargs: Arguments of `keras.callbacks.TensorBoard`.

    Raises:
        ValueError: If `image_freq` or `image_size` is no such number.

    Example:

    ```python
    model.fit(x, y, epochs=30, callbacks=[
        keras_moduli.MagnitudePruning(final_sparsity=0.9),
        keras_moduli.SparsityTensorBoard("logs", image_freq=5),
    ])
    ```
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        image_freq: int = 10,
        image_size: int = 1024,
        **kwargs: Any,
    ) -> None:
        if image_freq != 0:
            positive_integer("image_freq", image_freq)
        self.image_freq = image_freq
        self.image_size = positive_integer("image_size", image_size)
        super().__init__(log_dir=log_dir, **kwargs)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        import tensorflow as tf

        super().on_epoch_end(epoch, logs)
        last = epoch + 1 == (self.params or {}).get("epochs")
        drawn = self.image_freq and (epoch % self.image_freq == 0 or last)
        # The one protected name used here: Keras's writer for its "train"
        # folder, which has no public name.
        with self._train_writer.as_default(step=epoch):
            for path, variable in kernels(self.model).items():
                values = keras.ops.convert_to_numpy(variable)
                tf.summary.scalar(f"sparsity/{path}", np.mean(values == 0))
                if drawn:
                    for name, mask in _pictures(variable, values).items():
                        image = self._thinned(mask)[None, :, :, None]
                        tf.summary.image(f"{name}/{path}", image)

    def _thinned(self, mask):
        """A mask as an image no larger than `image_size`: shares alive."""
        stride = -(-max(mask.shape) // self.image_size)
        if stride == 1:
            return mask.astype("float32")
        padded = np.pad(
            mask.astype("float32"),
            [(0, -side % stride) for side in mask.shape],
            mode="edge",
        )
        rows, columns = (side // stride for side in padded.shape)
        blocks = padded.reshape(rows, stride, columns, stride)
        return blocks.mean((1, 3))


def _pictures(variable, values):
    """The pictures of one kernel: a dict from name to a boolean matrix."""
    rows, columns = len(values), values.shape[-1]
    mask = values.reshape(-1, columns) != 0
    regularizer = variable.regularizer
    recurrent = values.ndim == 2 and columns % rows == 0
    if not recurrent or not isinstance(regularizer, ModuliRegularizer):
        return {"mask": mask}
    order = curve_order(regularizer.space, regularizer.embedding(rows))
    gates = mask.reshape(rows, -1, rows)[order][:, :, order]
    return {"mask": mask, "sorted": gates.reshape(rows, columns)}
