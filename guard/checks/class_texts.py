"""What the text of a file says of an attribute, for those who need no more than a look.

A regular expression that begins with what may stand before the name tries every place of the file; finding the name
first and looking around it takes a small part of that time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_QUOTES: Final = frozenset("\"'")
_FILLING: Final = ("locals(", "vars(", "exec(")
_SETS: Final = re.compile(r"\s*(?:=[^=]|:[^=]|[-+*/|&]=)")
_SETS_OR_ANNOTATES: Final = re.compile(r"\s*(?::|=[^=])")
_ANNOTATES: Final = re.compile(r"\s*:")


def may_set(text: str, name: str) -> bool:
    """Whether a file's text may set the attribute on something else than `self`: by an assignment, by its name in a
    string, or by filling a namespace."""
    if any(_begins_word(text, at) for call in _FILLING for at in _places(text, call)):
        return True
    for at in _places(text, name):
        end = at + len(name)
        before = text[at - 1 : at]
        if before in _QUOTES and text[end : end + 1] in _QUOTES:
            return True
        if before == "." and not _is_of_self(text, at) and _SETS.match(text, end):
            return True
    return False


def sets_on_self(text: str, name: str) -> bool:
    """Whether a file's text sets the attribute on `self`, or annotates it as a field."""
    for at in _places(text, name):
        end = at + len(name)
        if _is_of_self(text, at) and _SETS_OR_ANNOTATES.match(text, end):
            return True
        if _is_indented(text, at) and _ANNOTATES.match(text, end):
            return True
    return False


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _begins_word(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")


def _is_of_self(text: str, at: int) -> bool:
    return at >= 5 and text.startswith("self.", at - 5) and _begins_word(text, at - 5)


def _is_indented(text: str, at: int) -> bool:
    head = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(head) and not head.strip(" \t")
