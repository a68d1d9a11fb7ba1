"""A table of TOML to values of the settings' types, with every error at once.

msgspec's own conversion stops at the first error; this one walks the same types, and asks msgspec
about the leaves.
"""

from __future__ import annotations

import datetime
import posixpath
import re
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Annotated, Any, Final, Literal, TypeGuard, get_args, get_origin

import msgspec

from guard.configuration import patterns
from guard.configuration.names import RESERVED, RuleNames, did_you_mean

Values = dict[str, Any]
"""Fields of a Struct by name, those that are set; a nested Struct's fields are a dict in turn."""

_ENTRY: Final = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?)?$")


class Conversion:
    """Converts the tables of one file. `folder` is what its patterns and paths are relative to."""

    __slots__ = ("_errors", "_folder", "_label", "_names")

    def __init__(self, label: str, folder: str, names: RuleNames, errors: list[str]) -> None:
        self._label = label
        self._folder = folder
        self._names = names
        self._errors = errors

    def table(self, table: Mapping[str, Any], struct: type[msgspec.Struct], prefix: str) -> Values:
        """The fields of `struct` that `table` sets; errors are added to the list. `prefix` leads to the table."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
        values: Values = {}
        for key, value in table.items():
            where = prefix + key_text(key)
            if key not in fields:
                self._error(where, f"unknown key{did_you_mean(key, fields)}")
            else:
                values[fields[key].name] = self._value(value, fields[key].type, where, {})
        for key, field in fields.items():
            if field.required and key not in table:
                self._error(prefix + key, "is missing")
        return values

    def _error(self, where: str, message: str) -> None:
        self._errors.append(f"{self._label}: {where}: {message}")

    def _value(self, value: object, wanted: Any, where: str, extra: Mapping[str, str]) -> Any:
        """`value` as the type `wanted`; None, and an error, where it is not of that type."""
        if get_origin(wanted) is Annotated:
            bare, *metas = get_args(wanted)
            for meta in metas:
                extra = {**extra, **(meta.extra or {})}
                if meta.min_length and get_origin(bare) is tuple and value == []:
                    self._error(where, "expected at least one entry, found an empty list")
            if get_origin(bare) is None and not is_struct(bare):
                return self._leaf(value, wanted, where, extra)
            return self._value(value, bare, where, extra)
        if NoneType in get_args(wanted):  # None is for what is not given; TOML has no word for it
            return self._value(value, next(kind for kind in get_args(wanted) if kind is not NoneType), where, extra)
        if is_struct(wanted):
            if not isinstance(value, dict):
                return self._mismatch(where, "a table", value)
            return self.table(value, wanted, where + ".")
        arguments = get_args(wanted)
        if get_origin(wanted) is tuple:
            if not isinstance(value, list):
                return self._mismatch(
                    where, extra.get("expected") or f"a list, each {expectation(arguments[0])}", value
                )
            return tuple(self._value(item, arguments[0], f"{where}[{n}]", extra) for n, item in enumerate(value))
        if get_origin(wanted) is Mapping:
            if not isinstance(value, dict):
                return self._mismatch(where, "a table", value)
            return {
                self._value(key, arguments[0], where, extra): self._value(
                    item, arguments[1], f"{where}.{key_text(key)}", extra
                )
                for key, item in value.items()
            }
        return self._leaf(value, wanted, where, extra)

    def _leaf(self, value: object, wanted: Any, where: str, extra: Mapping[str, str]) -> Any:
        if get_origin(wanted) is Literal and isinstance(value, str) and value not in get_args(wanted):
            choices = ", ".join(get_args(wanted))
            self._error(where, f'expected one of {choices}, found "{value}"{did_you_mean(value, get_args(wanted))}')
            return None
        try:
            converted = msgspec.convert(value, wanted)
        except msgspec.ValidationError:
            return self._mismatch(where, extra.get("expected") or expectation(wanted), value)
        role = _ROLES.get(extra.get("role", ""))
        return role(self, converted, where) if role else converted

    def _mismatch(self, where: str, expected: str, value: object) -> None:
        self._error(where, f"expected {expected}, found {describe(value)}")

    def _rule(self, name: str, where: str) -> str:
        if self._names.find(name) is None and name.upper() not in RESERVED:
            self._error(where, f'no rule is called "{printable(name)}"{self._names.guess(name)}')
        return name

    def _pattern(self, pattern: str, where: str) -> str:
        fault = patterns.fault_of(pattern)
        if fault:
            self._error(where, f'"{printable(pattern)}" {fault}')
        return patterns.anchored(pattern, self._folder)

    def _glob(self, pattern: str, where: str) -> str:
        if pattern.startswith("!"):
            self._error(where, f'"{printable(pattern)}" matches nothing: it only takes back what others match')
        return self._pattern(pattern, where)

    def _path(self, path: str, where: str) -> str:
        found = patterns.inside(path, self._folder)
        if found is None:
            self._error(where, f'"{printable(path)}" leads out of the repository')
        return found or ""

    def _environment(self, value: str, where: str) -> str:
        if value == "none":
            return value
        if self._label == "--config" and posixpath.isabs(value):
            return value
        return self._path(value, where) or "."

    def _entry(self, entry: str, where: str) -> str:
        if "/" in entry or entry.endswith(".py"):
            return self._path(entry, where)
        if not _ENTRY.match(entry):
            self._error(where, f'expected a module, module:attr or file, found "{printable(entry)}"')
        return entry


_ROLES: Final[Mapping[str, Callable[[Conversion, str, str], str]]] = {
    "rule": Conversion._rule,
    "pattern": Conversion._pattern,
    "glob": Conversion._glob,
    "folder": Conversion._path,
    "environment": Conversion._environment,
    "entry": Conversion._entry,
}


def is_struct(wanted: object) -> TypeGuard[type[msgspec.Struct]]:
    """Whether a type is a msgspec Struct."""
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def expectation(wanted: Any) -> str:
    """In words, what a leaf's type takes."""
    if get_origin(wanted) is Annotated:
        said = [meta.extra["expected"] for meta in get_args(wanted)[1:] if meta.extra and "expected" in meta.extra]
        return str(said[-1]) if said else expectation(get_args(wanted)[0])
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(get_args(wanted))
    if NoneType in get_args(wanted):
        return expectation(get_args(wanted)[0])
    return {
        str: "a string that is not empty",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }.get(wanted, str(wanted))


def describe(value: object) -> str:
    """In words, what stands in the TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            shown = value if len(value) <= 40 else value[:40] + "…"
            return f'the string "{printable(shown)}"'
        case int() if abs(value) >= 10**18:
            return "a number that is too large"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return type(value).__name__


def printable(text: str) -> str:
    """`text` with control characters escaped, so that a name cannot drive the reader's terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]


def key_text(key: str) -> str:
    """A key as TOML writes it: bare, or in quotes."""
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else f'"{printable(key)}"'
