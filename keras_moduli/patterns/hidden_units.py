"""Hidden units that live or are pruned as wholes."""

import dataclasses

from keras_moduli.patterns.base import Pattern


@dataclasses.dataclass(frozen=True)
class HiddenUnits(Pattern):
    """Units of recurrent layers, each with all its weights.

    A unit's weights are its columns of the layer's input and recurrent
    kernels, in all gates, its row of the recurrent kernel, and its row of
    every kernel that reads the layer. They are ranked by the mean (or
    maximum) of all their magnitudes, and live or go together. The schedule
    counts units: of each layer, or direction of a `Bidirectional`, exactly
    `round(units * (1 - sparsity))` stay. `shrink` then makes a dense model
    with as many.

    For `SimpleRNN`, `LSTM` and `GRU`, also in `Bidirectional`, in Sequential
    and functional models. Their units may be read by `Dense`,
    `TimeDistributed(Dense)` and recurrent layers only, with dropout and the
    like in between; where something else reads them, or they are outputs or
    returned states, `fit` raises a ValueError that names the layer.

    Example:

    ```python
    pruning = keras_moduli.MagnitudePruning(
        pattern=keras_moduli.patterns.HiddenUnits(), final_sparsity=0.5
    )
    model.fit(x, y, epochs=5, callbacks=[pruning])
    small = keras_moduli.shrink(model)  # half the units, and dense
    ```

    Reference:

    - W. Wen et al., [Learning intrinsic sparse structures within long
        short-term memory](https://arxiv.org/abs/1709.05027)
    """

    joined = True
    pooled = (0, 1)
    compete_axis = 0

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape
