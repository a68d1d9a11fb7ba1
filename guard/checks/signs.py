"""Looking for a few strings in the bytes of every file of a tree.

That is a good part of what a family costs which hardly any file concerns. A search for one byte is several times as
fast as one for a string, so a string is looked for at its rarest byte; those that share it, at the price of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

_BY_RARITY: Final = b"QZ$!%K9678J345+*HBG/jz>WFPU2qL1XYIV{}-0][CMDN'A#OxwSTbk,vREy()=:h.gfmpud\"l\n_conari"
"""Bytes of Python code, the rarest first, as counted in a large monorepo."""
_RARE: Final = _BY_RARITY.index(b"f")
"""From here on a byte is so frequent that the string itself is found sooner."""
_RANK: Final = {byte: rank for rank, byte in enumerate(_BY_RARITY)}

Search = Callable[[bytes], object]


def searches(signs: Iterable[tuple[bytes, bytes]]) -> tuple[Search, ...]:
    """Searches that find something in a content, one or another of them, where it holds any of `signs`: each of them a
    string, and a pattern for what must follow it."""
    found: list[Search] = []
    by_byte: dict[int, list[bytes]] = {}
    for sign, behind in signs:
        at = min(range(len(sign)), key=lambda index: _RANK.get(sign[index], len(_BY_RARITY)))
        if _RANK.get(sign[at], len(_BY_RARITY)) >= _RARE:
            found.append(re.compile(re.escape(sign) + behind).search if behind else _plain(sign))
            continue
        before, after = re.escape(sign[: at + 1]), re.escape(sign[at + 1 :])
        by_byte.setdefault(sign[at], []).append(b"(?<=" + before + b")" + after + behind)
    for byte, around in by_byte.items():
        found.append(re.compile(re.escape(bytes([byte])) + b"(?:" + b"|".join(around) + b")").search)
    return tuple(found)


def _plain(sign: bytes) -> Search:
    return lambda content: sign in content
