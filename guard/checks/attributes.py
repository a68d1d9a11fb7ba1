"""Attributes of modules: which ones a file reads, and which ones nothing can have set."""

from __future__ import annotations

from typing import Final

from guard.checks.module_attributes import ModuleAttributes, link
from guard.checks.module_uses import UseCollector, UseFacts
from guard.families import Family

__all__ = ["FAMILY", "ModuleAttributes"]

FAMILY: Final[Family[UseFacts, ModuleAttributes]] = Family(
    "attributes", 3, UseFacts, link, see_python=UseCollector, letters=("IMP",)
)
