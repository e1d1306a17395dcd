"""Which models can be computed step by step; the others are told why not."""

import math

import keras

from keras_moduli.export.programs.carriers import CONVOLUTIONS
from keras_moduli.export.programs.carriers import layers_over_time
from keras_moduli.export.programs.carriers import sees_time
from keras_moduli.export.programs.carriers import width_of
from keras_moduli.models.layers import path_of

L = keras.layers


def check_streamable(model):
    """Raises a ValueError if a layer of a model needs more than one step.

    Layers that are not Keras's own are not judged here.

    Args:
        model: A model of one input `(batch, time, ...)`.
    """
    layers = layers_over_time(model)
    length = model.inputs[0].shape[1]
    for layer in layers:
        for kinds, rule in _ANYWHERE + _OVER_TIME:
            if isinstance(layer, kinds) and (
                (kinds, rule) in _ANYWHERE or sees_time(layer, length)
            ):
                reason = rule(layer, layers)
                if reason:
                    raise ValueError(
                        "`streaming` computes one step at a time, but "
                        f"'{path_of(layer)}', a {type(layer).__name__}, "
                        f"{reason}. Received: model={model.name!r}"
                    )


def _always(reason):
    return lambda layer, layers: reason


def _recurrent(layer, layers):
    del layers
    if isinstance(layer, L.Bidirectional) or layer.go_backwards:
        return (
            "does not read forwards only: it needs the end of the sequence. "
            "Use layers that read forwards"
        )
    return None


def _embedding(layer, layers):
    del layers
    if layer.mask_zero:
        return (
            "makes masks, and a stream has real steps only. Leave out "
            "`mask_zero`"
        )
    return None


def _convolution(layer, layers):
    past = width_of(layer) - 1
    in_front = f"`ZeroPadding1D(({past}, 0))` in front of `padding='valid'`"
    if isinstance(layer, L.Conv1D):
        in_front = f"`padding='causal'` or {in_front}"
    if layer.data_format != "channels_last":
        return "has time as its last axis. Use `channels_last`"
    if layer.strides[0] != 1:
        return "leaves out steps. Give it `strides=1`"
    if past and layer.padding == "same":
        return f"sees steps that are still to come. Give it {in_front}"
    if past and layer.padding == "valid" and not any(
        _fills(other, layer) for other in layers
    ):  # fmt: skip
        return (
            f"gives no output for the first {past} steps, and later layers "
            f"would get fewer steps than the stream has. Give it {in_front}"
        )
    return None


def _padding(layer, layers):
    if any(_fills(layer, other) for other in layers):
        return None
    return (
        "pads sequences, which is streamed only as `ZeroPadding1D((n, 0))` "
        "right before a convolution with `padding='valid'` that looks n steps "
        "back"
    )


def _fills(padding, convolution):
    """Whether one layer pads just what the other would be lacking."""
    return (
        isinstance(padding, L.ZeroPadding1D)
        and isinstance(convolution, CONVOLUTIONS)
        and convolution.padding == "valid"
        and tuple(padding.padding) == (width_of(convolution) - 1, 0)
        and convolution.input is padding.output
    )


def _first_axis(name):
    """A rule for layers over images of which time is the first axis."""

    def rule(layer, layers):
        del layers
        if getattr(layer, name)[0] == 1 and layer.strides[0] == 1:
            return None
        return (
            f"takes several steps together. Give it `{name}=(1, n)` and "
            "strides `(1, n)`, or wrap it in `TimeDistributed`"
        )

    return rule


def _pooling(layer, layers):
    del layers
    if layer.pool_size[0] == 1 and layer.strides[0] == 1:
        return None
    return (
        "pools over time. `GlobalAveragePooling1D` and `GlobalMaxPooling1D` "
        "stream; or pool before the model"
    )


def _reshape(layer, layers):
    del layers
    first, *rest = layer.target_shape
    size = math.prod(n for n in layer.input.shape[2:])
    if first == -1 and math.prod(rest) == size:
        return None
    return (
        "mixes steps, or fixes their number. Use `Reshape((-1, ...))` with "
        "all numbers of a step in the other axes, or wrap it in "
        "`TimeDistributed`"
    )


def _permute(layer, layers):
    del layers
    if layer.dims[0] == 1:
        return None
    return "moves the time axis. Wrap it in `TimeDistributed`"


def _axis(layer, layers):
    del layers
    rank = len(keras.tree.flatten(layer.input)[0].shape)
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if all(axis % rank != 1 for axis in axes):
        return None
    return "works along the time axis. Give it `axis=-1`"


# What a layer does, whatever its input, ...
_ANYWHERE = [
    ((L.Bidirectional, L.RNN), _recurrent),
    (L.Masking, _always("makes masks, and a stream has real steps only: leave "
                        "out steps before the model instead")),
    (L.Embedding, _embedding),
    (L.RepeatVector, _always("makes a sequence of one vector. Export without "
                             "`streaming`")),
]  # fmt: skip
# ... and where its input has a time axis.
_OVER_TIME = [
    (CONVOLUTIONS, _convolution),
    (L.ZeroPadding1D, _padding),
    ((L.MaxPooling1D, L.AveragePooling1D), _pooling),
    ((L.Conv2D, L.DepthwiseConv2D, L.SeparableConv2D),
     _first_axis("kernel_size")),
    ((L.MaxPooling2D, L.AveragePooling2D), _first_axis("pool_size")),
    ((L.GlobalAveragePooling2D, L.GlobalMaxPooling2D), _always(
        "pools over time and more. Wrap a `GlobalAveragePooling1D` in "
        "`TimeDistributed`")),
    (L.Flatten, _always(
        "makes one vector of all steps. Use `TimeDistributed(Flatten())`, or "
        "a layer that ends the sequence, such as `GlobalAveragePooling1D`")),
    (L.Reshape, _reshape),
    ((L.LayerNormalization, L.BatchNormalization, L.UnitNormalization,
      L.Softmax, L.Concatenate), _axis),
    (L.GroupNormalization, _always(
        "takes its statistics over all steps. Use `LayerNormalization`")),
    (L.Permute, _permute),
    ((L.Cropping1D, L.UpSampling1D, L.Conv1DTranspose, L.Conv2DTranspose),
     _always("changes the number of steps. Do that outside of the model")),
    ((L.Attention, L.AdditiveAttention, L.MultiHeadAttention,
      L.GroupQueryAttention),
     _always("looks at all steps at once. Export without `streaming`")),
]  # fmt: skip
