"""`requires-python` to the lowest minor version that it lets in.

PEP 440's clauses, and Poetry's caret, tilde and `||`. What stands behind the numbers (rc1, .post2, +local)
does not change a minor version and is passed over.
"""

from __future__ import annotations

import re
from typing import Final

_CLAUSE: Final = re.compile(r"^(===|==|~=|!=|<=|>=|<|>|\^|~|=)?\s*v?(\d+(?:\.\d+)*)(\.\*)?[A-Za-z0-9.+!-]*$")
_MINORS: Final = range(41)
_PATCHES: Final = range(41)

Release = tuple[int, ...]


def lowest_minor(specifier: str) -> tuple[int, int] | None:
    """The lowest Python 3 minor some release of which satisfies `specifier`.

    None where nothing does, where the text is no specifier, or where it sets no lower bound.
    """
    alternatives = [_clauses(part) for part in re.split(r"\|\|?", specifier[:1000])]
    for minor in _MINORS:
        for clauses in alternatives:
            if not clauses:
                return None
            releases = ((3, minor, patch) for patch in _PATCHES)
            if any(all(_holds(release, clause) for clause in clauses) for release in releases):
                return (3, minor) if minor else None
    return None


_Clause = tuple[str, Release, bool]


def _clauses(text: str) -> list[_Clause]:
    """The clauses that must hold together; empty where one of them cannot be read."""
    clauses: list[_Clause] = []
    for part in text.split(","):
        for piece in re.findall(r"[^\s\w*.]*\s*[\w*.+!-]+", part.strip()):
            if piece.strip() == "*":
                continue
            found = _CLAUSE.match(piece.strip())
            if found is None:
                return []
            release = tuple(int(number) for number in found[2].split("."))
            clauses.append((found[1] or "=", release, bool(found[3])))
    return clauses


def _holds(release: Release, clause: _Clause) -> bool:
    operator, bound, wildcard = clause
    same = release[: len(bound)] == bound if wildcard else release == _padded(bound)
    match operator:
        case "==" | "===":
            return same
        case "=":  # Poetry's bare version
            return release[: len(bound)] == bound
        case "!=":
            return not same
        case ">=":
            return release >= _padded(bound)
        case "<=":
            return release <= _padded(bound)
        case ">":
            return release > _padded(bound)
        case "<":
            return release < _padded(bound)
        case "~=":
            return release >= _padded(bound) and release[: len(bound) - 1] == bound[:-1]
        case "~":
            return release >= _padded(bound) and release[: min(len(bound), 2)] == bound[:2]
        case _:  # the caret, for a major version that is not 0
            return release >= _padded(bound) and release[0] == bound[0]


def _padded(bound: Release) -> Release:
    return (*bound, 0, 0, 0)[:3]
