"""The moving averages that an optimizer keeps of a model's weights."""

from keras_moduli.utils.backend import strategy_scope


def inner_optimizer(model):
    """The optimizer that holds a model's slots, without its loss scaling.

    `None` if the model has not been compiled.
    """
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


def averages_of(model, variable):
    """Finds the moving average of a weight among its optimizer's variables.

    Args:
        model: A compiled `keras.Model`, or one without an optimizer.
        variable: One of its trainable variables.

    Returns:
        A list with one optimizer variable, or an empty list if the optimizer
        keeps no averages (`use_ema=False`).
    """
    optimizer = inner_optimizer(model)
    if not getattr(optimizer, "use_ema", False):
        return []
    if not optimizer.built:
        with strategy_scope(model):
            model.optimizer.build(model.trainable_variables)
    # Keras has no public way to the averages but their names.
    name = variable.path.replace("/", "_") + "_average"
    found = [
        v
        for v in optimizer.variables
        if v.path.rsplit("/", 1)[-1] == name and v.shape == variable.shape
    ]
    if len(found) != 1:
        raise ValueError(
            f"The moving average of '{variable.path}' is not among the "
            f"variables of optimizer '{optimizer.name}', so it cannot be "
            "pruned along. Use `use_ema=False`, and average with "
            "keras.callbacks.SwapEMAWeights."
        )
    return found
