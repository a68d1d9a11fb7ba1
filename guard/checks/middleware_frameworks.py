"""The frameworks whose applications are known."""

from __future__ import annotations

import functools
import re
from typing import Final

from guard.checks.middleware_aiohttp import Aiohttp
from guard.checks.middleware_flask import Flask
from guard.checks.middleware_framework import Framework
from guard.checks.middleware_stack import Stack
from guard.checks.middleware_starlette import Starlette
from guard.checks.modules import External
from guard.checks.signs import searches

STARLETTE: Final = Starlette()
FRAMEWORKS: Final[tuple[Framework, ...]] = (STARLETTE, Flask(), Aiohttp())
"""All of them, the one that is meant where nothing tells which at the beginning."""

_SIGNS: Final = tuple(dict.fromkeys(sign for one in FRAMEWORKS for sign in one.signs))
_FAINT: Final = tuple(dict.fromkeys(sign for one in FRAMEWORKS for sign in one.faint_signs))
_SEARCHES: Final = searches(
    (
        *((sign, b"") for sign in _SIGNS if not any(other in sign for other in _SIGNS if other != sign)),
        *(
            (part, pattern.removeprefix(re.escape(part)))
            for part, pattern in _FAINT
            if pattern.startswith(re.escape(part))
        ),
    )
)
_PATTERNS: Final = tuple(
    (part, re.compile(pattern)) for part, pattern in _FAINT if not pattern.startswith(re.escape(part))
)
APP_CLASSES: Final = frozenset().union(*(one.classes for one in FRAMEWORKS))
"""What an application is made by, by last name."""
EXTENSIONS: Final = frozenset().union(*(one.extensions for one in FRAMEWORKS))
ATTACHING: Final = frozenset().union(*(one.attaching for one in FRAMEWORKS))
METHODS: Final = frozenset().union(*(one.methods for one in FRAMEWORKS))
MOUNTS: Final = frozenset().union(*(one.mounts for one in FRAMEWORKS))
DECORATORS: Final = frozenset().union(*(one.decorators for one in FRAMEWORKS))
ATTRIBUTES: Final = frozenset().union(*(one.attributes for one in FRAMEWORKS))
INERT: Final = frozenset().union(*(one.inert for one in FRAMEWORKS)) - METHODS


def is_about_any(content: bytes) -> bool:
    """Whether a file may be about an application: it holds one of the signs of some framework."""
    for search in _SEARCHES:
        if search(content):
            return True
    return any(part in content and pattern.search(content) is not None for part, pattern in _PATTERNS)


@functools.lru_cache(maxsize=10_000)
def framework_of(thing: External) -> Framework | None:
    """The framework that something is an application's class of; None where it is of none."""
    return next((one for one in FRAMEWORKS if one.is_application(thing)), None)


def has_parts(stack: Stack) -> bool:
    """Whether the requests of an application have the parts that `middleware_carriers` knows. Django's have too."""
    framework = framework_of(stack.kind)
    return framework is None or framework.parts_of_request


def framework_of_class(name: str) -> Framework:
    """The framework whose application a class of this last name is likely to be."""
    return next((one for one in FRAMEWORKS if name in one.classes), STARLETTE)
