"""The runtimes that files are for, and run on before they are delivered."""

from typing import Any

from keras_moduli.export.errors import ExportError
from keras_moduli.export.verification.micro import Micro


def interpreters(path):
    """The ways to run a file: default delegates, and built-in kernels.

    Returns:
        A dict from name to a function that makes a fresh interpreter.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.interpreter import OpResolverType

    resolvers = {
        "default delegates": OpResolverType.AUTO,
        "built-in kernels": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }
    return {
        name: lambda resolver=resolver: Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=resolver,
        )
        for name, resolver in resolvers.items()
    }


class LiteRT:
    """LiteRT, which runs every file.

    Attributes:
        layouts: The names of those that it computes; `None` for all.
    """

    layouts = None

    def check(self, streaming, quantization):
        """Nothing is too much for it."""

    def finish(self, content):
        """The bytes of a file as it runs them: as they are."""
        return content

    def runners(self, path, signature):
        """The ways to run a signature.

        Returns:
            A dict from name to a function that makes a callable from named
            inputs to named outputs.
        """
        return {
            way: lambda make=make: make().get_signature_runner(signature)
            for way, make in interpreters(path).items()
        }

    def arena_bytes(self, path):
        """It takes its memory as it needs it."""


RUNTIMES: dict[str, Any] = {"litert": LiteRT(), "micro": Micro()}


def answers(runtime, path, name, run, batches):
    """Runs a signature on every batch, in every way that a runtime has.

    Args:
        runtime: Of `RUNTIMES`.
        path: The `.tflite` file.
        name: The signature.
        run: What calls it on a batch, such as `Program.run`.
        batches: A list of dicts from input name to array.

    Yields:
        For each way, a list of dicts from output name to array.

    Raises:
        ExportError: If the runtime refuses the file.
    """
    for way, make in runtime.runners(path, name).items():
        try:
            runner = make()
            yield [run(runner, batch) for batch in batches]
        except (RuntimeError, ValueError) as error:
            raise ExportError(
                f"The converted model does not run on {way}: {error}"
            ) from error
