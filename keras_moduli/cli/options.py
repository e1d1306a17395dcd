"""The options of the command line: their types, and what to say of them."""

import argparse
import os

# Option: (type, metavar, help). The defaults in the help are language's; a
# test holds them to the truth.
TASK_OPTIONS = {
    "units": (int, "N", "recurrent units (default: 512)"),
    "cell": (
        str,
        "NAME",
        "language: simple_rnn, lstm or gru (default: lstm)",
    ),
    "layers": (int, "N", "language: recurrent layers (default: 1)"),
    "embedding": (int, "N", "language: size of the embedding (default: 64)"),
    "level": (
        str,
        "NAME",
        "language: character or word (default: character)",
    ),
    "recipe": (
        str,
        "NAME",
        "language: adam, or sgd for the paper's, with the state carried from "
        "batch to batch (default: adam)",
    ),
    "kernel_l1": (
        float,
        "X",
        "language: factor of the mean absolute weight of all other kernels "
        "(default: 0.0)",
    ),
    "sequence_length": (int, "N", "steps of a sequence (default: 64)"),
    "batch_size": (int, "N", "sequences in a batch (default: 32)"),
    "text": (
        str,
        "FILE",
        "UTF-8 text files (default: the Python standard library's own "
        "sources on this machine)",
    ),
    "cells": (int, "N", "navigation: place cells (default: 256)"),
    "width": (
        float,
        "X",
        "navigation: width of a place field in metres (default: 0.3)",
    ),
    "noise": (
        float,
        "X",
        "navigation: standard deviation of what is wrong with a displacement, "
        "in metres (default: 0.0); heading: with a reading, in rad/s "
        "(default: 1.0)",
    ),
    "bias": (
        float,
        "X",
        "heading: standard deviation of the first bias, in rad/s "
        "(default: 0.1)",
    ),
    "data": (
        str,
        "FILE",
        "seasons: a series, an .npy file or a CSV of one column (default: "
        "two years of traffic that come with AutoTS, extra seasons)",
    ),
    "day": (int, "N", "seasons: values in a day (default: 24)"),
    "every": (
        int,
        "N",
        "seasons: values that are averaged to a step (default: 3)",
    ),
    "warm_up": (
        int,
        "N",
        "seasons: steps that the network sees (default: 40)",
    ),
    "learning_rate": (
        float,
        "X",
        "learning rate, else the task's or the recipe's (default: 0.02)",
    ),
}
RUN_OPTIONS = {
    "steps": (int, "N", "optimizer steps of each model (default: 600)"),
    "epochs": (int, "N", "epochs they are divided into (default: 6)"),
    "space": (str, "NAME", "moduli space (default: torus)"),
    "inhibitor": (
        str,
        "NAME",
        "inhibitor function (default: difference_of_gaussians)",
    ),
    "factor": (float, "X", "factor of the regularizer (default: 0.03)"),
    "control": (
        str,
        "NAME",
        "what to replace the regularizer by, for comparison: none, l1, l2, "
        "matched_l1, permuted, self, no_self, box, or dense_twin for a dense "
        "model of as many weights (default: None)",
    ),
    "scale": (
        float,
        "X",
        "width of the inhibitor relative to the space (default: 1.0)",
    ),
    "points": (
        str,
        "HOW",
        "how neurons are placed, uniform or ordered (default: uniform)",
    ),
    "ranking": (
        str,
        "HOW",
        "global: one threshold; local or erk (default: global)",
    ),
    "pruning_begin": (
        float,
        "X",
        "when pruning begins, as a fraction of the steps (default: 0.1)",
    ),
    "pruning_end": (
        float,
        "X",
        "when it ends; the stabiliser epochs follow (default: 0.6)",
    ),
    "pruning_power": (
        int,
        "N",
        "how sparsity rises in between; 1 is linear (default: 3)",
    ),
    "sparsity": (
        float,
        "X",
        "fraction of the pruned weights to set to zero (default: 0.9)",
    ),
    "weights": (
        str,
        "WHICH",
        "weights to prune: recurrent, kernels or a regular expression on "
        "their paths (default: recurrent)",
    ),
    "block_size": (
        int,
        ("SOURCES", "TARGETS"),
        "prune blocks of so many weights; 4 1 run fast in a .tflite, 1 1 "
        "prunes each weight for itself (default: 1 1)",
    ),
    "connections": (
        str,
        "NAME",
        "how recurrent kernels get theirs: pruned, or, from the first step, "
        "near, near+random:SHARE, own+random, own or random (default: "
        "near+random:0.5)",
    ),
    "group_size": (
        int,
        "N",
        "consecutive neurons that read the same others; from 8 on, with fixed "
        "connections, training is as sparse as the model (default: 32)",
    ),
    "pattern": (
        str,
        "NAME",
        "what groups of pruned connections are: shared_sources, any neurons "
        "that all of a group read, or tiles, whole groups of them (default: "
        "shared_sources)",
    ),
    "seed": (int, "N", "of weights, embedding and data order (default: 0)"),
}
OPTIONS = {**TASK_OPTIONS, **RUN_OPTIONS}
FLAGS = {
    "lottery": "train the final masks once more, from other weights",
    "trainable": "train the neurons' points too",
    "whole_units": "prune hidden units as wholes, and keep the dense model of "
    "those that are left",
}
_COUNTS = {"text": "+", "block_size": 2}  # arguments, where not one


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def add_options(command, lists=()):
    """Adds the options of a run to a command.

    Args:
        command: An `argparse.ArgumentParser`.
        lists: Names of options that take several values, split by commas.
    """
    for name, (kind, metavar, text) in OPTIONS.items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=list_of(kind) if name in lists else kind,
            metavar=f"{metavar},..." if name in lists else metavar,
            help=text,
            nargs=_COUNTS.get(name),
        )
    for name, text in FLAGS.items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            action="store_true",
            default=None,
            help=text,
        )
    command.add_argument(
        "--preset",
        default="small",
        metavar="NAME",
        help="sizes to begin with: small or paper, for language and seasons "
        "also pruned (what prunes in training), for language small_word "
        "(default: small); the defaults above are language's",
    )


def given(arguments):
    """The settings that stand on the command line, a dict."""
    found = {name: getattr(arguments, name) for name in (*OPTIONS, *FLAGS)}
    if found["text"] is not None:
        found["text"] = [os.path.abspath(file) for file in found["text"]]
    if found["data"] is not None:
        found["data"] = os.path.abspath(found["data"])
    # argparse makes lists where settings hold tuples.
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if value is not None
    }


def list_of(kind):
    """Parses several values, split by commas."""

    def parse(text):
        return [kind(item) for item in text.split(",")]

    parse.__name__ = f"list of {kind.__name__}"  # for argparse's messages
    return parse
