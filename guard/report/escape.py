"""Making foreign text harmless: names, messages and code come from a repository that may be hostile.

Two functions, for two needs. `visible` is for what people read: nothing that comes out of it can move a cursor,
change a colour, break a line or turn the reading direction. `encodable` is for formats with escapes of their
own: it only replaces what no UTF-8 output can hold.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, invisible format characters, surrogates, line and paragraph separators."""
_SHORT: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def escaped(char: str) -> str:
    r"""One character as a backslash escape: `\n`, `\x1b`, `\u202e`, `\U000e0001`.

    A byte that is not UTF-8, which Python holds as a surrogate in U+DC80 to U+DCFF (PEP 383), is `\x80` to `\xff`;
    no other character is written so.
    """
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def encodable(text: str) -> str:
    """`text` with lone surrogates as escapes; everything else as it is."""
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda match: escaped(match.group()), text)


def visible(text: str) -> str:
    """`text` on one line, with every character that a reader would not see, or a terminal would obey, escaped."""
    if text.isprintable():
        return text
    return "".join(map(visible_char, text))


def visible_char(char: str) -> str:
    """One character as `visible` shows it."""
    # U+FFFE and U+FFFF are no characters, and XML 1.0 forbids them; nor are their like in the other planes.
    hidden = unicodedata.category(char) in _HIDDEN or ord(char) & 0xFFFE == 0xFFFE
    return escaped(char) if hidden else char


def cells(text: str) -> int:
    """How many terminal columns `text`, which is `visible`, takes: East Asian wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_char_cells, text))


def _char_cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """`text`, made visible, in lines of at most `width` columns: the first begins with `first`, the others with `rest`.

    Breaks only at blanks, so that a path or a name stays whole (and a line may be longer).
    """
    lines: list[str] = []
    line, used = first, cells(first)
    empty = True
    for word in visible(text).split():
        size = cells(word)
        if not empty and used + 1 + size > width:
            lines.append(line)
            line, used, empty = rest, cells(rest), True
        if empty:
            line, used = line + word, used + size
        else:
            line, used = f"{line} {word}", used + 1 + size
        empty = False
    lines.append(line.rstrip())
    return lines


def shortened(text: str, width: int) -> str:
    """`text`, which is `visible`, cut to `width` columns with an ellipsis at its end where it is longer."""
    if cells(text) <= width:
        return text
    kept, used = [], 1
    for char in text:
        used += _char_cells(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"
