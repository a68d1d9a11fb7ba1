"""Models and settings of pydantic, of its first and of its second version."""

from __future__ import annotations

import re
from typing import Final

from guard.checks.classes_bases import MODELS, PYDANTIC_1, SETTINGS
from guard.checks.classes_facts import UNKNOWN, Applied, Field, Marker, Options, Parameter, ParameterKind, Signature
from guard.checks.classes_facts import Value as Given
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import Fields, ModelField
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External
from guard.program import everywhere

_MAKERS: Final = frozenset(
    External(module, "Field") for module in ("pydantic", "pydantic.fields", "pydantic.v1", "pydantic.v1.fields")
)
_CONFIGS: Final = frozenset(
    {
        External("pydantic", "ConfigDict"),
        External("pydantic.config", "ConfigDict"),
        External("pydantic_settings", "SettingsConfigDict"),
        External("pydantic_settings.main", "SettingsConfigDict"),
        External("builtins", "dict"),
    }
)

_SECOND: Final = _CONFIGS - {External("builtins", "dict")} | {
    External("pydantic", name)
    for name in ("field_validator", "model_validator", "computed_field", "field_serializer", "model_serializer")
}
"""What belongs to the second version. The last releases of the first have a `ConfigDict` too, for its dataclasses."""
_CLAUSE: Final = re.compile(r"(===?|~=|<=?|>=?)\s*(\d+)((?:\.\d+)*)")
_BY_NAME: Final = ("populate_by_name", "allow_population_by_field_name", "validate_by_name")
_ALIASES: Final = ("alias", "validation_alias")
_FILLING: Final = frozenset({"model_validator:before", "model_validator:wrap", "root_validator:before"})
"""Decorators of methods that may change what the constructor is given."""

_Settings = dict[str, bool | str | None]


class Models:
    """`pydantic.BaseModel` and `BaseSettings`, under the names of both versions."""

    name = "pydantic model"
    makes_instances = False
    error = "ValidationError"
    freezes_all = False
    inherits_frozen = True

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class inherits from one of them."""
        externals = table.lineage(cls).externals
        return bool(externals) and not (MODELS | SETTINGS).isdisjoint(externals)

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Unless the class has its own, or inherits one: nothing is written for a subclass."""
        return not any(owner.defines("__init__") for owner in table.lineage(cls).classes)

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """What is not private cannot be set where it is no field."""
        settings = self._settings(table, cls)
        return settings is not None and not name.startswith("_") and settings.get("extra") != "allow"

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """By the configuration."""
        settings = self._settings(table, cls)
        return settings is not None and (settings.get("frozen") is True or settings.get("allow_mutation") is False)

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """With `extra="allow"`, or where the configuration cannot be read."""
        settings = self._settings(table, cls)
        extra = any(field.name == "__pydantic_extra__" for field in cls.facts.fields)
        return settings is None or extra or settings.get("extra", "ignore") not in ("ignore", "forbid")

    # Configuration

    def _settings(self, table: ClassTable, cls: Class) -> _Settings | None:
        """The configuration, inherited settings included; None where it is not legible."""
        key = ("settings", cls)
        if key not in table.remembered:
            table.remembered[key] = self._find_settings(table, cls)
        found = table.remembered[key]
        return found if isinstance(found, dict) else None

    def _find_settings(self, table: ClassTable, cls: Class) -> _Settings | None:
        found: _Settings = {}
        for owner in reversed(table.lineage(cls).classes):
            own = self._own_settings(table, owner)
            if own is None:
                return None
            found.update(own)
        return found

    def _own_settings(self, table: ClassTable, cls: Class) -> Options | None:
        settings: Options = tuple(cls.facts.keywords)
        if "Config" in cls.facts.names:
            inner = table.inner(cls, "Config")
            if inner is None or inner.header.bases:
                return None
            settings = (*inner.facts.settings, *settings)
        if "model_config" in cls.facts.names:
            config = next((field.maker for field in cls.facts.fields if field.name == "model_config"), None)
            if config is None or config.opaque or config.positional:
                return None
            if config.ref != UNKNOWN and table.resolve(cls.path, config.ref) not in _CONFIGS:
                return None
            settings = (*config.options, *settings)
        return None if any(name == "**" for name, _ in settings) else settings

    def _is_second(self, table: ClassTable, cls: Class) -> bool:
        """Whether the second version is certainly what the program runs with."""
        if not PYDANTIC_1.isdisjoint(table.lineage(cls).externals):
            return False
        return runs_second(table)

    # Fields

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """The annotated names that are neither private nor class variables."""
        if cls not in table.remembered:
            table.remembered[cls] = self._find_fields(table, cls)
        found = table.remembered[cls]
        return found if isinstance(found, dict) else None

    def _find_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        found: Fields = {}
        for owner in reversed(table.lineage(cls).classes):
            if not self.makes(table, owner):
                if any(field.marker is not Marker.BARE for field in owner.facts.fields):
                    return None  # what becomes of the annotations of other classes depends on the version
                continue
            for field in owner.facts.fields:
                if field.marker in (Marker.CLASS_VAR, Marker.BARE) or field.name.startswith("_"):
                    continue
                own = self._own_field(table, owner, field)
                if own is None:
                    return None
                found[field.name] = own
            for name in owner.facts.names:
                if name in found and found[name].owner is not owner:
                    return None  # a default without an annotation: the versions do not agree on what it is
        return found

    def _own_field(self, table: ClassTable, cls: Class, field: Field) -> ModelField | None:
        if field.conditional:
            return None
        makers = [one for one in (field.maker, *field.extras) if one is not None]
        made = [one for one in makers if table.resolve(cls.path, one.ref) in _MAKERS]
        if any(one.opaque for one in made):
            return None
        has_default = field.has_value and field.value is not Given.ELLIPSIS
        if field.maker is not None and field.maker in made:
            has_default = False
        has_default = has_default or any(map(_gives_default, made))
        if not has_default and (field.nullable or field.name in cls.facts.names) and not self._is_second(table, cls):
            has_default = True
        if not has_default and field.type != UNKNOWN and table.resolve(cls.path, field.type) is None:
            has_default = True  # an alias of a type may bring one
        alias = ""
        for option in _ALIASES:
            for one in made:
                if one.has(option):
                    said = one.option(option)
                    if not isinstance(said, str):
                        return None
                    alias = said
        return ModelField(field.name, cls, field.line, has_default, True, True, False, alias)

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Every field by its alias, or by its name where the configuration says so. Unknown arguments are only wrong
        where they are forbidden."""
        settings = self._settings(table, cls)
        lineage = table.lineage(cls)
        if settings is None or "alias_generator" in settings or "model_config" in fields:
            return None
        if any(mark in _FILLING for one in lineage.classes for mark in one.facts.marks):
            return None
        if not SETTINGS.isdisjoint(lineage.externals):
            return None  # what is not given is taken from the environment
        if any(name in settings and not isinstance(settings[name], bool) for name in _BY_NAME):
            return None
        by_name = any(settings.get(name) is True for name in _BY_NAME)
        if settings.get("validate_by_alias") is False:
            return None
        parameters = [
            Parameter(
                field.parameter,
                ParameterKind.KEYWORD_ONLY,
                not field.has_default,
                field.name if by_name and field.argument else "",
            )
            for field in fields.values()
        ]
        if settings.get("extra") != "forbid":
            parameters.append(Parameter("data", ParameterKind.VAR_KEYWORD, False))
        return tuple(parameters)


def _gives_default(maker: Applied) -> bool:
    """Whether a `Field(…)` gives a default; `...` says that there is none."""
    if maker.has("default_factory"):
        return True
    return any(maker.has(name) and maker.option(name) != "..." for name in ("default", "0"))


SECOND: Final = "pydantic 2"
"""What `ClassTable.remembered` calls the answer of `runs_second`."""


def runs_second(table: ClassTable) -> bool:
    """Whether the program runs with the second version of pydantic: by what its requirements allow, or else since some
    file asks for what belongs to that version."""
    if SECOND not in table.remembered:
        stated = {_major(versions) for versions in table.stated_versions("pydantic")} - {0}
        table.remembered[SECOND] = stated == {2} if len(stated) == 1 else _asks_for_second(table)
    return table.remembered[SECOND] is True


def _asks_for_second(table: ClassTable) -> bool:
    return any(
        table.resolve(path, number) in _SECOND
        for path, facts in everywhere(table.facts).items()
        for number, ref in enumerate(facts.refs)
        if ref.module.startswith("pydantic")
    )


def _major(versions: str) -> int:
    """1 where no version of pydantic from 2 on will do, 2 where none before it will; 0 for neither."""
    for operator, major, rest in _CLAUSE.findall(versions):
        later = int(major) >= 2
        if operator in ("==", "===", "~="):
            return 2 if later else 1
        if operator.startswith(">") and later:
            return 2
        if operator.startswith("<") and (not later or (operator == "<" and major == "2" and not rest.strip(".0"))):
            return 1
    return 0
