"""Modules that a tree does not hold as they will be: made from other files, or put there by other projects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# A file that a build turns into a module of the same name.
_BUILT_FROM: Final = re.compile(
    r"^(?P<stem>[^.]+)(\.[\w-]+)*\.(so|pyd|dll|dylib|pyx|pxd|pyx\.tp|pyx\.in|c|cc|cpp|cxx|m|mm|rs|f|f90|i|proto)$"
)
# What a build or a person makes a module from: `version.py.in`, `local.py.example`, `keys.py-dist`, `keys.sample.py`.
_BUILT_TEMPLATE: Final = re.compile(
    r"^(?P<stem>\w+)(\.py[.-](in|tp|tmpl|template|j2|jinja|jinja2|mako|src|tpl|example|sample|dist|default|skel)"
    r"|\.(example|sample|dist|default|template|tmpl)\.py)$"
)
SHARED: Final = frozenset(
    {
        *("google", "azure", "zope", "jaraco", "backports", "sphinxcontrib", "ruamel", "mpl_toolkits", "opentelemetry"),
        *("repoze", "plone", "collective", "Products", "tango", "paste", "xstatic", "flufl", "hurry", "lazr"),
    }
)
"""Namespaces below which distributions of any name put modules: `protobuf` brings `google.protobuf`."""


def built_modules(paths: Iterable[str]) -> frozenset[str]:
    """Dotless paths of the modules that a compiler or a template makes from other files."""
    found: set[str] = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name.endswith(".py") and name.count(".") == 1:
            continue  # as most are
        match = _BUILT_FROM.match(name) or _BUILT_TEMPLATE.match(name)
        if match:
            found.add(f"{folder}/{match['stem']}" if folder else match["stem"])
            if match["stem"].endswith("module") and name.endswith(".c"):
                # `spammodule.c` makes `spam`: https://docs.python.org/3/extending/extending.html
                found.add(f"{folder}/{match['stem']}".removeprefix("/").removesuffix("module"))
    return frozenset(found)
