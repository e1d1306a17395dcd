"""Commands for processes of their own."""

import sys
from pathlib import Path

# As it was installed beside this Python.
COMMAND = str(Path(sys.executable).with_name("keras-moduli"))


def python(script, *arguments):
    """The command that runs a script, which is a string.

    A fifth of the import of TensorFlow and Keras is to look for garbage; such
    short lives make little.
    """
    script = f"import gc\ngc.disable()\n{script}"
    return [sys.executable, "-c", script, *map(str, arguments)]
