"""How findings are mended: pure functions from a file's content to its new content, by rule code."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import msgspec

from guard.model import Finding


class Refused(msgspec.Struct, frozen=True):
    """Why a fixer leaves a file as it is, in a few words that follow a place."""

    reason: str


Fixer = Callable[[bytes, Sequence[Finding]], bytes | Refused]
"""Given a file's content (empty for one that is not there) and its findings of the codes that the fixer stands for:
the new content, with all of them mended, or why not."""


@cache
def fixers() -> Mapping[str, Fixer]:
    """Every fixer by rule code: what the modules of this package have in `FIXES`."""
    found: dict[str, Fixer] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(getattr(importlib.import_module(f"guard.fixes.{module.name}"), "FIXES", {}))
    return found
