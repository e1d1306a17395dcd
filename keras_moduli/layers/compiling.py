"""How a converted model goes on training: compiled alike, with its moments."""

from keras import ops

from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.gathered_kernel import dense
from keras_moduli.layers.gathered_kernel import gathered


def moved(value, old, new):
    """A recurrent kernel's value in another cell's form."""
    if isinstance(old, GatheredKernel):
        value = dense(old, value)
    return gathered(new, value) if isinstance(new, GatheredKernel) else value


def compile_alike(model, copy, cells):
    """Compiles a converted model, where its original was in training.

    Args:
        model: The compiled original.
        copy: The converted model.
        cells: List of pairs of cells, of the original and converted.

    Raises:
        ValueError: If a state of the optimizer belongs to no kernel as such.
    """
    copy.compile_from_config(model.get_compile_config())
    if not model.optimizer.built:
        return
    if not copy.optimizer.built:
        copy.optimizer.build(copy.trainable_variables)
    states = model.optimizer.variables, copy.optimizer.variables
    for old, new in zip(*states, strict=True):
        value = ops.convert_to_numpy(old)
        if old.shape != new.shape:
            value = moved(value, *_cells_of(old, new, cells))
        new.assign(value)


def _cells_of(old, new, cells):
    """The only two cells whose kernels have these states."""
    name = old.path.rsplit("/", 1)[-1]
    found = [
        (a, b)
        for a, b in cells
        if name.startswith(a.recurrent_kernel.path.replace("/", "_") + "_")
        and old.shape == a.recurrent_kernel.shape
        and new.shape == b.recurrent_kernel.shape
    ]
    if len(found) != 1:
        raise ValueError(
            "With `moments=True`, the optimizer's states must each have the "
            "shape of their weight, as Adam's do, and name it. Convert with "
            f"`moments=False`. Received: {old.path!r} of shape "
            f"{tuple(old.shape)}"
        )
    return found[0]
