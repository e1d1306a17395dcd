"""TFLite Micro's interpreter, for files that run on microcontrollers."""

import re
import subprocess
import sys
from pathlib import Path

from keras_moduli.export.errors import ExportError
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import selects
from keras_moduli.export.flatbuffers.micro_traps import micro_warnings

_LEAST_ARENA = 1 << 24  # bytes
_ASK = """
import sys
from tflite_micro.python.tflite_micro import runtime
interpreter = runtime.Interpreter.from_file(
    sys.argv[1], arena_size=int(sys.argv[2])
)
interpreter.print_allocations()
"""


class Micro:
    """What a file for TFLite Micro may be, and how it is run.

    Attributes:
        layouts: Those that its kernels compute.
    """

    layouts = ("dense", "gathered", "tiled")

    def check(self, streaming, quantization):
        """Raises a ValueError for files that it does not compute rightly."""
        if streaming is not True:
            raise ValueError(
                "`runtime` 'micro' needs `streaming=True`: TFLite Micro "
                "computes the loop over a whole sequence wrongly, or hangs "
                f"in it. Received: streaming={streaming!r}"
            )
        if quantization not in (None, "full_int8"):
            raise ValueError(
                "`runtime` 'micro' needs `quantization` None or 'full_int8': "
                "TFLite Micro has no kernels for quantized weights with float "
                f"activations. Received: quantization={quantization!r}"
            )
        _runtime()

    def finish(self, content):
        """The bytes of a file with operators that it has."""
        return selects.known(content)

    def runners(self, path, signature):
        """The ways to run a signature, as `LiteRT.runners` gives them."""
        return {"TFLite Micro": lambda: MicroRunner(path, signature)}

    def arena_bytes(self, path):
        """The tensor arena that a file fills."""
        told = _told(path)
        found = re.search(r"Arena allocation total (\d+) bytes", told)
        if not found:
            raise ExportError(
                "TFLite Micro does not tell how large an arena it needs: "
                f"{told[-300:]}"
            )
        return int(found[1])


class MicroRunner:
    """Runs a signature of a file on TFLite Micro, by names."""

    def __init__(self, path, signature):
        content = Path(path).read_bytes()
        model = flatbuffer.read(content)
        wrong = micro_warnings(model)
        if wrong:
            raise ExportError(
                f"TFLite Micro would not run this rightly: {'; '.join(wrong)}"
            )
        graph = model.subgraphs[0]
        (found,) = [
            each
            for each in model.signatureDefs
            if each.signatureKey.decode() == signature
        ]
        self._inputs = _places(found.inputs, graph.inputs)
        self._outputs = _places(found.outputs, graph.outputs)
        try:
            self._interpreter = _runtime().Interpreter.from_bytes(
                content, arena_size=_arena(path)
            )
        except RuntimeError as error:
            raise ExportError(_refusal(_told(path))) from error

    def __call__(self, **feed):
        for name, place in self._inputs.items():
            self._interpreter.set_input(feed[name], place)
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_output(place).copy()
            for name, place in self._outputs.items()
        }


def _told(path):
    """What TFLite Micro says of a file.

    It says so to stderr only: it is asked in a process of its own.
    """
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(path), str(_arena(path))],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip()


def _refusal(told):
    """What is wrong with a file that it does not load, in one line."""
    said = " ".join(told.partition("Traceback")[0].split())
    lacking = re.findall(r"builtin opcode '(\w+)'|Node (\w+) ", said)
    names = sorted({name for pair in lacking for name in pair if name})
    return (
        f"it has no {', '.join(names) or 'kernels'} for such numbers: layers "
        "and activations that do without, or another `quantization`, would "
        f"work. It says: {said}"
    )


def _places(named, tensors):
    """From names to places among the tensors that a graph takes or gives."""
    order = [int(tensor) for tensor in tensors]
    return {
        each.name.decode(): order.index(int(each.tensorIndex)) for each in named
    }


def _arena(path):
    """Bytes that are enough for any file."""
    return max(_LEAST_ARENA, 10 * Path(path).stat().st_size)


def _runtime():
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise ImportError(
            "`runtime` 'micro' needs TFLite Micro's interpreter to verify the "
            "file: pip install 'keras-moduli[micro]'"
        ) from error
    return runtime
