"""The distributions that a tree's projects ask for by name, in the files that say so."""

from __future__ import annotations

import ast
import posixpath
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

_NAME: Final = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_LINE: Final = re.compile(r"^\s*-?\s*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_METADATA: Final = re.compile(r"^(Requires-Dist|Name): *([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_SETUP_KEYWORDS: Final = frozenset({"install_requires", "extras_require", "setup_requires", "tests_require"})
_FILES: Final = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "METADATA", "PKG-INFO", "environment.yml"}
)


def is_requirements_file(path: str) -> bool:
    """Whether a path, by its name, lists distributions."""
    name = posixpath.basename(path)
    return name in _FILES or (name.endswith((".txt", ".in")) and "requirements" in path.lower())


def normal(name: str) -> str:
    """A distribution's name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(path: str, content: bytes) -> tuple[set[str], set[str]]:
    """The names of what a file's project requires, and of the project itself; both normalised.

    A file that cannot be read as what it is gives every name that could be meant: more names only make guard more
    careful.
    """
    text = content.decode("utf-8", "replace")
    name = posixpath.basename(path)
    own: set[str] = set()
    if name in ("METADATA", "PKG-INFO"):
        found = [match[1] for match in _METADATA.findall(text) if match[0] == "Requires-Dist"]
        own = {match[1] for match in _METADATA.findall(text) if match[0] == "Name"}
    elif name in ("pyproject.toml", "Pipfile"):
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError):
            document = {}
            found = _LINE.findall(text)
        else:
            found = list(_in_toml(document))
            own = set(_own_names(document))
    elif name == "setup.py":
        found, own = _in_setup(text)
    else:
        found = _LINE.findall(text)
    return {normal(one) for one in found}, {normal(one) for one in own}


def _own_names(document: dict[str, Any]) -> Iterator[str]:
    for table in (document.get("project"), _at(document, "tool", "poetry")):
        if isinstance(table, dict) and isinstance(table.get("name"), str):
            yield table["name"]


def _in_toml(document: dict[str, Any]) -> Iterator[str]:
    """Requirements of pyproject.toml (PEP 621, PEP 735, PEP 518, poetry, pdm) and of a Pipfile."""
    lists: list[Any] = [
        _at(document, "project", "dependencies"),
        _at(document, "build-system", "requires"),
        *_values(_at(document, "project", "optional-dependencies")),
        *_values(_at(document, "dependency-groups")),
        *_values(_at(document, "tool", "pdm", "dev-dependencies")),
        _at(document, "tool", "uv", "dev-dependencies"),
    ]
    for listed in lists:
        for item in listed if isinstance(listed, list) else ():
            match = _NAME.match(item) if isinstance(item, str) else None
            if match:
                yield match[1]
    poetry = _at(document, "tool", "poetry")
    tables: list[Any] = [_at(poetry, "dependencies"), _at(poetry, "dev-dependencies")]
    tables += [_at(group, "dependencies") for group in _values(_at(poetry, "group"))]
    tables += [document.get("packages"), document.get("dev-packages")]
    for table in tables:
        yield from table if isinstance(table, dict) else ()


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _values(table: Any) -> Iterable[Any]:
    return table.values() if isinstance(table, dict) else ()


def _in_setup(text: str) -> tuple[list[str], set[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _LINE.findall(text), set()
    found: list[str] = []
    own: set[str] = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if keyword.arg in _SETUP_KEYWORDS:
                # A name or a call here means that the list is built elsewhere in the file: then every string counts.
                where = keyword.value if isinstance(keyword.value, (ast.List, ast.Dict, ast.Tuple)) else tree
                found.extend(_strings(where))
            elif keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                own.add(str(keyword.value.value))
    return found, own


def _strings(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            match = _NAME.match(inner.value)
            if match and len(inner.value) < 200:
                yield match[1]
