"""Keras-style docstrings, which are Markdown, as what Sphinx reads.

Runs before Napoleon, which makes lists of `Args:`, `Returns:` and the like;
here fences, code and links change from Markdown to reStructuredText.
"""

import re
import textwrap

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(\s*(\S+?)\s*\)")
_CODE = re.compile(r"(?<![`:])`([^`\n]+?(?:\n *[^`\n]+?)?)`(?!`)(?=(\w?))")
# An indented paragraph of its own, such as a formula, is code in Markdown.
_FORMULA = re.compile(r"(?<=\n\n)((?: {4}.+\n)+)(?=\n)")


def setup(app):
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-process-docstring", _convert, priority=100)
    return {"parallel_read_safe": True}


def _convert(app, what, name, obj, options, lines):
    """Changes a docstring's lines in place."""
    del app, what, name, obj, options
    text = "\n".join(lines)
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_prose(text[end : fence.start()]), _block(*fence.groups())]
        end = fence.end()
    parts.append(_prose(text[end:]))
    lines[:] = "".join(parts).split("\n")


def _block(indent, language, code):
    inner = "".join(
        f"    {line}\n" if line.strip() else "\n" for line in code.splitlines()
    )
    return f"{indent}.. code-block:: {language or 'text'}\n\n{inner}"


def _prose(text):
    text = _FORMULA.sub(
        lambda m: _block("", "text", textwrap.dedent(m[1])), text
    )
    text = _CODE.sub(_literal, text)
    return _LINK.sub(
        lambda m: f"`{' '.join(m[1].replace('`', '').split())} <{m[2]}>`__",
        text,
    )


def _literal(match):
    # A word may go on behind the quotes, as in `Pattern`s.
    return f"``{match[1]}``" + "\\ " * bool(match[2])
