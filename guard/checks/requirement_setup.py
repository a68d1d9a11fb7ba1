"""Requirements in setup.py, which is read and never run, and in setup.cfg."""

from __future__ import annotations

import ast
import configparser
import re
import warnings
from collections.abc import Iterator
from typing import Final

from guard.checks.requirements import (
    PUBLISHING,
    Include,
    Kind,
    Requirement,
    Stated,
    in_lines,
    kind_of_extra,
    names_in,
    normal,
    requirement_of,
)

_REQUIREMENTS_FILE: Final = re.compile(
    r"^(?!.*(?:readme|licen[cs]e|change|history|news|authors|version))[\w./-]+\.(?:txt|in|pip)$", re.IGNORECASE
)
_KINDS: Final = {"install_requires": Kind.RUNTIME, "setup_requires": Kind.BUILD, "tests_require": Kind.DEV}


class _Unknown(Exception):
    """A value that cannot be told without running the file."""


def in_setup(text: str) -> Stated:
    """What setup.py states: literal lists, names of literal lists, and lists that are read from requirements files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Stated(computed=True, mentioned=names_in(text))
    return _Setup(tree).stated()


class _Setup:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self._values.setdefault(target.id, []).append(node.value)
            elif isinstance(node, ast.AugAssign | ast.AnnAssign):
                if isinstance(node.target, ast.Name) and node.value is not None:
                    self._values.setdefault(node.target.id, []).append(node.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and node.func.attr in ("append", "extend", "update") and node.args:
                    self._values.setdefault(owner.id, []).append(node.args[0])
        self._files = tuple(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _REQUIREMENTS_FILE.match(node.value)
        )
        self._reads_files = False

    def stated(self) -> Stated:
        requirements: list[Requirement] = []
        own: set[str] = set()
        computed = published = False
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _called(node) == "setup"]
        for call in calls:
            for key, value in self._arguments(call):
                if key == "name" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    own.add(normal(value.value))
                elif key is None:
                    computed = True
                elif key in PUBLISHING:
                    published = True
                try:
                    if key in _KINDS:
                        requirements += self._listed(value, _KINDS[key])
                    elif key == "extras_require":
                        requirements += self._extras(value)
                except _Unknown:
                    computed = True
        mentioned = frozenset(names_of_strings(self._tree)) if computed else frozenset()
        includes = [Include(path) for path in self._files] if self._reads_files else []
        return Stated(
            tuple(requirements),
            own=frozenset(own),
            includes=tuple(includes),
            computed=computed,
            published=published,
            mentioned=mentioned,
        )

    def _arguments(self, call: ast.Call) -> Iterator[tuple[str | None, ast.expr]]:
        """The keyword arguments, those of a literal `**` dictionary too; None for what is not known."""
        for keyword in call.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value
                continue
            values = [keyword.value]
            if isinstance(keyword.value, ast.Name):
                values = self._values.get(keyword.value.id, []) or [keyword.value]
            for value in values:
                if isinstance(value, ast.Call) and _called(value) == "dict" and not value.args:
                    yield from self._arguments(value)
                elif isinstance(value, ast.Dict):
                    for key, item in zip(value.keys, value.values, strict=True):
                        known = isinstance(key, ast.Constant) and isinstance(key.value, str)
                        yield (key.value if known else None), item  # type: ignore[union-attr]
                else:
                    yield None, value

    def _listed(self, value: ast.expr, kind: Kind) -> Iterator[Requirement]:
        for text in self._strings(value, 0):
            for line in text.splitlines():
                found = requirement_of(line, kind)
                if found is not None:
                    yield found

    def _extras(self, value: ast.expr) -> Iterator[Requirement]:
        for one in self._resolved(value):
            if isinstance(one, ast.Call) and _called(one) == "dict" and not one.args:
                for keyword in one.keywords:
                    if keyword.arg is None:
                        raise _Unknown
                    yield from self._listed(keyword.value, _kind_of_extra(keyword.arg))
            elif isinstance(one, ast.Dict):
                for key, items in zip(one.keys, one.values, strict=True):
                    if not isinstance(key, ast.Constant):
                        raise _Unknown
                    yield from self._listed(items, _kind_of_extra(str(key.value)))
            else:
                raise _Unknown

    def _resolved(self, value: ast.expr) -> list[ast.expr]:
        if isinstance(value, ast.Name):
            found = self._values.get(value.id)
            if not found:
                raise _Unknown
            return found
        return [value]

    def _strings(self, value: ast.expr, depth: int) -> Iterator[str]:
        """The strings of a list expression. Raises `_Unknown` for one that is computed from anything but files of
        requirements."""
        if depth > 10:
            raise _Unknown
        if isinstance(value, ast.Constant):
            if isinstance(value.value, str):
                yield value.value
        elif isinstance(value, ast.List | ast.Tuple | ast.Set):
            for item in value.elts:
                yield from self._strings(item.value if isinstance(item, ast.Starred) else item, depth + 1)
        elif isinstance(value, ast.Name):
            for one in self._resolved(value):
                yield from self._strings(one, depth + 1)
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            yield from self._strings(value.left, depth + 1)
            yield from self._strings(value.right, depth + 1)
        elif isinstance(value, ast.IfExp):
            yield from self._strings(value.body, depth + 1)
            yield from self._strings(value.orelse, depth + 1)
        elif isinstance(value, ast.Call) and _called(value) in ("list", "tuple", "sorted", "set") and value.args:
            yield from self._strings(value.args[0], depth + 1)
        elif self._files:
            self._reads_files = True
        else:
            raise _Unknown


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _kind_of_extra(name: str) -> Kind:
    name, _, marker = name.partition(":")
    return Kind.RUNTIME if marker and not name else kind_of_extra(name)


def names_of_strings(tree: ast.AST) -> Iterator[str]:
    """Every string of the file that could be a requirement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            found = requirement_of(node.value, Kind.RUNTIME)
            if found is not None:
                yield found.name


def in_setup_cfg(text: str) -> Stated:
    """`[options]` of setup.cfg, and pbr's setup.cfg."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return Stated(computed=True, mentioned=names_in(text))
    requirements: list[Requirement] = []
    includes: list[Include] = []
    sources = [(_get(parser, "options", key), kind) for key, kind in _KINDS.items()]
    if parser.has_section("options.extras_require"):
        sources += [(value or "", _kind_of_extra(name)) for name, value in parser.items("options.extras_require")]
    for value, kind in sources:
        if value.strip().startswith("file:"):
            includes += [Include(path.strip(), kind) for path in value.strip()[5:].split(",")]
        else:
            requirements += in_lines(value, kind).requirements
    name = _get(parser, "metadata", "name").strip()
    described = {key.replace("_", "-") for key in parser["metadata"]} if parser.has_section("metadata") else set()
    return Stated(
        tuple(requirements),
        own=frozenset({normal(name)} if name and "%" not in name else ()),
        includes=tuple(includes),
        published=not described.isdisjoint(PUBLISHING),
    )


def _get(parser: configparser.RawConfigParser, section: str, option: str) -> str:
    return parser.get(section, option, fallback="") or ""
