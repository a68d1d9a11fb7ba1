"""Whether a call's arguments fit a signature, decided as Python decides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from guard.checks.classes_facts import ParameterKind, Signature

_POSITIONAL_ONLY: Final = ParameterKind.POSITIONAL_ONLY
_POSITIONAL: Final = ParameterKind.POSITIONAL
_VAR_POSITIONAL: Final = ParameterKind.VAR_POSITIONAL
_VAR_KEYWORD: Final = ParameterKind.VAR_KEYWORD
_KEYWORD_ONLY: Final = ParameterKind.KEYWORD_ONLY


class Misfit(msgspec.Struct, frozen=True):
    """Everything that makes a call raise TypeError. Falsy where nothing does."""

    unexpected: tuple[str, ...] = ()
    """Keyword arguments that no parameter takes."""
    positional_only: tuple[str, ...] = ()
    """Keyword arguments whose parameter takes only a position."""
    twice: tuple[str, ...] = ()
    """Parameters that get a value by position and by name."""
    surplus: int = 0
    """Positional arguments beyond those that there is a place for."""
    missing: tuple[str, ...] = ()
    """Required parameters that get no value."""

    def __bool__(self) -> bool:
        return bool(self.unexpected or self.positional_only or self.twice or self.surplus or self.missing)


FITS: Final = Misfit()


class Parameters:
    """A signature (without `self`), made ready for many calls."""

    def __init__(self, signature: Signature) -> None:
        self._places = [p for p in signature if p.kind <= _POSITIONAL]
        self._any_positional = any(p.kind is _VAR_POSITIONAL for p in signature)
        self._any_keyword = any(p.kind is _VAR_KEYWORD for p in signature)
        self._by_name = frozenset(p.name for p in signature if p.kind in (_POSITIONAL, _KEYWORD_ONLY))
        self._also = {p.also: p.name for p in signature if p.also}
        self._only_places = frozenset(p.name for p in self._places if p.kind is _POSITIONAL_ONLY)
        self._required = [p for p in signature if p.required]

    def bind(
        self, positional: int, keywords: Sequence[str], *, starred: bool = False, double_starred: bool = False
    ) -> Misfit:
        """Bind `positional` arguments and `keywords`, as a call does.

        A `*iterable` or `**mapping` among the arguments may fill any place that the written ones leave, so with one
        of them nothing is missing; what is written is judged all the same.
        """
        filled = {p.name for p in self._places[:positional]}
        if self._also:
            keywords = [self._also.get(keyword, keyword) for keyword in keywords]
        twice = [k for k in keywords if k in filled and k in self._by_name]
        surplus = 0 if self._any_positional else max(0, positional - len(self._places))
        unexpected, wrong_way = [], []
        if not self._any_keyword:
            unexpected = [k for k in keywords if k not in self._by_name and k not in self._only_places]
            wrong_way = [k for k in keywords if k in self._only_places]
        missing: list[str] = []
        if not starred and not double_starred:
            filled.update(self._by_name.intersection(keywords))
            missing = [p.name for p in self._required if p.name not in filled]
        elif not double_starred:  # `*iterable` fills no keyword-only parameter
            missing = [p.name for p in self._required if p.kind is _KEYWORD_ONLY and p.name not in keywords]
        elif not starred:  # `**mapping` fills no positional-only parameter
            left = self._places[positional:]
            missing = [p.name for p in left if p.required and p.kind is _POSITIONAL_ONLY]
        if not (unexpected or wrong_way or twice or surplus or missing):
            return FITS
        return Misfit(tuple(unexpected), tuple(wrong_way), tuple(twice), surplus, tuple(missing))
