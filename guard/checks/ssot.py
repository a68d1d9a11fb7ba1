"""The family behind the rules on one source of truth: what each file defines, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from guard.checks.ssot_facts import SourceCollector, SourceFacts
from guard.families import Family

if TYPE_CHECKING:
    from guard.program import Program


def _link(program: Program) -> Mapping[str, SourceFacts]:
    return program.facts(FAMILY)


FAMILY: Final[Family[SourceFacts, Mapping[str, SourceFacts]]] = Family(
    "ssot", 4, SourceFacts, _link, see_python=SourceCollector, letters=("SSOT",)
)
"""Linked it gives the facts by path: what is compared with what is `guard.duplicates`' to decide."""
