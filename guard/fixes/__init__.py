"""How findings are mended: pure functions from a file's content to its new content, by rule code."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from guard.model import Finding

Fixer = Callable[[bytes, Sequence[Finding]], bytes | None]
"""Given a file's content (empty for one that is not there) and its findings of one code: the new content, or None
where the fixer refuses."""


@cache
def fixers() -> Mapping[str, Fixer]:
    """Every fixer by rule code: what the modules of this package have in `FIXES`."""
    found: dict[str, Fixer] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(importlib.import_module(f"guard.fixes.{module.name}").FIXES)
    return found
