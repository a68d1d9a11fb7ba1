"""How to see: one module per family. A new family is named in `_MODULES` and nowhere else."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final

from guard.families import AnyFamily

_MODULES: Final = (
    "text",
    "syntax",
    "modules",
    "attributes",
    "classes",
    "middleware",
    "django",
    "strings",
    "collecting",
    "ssot",
    "suppressions",
    "line_counts",
)


@cache
def families() -> tuple[AnyFamily, ...]:
    """Every family, in the order in which their facts are kept."""
    return tuple(importlib.import_module(f"guard.checks.{name}").FAMILY for name in _MODULES)
