"""What `guard report` says: one module per format, each with a pure function `render(appraisal, context) -> str`.

`sarif` and `junit` are those of a check, of the findings alone. What `render` gives never differs between two runs on
the same input: no clock, no timing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from guard.report import render as render_report
from guard.report.context import RenderContext
from guard.scoring.model import Appraisal

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "guard.report.standing.text",
        "markdown": "guard.report.standing.markdown",
        "html": "guard.report.standing.html",
        "json": "guard.report.standing.jsondoc",
        "sarif": "",
        "junit": "",
    }
)
"""The module of each format, imported only when it is used; empty for the formats that are those of a check."""


def render(name: str, appraisal: Appraisal, context: RenderContext) -> str:
    """`appraisal` in the format `name`. Raises KeyError for a name that is not in `FORMATS`."""
    module = FORMATS[name]
    if not module:
        return render_report(name, appraisal.report, context)
    write: Callable[[Appraisal, RenderContext], str] = importlib.import_module(module).render
    return write(appraisal, context)
