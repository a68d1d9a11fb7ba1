"""Which handlers catch which of Python's own exceptions, by the names that are written."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from functools import cache
from typing import Final

_EXCEPTIONS: Final = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}


def catches(names: Collection[str], error: str) -> bool | None:
    """Whether handlers for the exceptions `names` (dotted; none is a bare `except`) catch Python's own exception
    `error`; None where one of them is not Python's own, so that it cannot be told."""
    last = {name.rpartition(".")[2] for name in names}
    if not last or not _bases(error).isdisjoint(last):
        return True
    return False if last <= _EXCEPTIONS.keys() else None


@cache
def _bases(error: str) -> frozenset[str]:
    return frozenset(base.__name__ for base in _EXCEPTIONS[error].__mro__)


def may_catch_import(names: Collection[str]) -> bool:
    """Whether handlers for the exceptions `names` may catch what a failing import raises."""
    return any(catches(names, error) is not False for error in ("ImportError", "ModuleNotFoundError"))
