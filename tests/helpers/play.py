"""Runs exported files on the LiteRT at hand, old ones too.

It stands alone, for Pythons that have NumPy and a LiteRT and no more:

    python play.py FOLDER ANSWERS

answers `x.npy` of a folder with each of its .tflite files, under the default
delegates and with built-in kernels.
"""

import sys
from pathlib import Path

import numpy as np

WAYS = ("AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES")


def answer(run, states, x):
    """What a file answers to a sequence, in one call or step by step.

    Args:
        run: A callable from named inputs to named outputs.
        states: A dict from the states' names to their shapes, empty for a
            file of whole sequences.
        x: Array of shape `(batch, steps, ...)`.
    """
    if not states:
        return run(x=x)["output_0"]
    values = {
        name: np.zeros(shape, "float32") for name, shape in states.items()
    }
    answers = []
    for step in range(x.shape[1]):
        found = run(x=x[:, step : step + 1], **values)
        # Copies: some runtimes give views of what the next call overwrites.
        values = {name: np.array(found[name]) for name in states}
        answers.append(np.array(found["output_0"]))
    return np.concatenate(answers, axis=1)


def litert(path, way):
    """A file's signature on the LiteRT that is imported, and its states."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.interpreter import OpResolverType

    interpreter = Interpreter(
        model_path=str(path),
        num_threads=1,
        experimental_op_resolver_type=getattr(OpResolverType, way),
    )
    runner = interpreter.get_signature_runner()
    return runner, state_shapes(runner.get_input_details())


def state_shapes(details):
    """The shapes of the states among named inputs."""
    return {
        name: tuple(map(int, detail["shape"]))
        for name, detail in details.items()
        if name.startswith("state_")
    }


def main(folder, answers):
    x = np.load(folder / "x.npy")
    for path in sorted(folder.glob("*.tflite")):
        for way in WAYS:
            place = answers / f"{path.stem}.{way}"
            try:
                found = answer(*litert(path, way), x)
            except (RuntimeError, ValueError) as error:
                place.with_name(f"{place.name}.txt").write_text(str(error))
            else:
                np.save(place.with_name(f"{place.name}.npy"), found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
