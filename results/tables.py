"""The tables of RESULTS.md, made anew from the records beside this.

`python results/tables.py` puts under every `keras-moduli table ...` command
in RESULTS.md what that command prints now.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

from keras_moduli.cli import parser

ROOT = Path(__file__).parent.parent
_TABLE = re.compile(
    r"(```sh\nkeras-moduli (?P<command>table .*)\n```\n\n)(?:\|.*\n)*\n*"
)


def renewed(text):
    """A text with every table that follows its command made anew."""
    whole = _TABLE.sub(lambda m: f"{m[1]}{_printed(m['command'])}\n", text)
    return whole.rstrip("\n") + "\n"


def _printed(command):
    words = shlex.split(command)
    words[1] = str(ROOT / words[1])
    with contextlib.redirect_stdout(io.StringIO()) as text:
        status = parser.main(words)
    if status:
        raise RuntimeError(f"`keras-moduli {command}` ended with {status}")
    return text.getvalue()


if __name__ == "__main__":
    path = ROOT / "RESULTS.md"
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
