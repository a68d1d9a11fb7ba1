"""Reports as text: one module per format, each a pure function `render(report, context) -> str`.

What `render` gives never holds a lone surrogate, so that it can always be encoded as UTF-8, and ends with a
newline unless it is empty. To add a format: write its module, and name it in `FORMATS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from guard.model import Report
from guard.report.context import RenderContext

__all__ = ["FORMATS", "RenderContext", "render"]

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "guard.report.text",
        "concise": "guard.report.concise",
        "json": "guard.report.jsondoc",
        "jsonl": "guard.report.jsonl",
        "sarif": "guard.report.sarif",
        "github": "guard.report.github",
        "gitlab": "guard.report.gitlab",
        "junit": "guard.report.junit",
        "markdown": "guard.report.markdown",
    }
)
"""The module of each format; imported only when the format is used, because a run uses one or two."""


def render(name: str, report: Report, context: RenderContext) -> str:
    """`report` in the format `name`. Raises KeyError for a name that is not in `FORMATS`."""
    write: Callable[[Report, RenderContext], str] = importlib.import_module(FORMATS[name]).render
    return write(report, context)
