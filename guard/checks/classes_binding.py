"""Whether a call's arguments fit a signature, decided as Python decides it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from guard.checks.classes_facts import ParameterKind, Signature


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


def bind(
    signature: Signature,
    positional: int,
    keywords: Sequence[str],
    *,
    starred: bool = False,
    double_starred: bool = False,
) -> Misfit:
    """Bind `positional` arguments and `keywords` to `signature` (without `self`).

    A `*iterable` or `**mapping` among the arguments may fill any place that the written ones leave, so with one
    of them nothing is missing; what is written is judged all the same.
    """
    places = [p for p in signature if p.kind <= ParameterKind.POSITIONAL]
    any_positional = any(p.kind is ParameterKind.VAR_POSITIONAL for p in signature)
    any_keyword = any(p.kind is ParameterKind.VAR_KEYWORD for p in signature)
    by_name = {p.name for p in signature if p.kind in (ParameterKind.POSITIONAL, ParameterKind.KEYWORD_ONLY)}
    only_places = {p.name for p in places if p.kind is ParameterKind.POSITIONAL_ONLY}
    filled = {p.name for p in places[:positional]}
    unexpected = [] if any_keyword else [k for k in keywords if k not in by_name and k not in only_places]
    wrong_way = [] if any_keyword else [k for k in keywords if k in only_places]
    twice = [k for k in keywords if k in by_name and k in filled]
    surplus = 0 if any_positional else max(0, positional - len(places))
    missing: list[str] = []
    if not starred and not double_starred:
        filled.update(k for k in keywords if k in by_name)
        missing = [p.name for p in signature if p.required and p.name not in filled]
    elif not double_starred:  # `*iterable` fills no keyword-only parameter
        missing = [
            p.name for p in signature if p.required and p.kind is ParameterKind.KEYWORD_ONLY and p.name not in keywords
        ]
    elif not starred:  # `**mapping` fills no positional-only parameter
        missing = [p.name for p in places[positional:] if p.required and p.kind is ParameterKind.POSITIONAL_ONLY]
    return Misfit(tuple(unexpected), tuple(wrong_way), tuple(twice), surplus, tuple(missing))
