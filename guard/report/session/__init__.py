"""A session of the loop as text: one module per format, each with `render(session, earlier) -> str`.

Everything on a page comes from the record: `session` itself, and `earlier`, the sessions on the same target before it,
oldest first, for what is carried over. What `render` gives holds no lone surrogate and ends with a newline.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from guard.runner.record import Session

__all__ = ["FORMATS", "render"]

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "json": "guard.report.session.jsondoc",
        "junit": "guard.report.session.junit",
        "markdown": "guard.report.session.markdown",
        "html": "guard.report.session.html",
    }
)
"""The module of each format; imported only when the format is used."""


def render(name: str, session: Session, earlier: Sequence[Session] = ()) -> str:
    """`session` in the format `name`. Raises KeyError for a name that is not in `FORMATS`."""
    write: Callable[[Session, Sequence[Session]], str] = importlib.import_module(FORMATS[name]).render
    return write(session, earlier)
