"""The forms in which a .tflite file can hold a model's weights."""

import dataclasses

import keras
import numpy as np

from keras_moduli.export.flatbuffers import sparse_encoding
from keras_moduli.export.flatbuffers import sparse_tensors
from keras_moduli.export.layouts.gathered_product import best_gathering
from keras_moduli.export.layouts.gathered_product import gathered_product
from keras_moduli.export.layouts.reordering import renumberings
from keras_moduli.export.layouts.tile_cover import best_cover
from keras_moduli.export.layouts.tile_cover import whole_cost
from keras_moduli.export.layouts.tiled_product import tiled_product
from keras_moduli.export.programs.constants import once
from keras_moduli.export.programs.lowering import Rewrite
from keras_moduli.export.programs.lowering import lowerable
from keras_moduli.export.programs.parts import parts_of


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a layout does to one model.

    Attributes:
        rewrites: What `lowering.lowered` takes.
        notes: Sentences for the report.
    """

    rewrites: dict = dataclasses.field(default_factory=dict)
    notes: tuple = ()


class Dense:
    """Every weight is stored, as the converter does it.

    The products of a recurrent layer's inputs are made before its loop.
    """

    def plan(self, model, quantization, optimize_for):
        """How to write a model, or `None` if the layout has no use for it."""
        del quantization, optimize_for
        return Plan(_plain(model))

    def finish(self, content, optimize_for):
        """Changes a converted file; gives it back with notes.

        The content is `None` if there was nothing to change.
        """
        del optimize_for
        return content, ()


class Sparse(Dense):
    """Only the nonzeros are stored, in TFLite's sparse sparse_encoding.

    Blocks of 4 sources (float32) or 16 (int8) are also multiplied sparsely,
    and so are single float32 weights where they are few enough. Kernels whose
    sources do not fill the last block get rows of zeros.
    """

    useless = (
        "no matrix of the model has enough zeros (at least 20 %) in a form "
        "that TFLite can store sparsely: single weights for None and "
        "'float16', blocks of 16 sources for 'int8'"
    )

    def plan(self, model, quantization, optimize_for):
        del optimize_for
        if not any(_zeros(weight) > 0.2 for weight in model.weights):
            return None
        is_int8 = quantization in ("int8", "full_int8")
        block = sparse_encoding.Blocks(16 if is_int8 else 4)
        rewrites = _plain(model)
        for layer, _ in lowerable(model):
            products = {
                name: _padded_product(part.kernel, block.block)
                for name, part in parts_of(layer).items()
                if _gains_by_padding(part.kernel, block)
            }
            if products:
                rewrites[id(layer)] = Rewrite(products)
        return Plan(rewrites)

    def finish(self, content, optimize_for):
        content, stored = sparse_tensors.encode(content, optimize_for)
        return content if stored else None, tuple(
            f"{'x'.join(map(str, tensor.shape))} {tensor.type}, "
            f"{tensor.sparsity:.1%} zeros: {tensor.form}"
            for tensor in stored
        )


class Tiled(Dense):
    """Only the tiles that hold a nonzero are stored, as dense matrices.

    Every operator is one that delegates accelerate, at any quantization. The
    units of a recurrent layer are renumbered if that makes fewer tiles; its
    outputs and states keep their order.
    """

    useless = (
        "no kernel of the model has whole tiles (16 x 16 or larger) of zeros, "
        "however its units are numbered"
    )

    def plan(self, model, quantization, optimize_for):
        batched = quantization not in _NOT_BATCHED
        rewrites, notes = {}, []
        for layer, alone in lowerable(model):
            rewrite, note = _tiled(layer, alone, optimize_for, batched)
            if rewrite.products:
                rewrites[id(layer)] = rewrite
                notes.append(note)
        if not rewrites:
            return None
        return Plan({**_plain(model), **rewrites}, tuple(notes))


class Gathered(Dense):
    """Each group of targets gathers the sources that it reads.

    What is stored is one small dense matrix for each group, of consecutive
    units in all gates: small and fast, at any quantization, without blocks
    among the sources. Other zeros are covered where that pays.
    """

    useless = (
        "in no kernel of the model do groups of 8 to 512 consecutive units, "
        "in all gates, read few enough sources (at most 60 %)"
    )

    def plan(self, model, quantization, optimize_for):
        del optimize_for
        batched = quantization not in _NOT_BATCHED
        rewrites, notes = {}, []
        for layer, _ in lowerable(model):
            found = {
                name: best_gathering(part.kernel, part.gates)
                for name, part in parts_of(layer).items()
            }
            found = {name: one for name, one in found.items() if one}
            if found:
                rewrites[id(layer)] = Rewrite(
                    {n: gathered_product(g, batched) for n, g in found.items()}
                )
                notes.extend(_gathering_notes(layer, found))
        if not rewrites:
            return None
        return Plan({**_plain(model), **rewrites}, tuple(notes))


# LiteRT's BATCH_MATMUL of int8 weights takes longer with every run when the
# activations are floats (3 ms become 80 within 300 runs), and is slow when they
# are integers.
_NOT_BATCHED = ("int8", "full_int8")

LAYOUTS = {
    "dense": Dense(),
    "sparse": Sparse(),
    "tiled": Tiled(),
    "gathered": Gathered(),
}


def _gathering_notes(layer, found):
    for name, one in found.items():
        groups, fan_in = one.sources.shape
        yield (
            f"{layer.path}: {name} gathered in {groups} groups of "
            f"{one.group_size} units that read {fan_in} sources each; "
            f"{one.zeros:.1%} of the weights stored are zeros"
        )


def _plain(model):
    """Layers computed as they are, inputs before the loop."""
    return {id(layer): Rewrite({}) for layer, _ in lowerable(model)}


def _zeros(variable):
    if len(variable.shape) < 2:
        return 0.0
    return float(np.mean(keras.ops.convert_to_numpy(variable) == 0))


def _gains_by_padding(kernel, block):
    rows = len(kernel)
    if rows % block.block == 0 or rows < block.block:
        return False
    padded = np.pad(kernel, ((0, -rows % block.block), (0, 0)))
    return block.stores(padded.T) < 0.5 * kernel.size


def _padded_product(kernel, multiple):
    padding = -len(kernel) % multiple
    padded = once(np.pad(kernel, ((0, padding), (0, 0))))

    def product(x):
        return keras.ops.matmul(
            keras.ops.pad(x, ((0, 0), (0, padding))), padded()
        )

    return product


def _tiled(layer, alone, optimize_for, batched):
    """The cheapest rewrite of one layer, and a sentence about it."""
    orders = renumberings(layer) if alone else [None]
    trials = [_covers(layer, order, optimize_for, batched) for order in orders]
    order, covers, parts, _ = min(trials, key=lambda trial: trial[-1])
    covers = {name: cover for name, cover in covers.items() if cover}
    products = {
        name: tiled_product(parts[name].kernel, cover, batched)
        for name, cover in covers.items()
    }
    note = f"{layer.path}: " + ", ".join(
        f"{name} in {len(cover.products)} products of tiles of {cover.tile}, "
        f"{cover.weights / parts[name].kernel.size:.1%} of its weights"
        for name, cover in covers.items()
    )
    if order is not None:
        note += ", units renumbered"
    return Rewrite(products, order if products else None), note


def _covers(layer, order, optimize_for, batched):
    """The best covers of a layer's parts in one order, and their cost."""
    parts = parts_of(layer, order)
    covers = {
        name: best_cover(part.kernel, part.gates, optimize_for, batched)
        for name, part in parts.items()
    }
    cost = sum(
        covers[name].cost
        if covers[name]
        else whole_cost(part.kernel, optimize_for)
        for name, part in parts.items()
    )
    return order, covers, parts, cost
