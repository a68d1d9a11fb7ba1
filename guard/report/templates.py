"""HTML pages from templates: whatever a page is told comes out as text, never as markup."""

from __future__ import annotations

import functools
import re
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape

from guard.report.escape import shortened, visible


def environment(package: str, longest: int = 0) -> jinja2.Environment:
    """An environment with the templates that lie in `package`. It escapes every value, cuts lines to `longest` columns
    unless that is 0, and raises jinja2.UndefinedError for a value that is not given."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: files(package).joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=functools.partial(_shown, longest=longest),
    )


def prose(text: str, longest: int) -> Markup:
    """A sentence as markup, in which what stands between backticks is code, as rules write it; at most `longest`
    columns of it."""
    pieces = re.split("`([^`]+)`", shortened(visible(text), longest))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def _shown(value: object, longest: int) -> object:
    """Each text with what a reader would not see, or what would turn the reading direction, as escapes; lines kept."""
    if isinstance(value, str) and not isinstance(value, Markup):
        lines = map(visible, value.split("\n"))
        return "\n".join(shortened(line, longest) if longest else line for line in lines)
    return value
