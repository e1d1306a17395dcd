"""Running an exported file, as a user of LiteRT would."""

from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.interpreter import OpResolverType

# With the default delegates, and with built-in kernels alone.
RESOLVERS = (
    OpResolverType.AUTO,
    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
)


def runner_of(path, resolver=OpResolverType.AUTO):
    """A file's signature runner."""
    interpreter = Interpreter(
        model_path=str(path), experimental_op_resolver_type=resolver
    )
    return interpreter.get_signature_runner()


def run(path, resolver=OpResolverType.AUTO, **inputs):
    """The outputs of a file for some inputs, by name."""
    return runner_of(path, resolver)(**inputs)
