"""How a converted model goes on training: compiled alike, with its moments."""

from keras import ops

KERNELS = "kernel", "recurrent_kernel"


def moved(value, old, new, name):
    """A value of a cell's kernel of that name in another cell's form."""
    before, after = _gathering(old, name), _gathering(new, name)
    if before is not None:
        value = before.dense(value)
    return value if after is None else after.gathered(value)


def _gathering(cell, name):
    return cell.gathering(name) if hasattr(cell, "gathering") else None


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
            value = moved(value, *_kernel_of(old, new, cells))
        new.assign(value)


def _kernel_of(old, new, cells):
    """The only two cells, and the kernel of theirs, that have these states."""
    state = old.path.rsplit("/", 1)[-1]
    found = [
        (a, b, name)
        for a, b in cells
        for name in KERNELS
        if state.startswith(getattr(a, name).path.replace("/", "_") + "_")
        and old.shape == getattr(a, name).shape
        and new.shape == getattr(b, name).shape
    ]
    if len(found) != 1:
        raise ValueError(
            "With `moments=True`, the optimizer's states must each have the "
            "shape of their weight, as Adam's do, and name it. Convert with "
            f"`moments=False`. Received: {old.path!r} of shape "
            f"{tuple(old.shape)}"
        )
    return found[0]
