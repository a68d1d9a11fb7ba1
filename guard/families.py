"""What a family of checks is: how it sees a file, and how it joins what it saw into one program.

A family stands in one module of `guard.checks` and never judges; the rules in `guard.rules` judge what
its `link` gives. To add a family: write that module, and name it in `guard.checks.FAMILIES`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from guard.scopes import Scope
from guard.walk import Collector

if TYPE_CHECKING:
    from guard.parse import Parsed
    from guard.program import Program

F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)
L = TypeVar("L")


class PythonCollector(Collector, Protocol[F_co]):
    """Sees one Python file during the walk; made for it, thrown away after it."""

    def finish(self, module: Scope) -> F_co | None:
        """The family's facts on this file, once the walk is over; None for nothing to remember."""


class Family(msgspec.Struct, Generic[F, L], frozen=True):
    """One way of seeing. `facts` is a msgspec Struct (frozen, array_like): what is remembered of one file.

    `see_python` is given every Python file that parses and makes its collector; `see_bytes` is given every
    regular file's bytes and its kind (`python`, `stub`, `text`). A family that has both sees Python with the one
    and the rest with the other. Facts must be a function of the content and the kind only: never of
    the path, the time or the configuration.
    """

    name: str
    version: int
    """Raised whenever the same file would give other facts."""
    facts: type[F]
    link: Callable[[Program], L]
    see_python: Callable[[Parsed], PythonCollector[F]] | None = None
    see_bytes: Callable[[bytes, str], F | None] | None = None
    sees_unparsed: bool = False
    """Whether `see_python` is asked also about files that nothing could parse; its collector then sees no node."""
    letters: tuple[str, ...] = ()
    """The rules that need it, by the letters of their codes, so that a run without them need not gather it. Empty for
    what every run needs. A rule that asks for facts of another family gets them too, for the price of a second look."""
    only_counted: bool = False
    """Whether it is for a census of the tree alone, which no rule asks for."""


AnyFamily = Family[Any, Any]


def node_span(node: ast.AST) -> tuple[int, int, int, int]:
    """Line, column, end line, end column of a node; columns from 1, in UTF-8 bytes as `ast` counts them."""
    return (
        node.lineno,  # type: ignore[attr-defined]
        node.col_offset + 1,  # type: ignore[attr-defined]
        node.end_lineno,  # type: ignore[attr-defined]
        node.end_col_offset + 1,  # type: ignore[attr-defined]
    )


Decoded = Mapping[str, F]
