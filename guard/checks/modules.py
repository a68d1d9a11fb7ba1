"""Modules, names and imports: the family that every other family follows references through."""

from __future__ import annotations

from typing import Final

from guard.checks.module_collect import ModuleCollector
from guard.checks.module_facts import ModuleFacts
from guard.checks.module_table import Definition, External, Modules, link
from guard.families import Family

__all__ = ["FAMILY", "Definition", "External", "Modules"]

FAMILY: Final[Family[ModuleFacts, Modules]] = Family("modules", 11, ModuleFacts, link, see_python=ModuleCollector)
