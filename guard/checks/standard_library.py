"""The modules of the standard library, by the Python that is deployed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

Version = tuple[int, int]

REMOVED: Final[Mapping[str, Version]] = {
    "macpath": (3, 8),
    "_dummy_thread": (3, 9),
    "dummy_threading": (3, 9),
    "formatter": (3, 10),
    "parser": (3, 10),
    "symbol": (3, 10),
    "binhex": (3, 11),
    "asynchat": (3, 12),
    "asyncore": (3, 12),
    "distutils": (3, 12),
    "imp": (3, 12),
    "smtpd": (3, 12),
    "aifc": (3, 13),
    "audioop": (3, 13),
    "cgi": (3, 13),
    "cgitb": (3, 13),
    "chunk": (3, 13),
    "crypt": (3, 13),
    "imghdr": (3, 13),
    "lib2to3": (3, 13),
    "mailcap": (3, 13),
    "msilib": (3, 13),
    "nis": (3, 13),
    "nntplib": (3, 13),
    "ossaudiodev": (3, 13),
    "pipes": (3, 13),
    "sndhdr": (3, 13),
    "spwd": (3, 13),
    "sunau": (3, 13),
    "telnetlib": (3, 13),
    "uu": (3, 13),
    "xdrlib": (3, 13),
}
"""Modules with the first Python that has them no more."""

ADDED: Final[Mapping[str, Version]] = {
    "graphlib": (3, 9),
    "zoneinfo": (3, 9),
    "tomllib": (3, 11),
    "annotationlib": (3, 14),
    "compression": (3, 14),
}
"""Modules with the first Python that has them."""

_ALWAYS: Final = sys.stdlib_module_names | {"__main__", "__future__", "_typeshed", "sitecustomize", "usercustomize"}
_ANY: Final = _ALWAYS | REMOVED.keys() | ADDED.keys()
BUNDLED_UNTIL: Final = (3, 12)
"""Up to here a virtual environment, and the official image, had setuptools in it without being asked."""


def is_standard(module: str) -> bool:
    """Whether some Python has a top-level module of this name in its standard library."""
    return module in _ANY


def change_of(module: str, deployed: Version) -> tuple[str, Version] | None:
    """Why the deployed Python has a standard module not: `removed` or `added`, and in which version; None where it
    has it."""
    removed, added = REMOVED.get(module), ADDED.get(module)
    if removed is not None and deployed >= removed:
        return "removed", removed
    if added is not None and deployed < added:
        return "added", added
    return None
