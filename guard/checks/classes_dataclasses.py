"""Data classes: those of the standard library, and those that pydantic makes of them."""

from __future__ import annotations

from typing import Final

from guard.checks.classes_facts import Applied, Field, Marker, Parameter, ParameterKind, Signature
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import Fields, ModelField, is_legible, makes_plain_value, places_then_keywords
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External

_FIELD: Final = External("dataclasses", "field")


class Dataclasses:
    """`dataclasses.dataclass` of the standard library, as `dataclasses._process_class` does it."""

    name = "dataclass"
    makes_instances = False
    error = "TypeError"
    freezes_all = True
    inherits_frozen = False
    _DECORATORS: frozenset[External] = frozenset({External("dataclasses", "dataclass")})
    _MAKERS: frozenset[External] = frozenset({_FIELD})

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class is decorated."""
        return cls.header.decorated and self._decorator(table, cls) is not None

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Unless `init=False`, or the class has its own."""
        decorator = self._decorator(table, cls)
        return decorator is not None and decorator.option("init") is not False and not cls.defines("__init__")

    def _has_no_dict(self, table: ClassTable, cls: Class) -> bool:
        decorator = self._decorator(table, cls)
        return decorator is not None and decorator.option("slots") is True

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """With `slots=True` in the whole lineage."""
        lineage = table.lineage(cls)
        return lineage.closed and all(self._has_no_dict(table, one) for one in lineage.classes)

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """With `frozen=True`; a class of another mind cannot inherit from it."""
        decorator = self._decorator(table, cls)
        return decorator is not None and decorator.option("frozen") is True

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Never."""
        return False

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """Fields of the bases, last in the resolution order first, then the class's own: a name that comes again keeps
        its place and changes what it is."""
        if cls not in table.remembered:
            table.remembered[cls] = self._find_fields(table, cls)
        found = table.remembered[cls]
        return found if isinstance(found, dict) else None

    def _find_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        decorator = self._decorator(table, cls)
        if decorator is None or not is_legible(decorator, ("init", "kw_only", "slots")):
            return None
        found: Fields = {}
        for base in reversed(table.lineage(cls).classes[1:]):
            holder = next((c for c in table.lineage(base).classes if self.makes(table, c)), None)
            if holder is None:
                continue
            inherited = self.fields(table, holder)
            if inherited is None:
                return None
            found.update(inherited)
        keyword_only = decorator.option("kw_only") is True
        for field in cls.facts.fields:
            if field.marker is Marker.KW_ONLY:
                keyword_only = True
            elif field.marker not in (Marker.CLASS_VAR, Marker.BARE):
                own = self._own_field(table, cls, field, keyword_only)
                if own is None:
                    return None
                found[field.name] = own
        return found

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Fields in order, keyword-only ones behind the rest."""
        return places_then_keywords(fields.values())

    def _decorator(self, table: ClassTable, cls: Class) -> Applied | None:
        return next((found for one in self._DECORATORS if (found := table.decorator(cls, one)) is not None), None)

    def _own_field(self, table: ClassTable, cls: Class, field: Field, keyword_only: bool) -> ModelField | None:
        """None where what the field is depends on something that is not written here."""
        if field.conditional:
            return None
        init = True
        maker = field.maker
        if maker is None:
            has_default = field.has_value or self._has_class_value(table, cls, field.name)
        elif table.resolve(cls.path, maker.ref) in self._MAKERS:
            if not self._is_legible(maker):
                return None
            has_default = maker.has("default_factory") or any(
                maker.has(option) and not self._says_required(maker, option) for option in ("default", "0")
            )
            init = maker.option("init") is not False
            if maker.has("kw_only"):
                keyword_only = maker.option("kw_only") is True
        elif makes_plain_value(table, cls, maker):
            has_default = True
        else:
            return None  # perhaps a helper that gives back a `field(…)`
        init_only = field.marker is Marker.INIT_VAR
        return ModelField(field.name, cls, field.line, has_default, init, keyword_only, init_only)

    def _says_required(self, maker: Applied, option: str) -> bool:
        """Whether a default is one that says that there is none."""
        return False

    def _is_legible(self, maker: Applied) -> bool:
        return not maker.positional and is_legible(maker, ("init", "kw_only"))

    def _has_class_value(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Whether `getattr(cls, name)` finds something, for a name that is annotated without a value: a method or
        property of that name, or what a base class left there, is the default."""
        if name in cls.facts.names:
            return True
        for base in table.lineage(cls).classes[1:]:
            own = next((f for f in base.facts.fields if f.name == name and f.marker is not Marker.BARE), None)
            if own is not None and self._has_no_dict(table, base):
                return False  # a slot's descriptor: `dataclass` knows it for what it is
            if name not in base.facts.names:
                continue
            maker = own.maker if own is not None else None
            if maker is not None and table.resolve(base.path, maker.ref) == _FIELD:
                if maker.has("default"):
                    return True
                continue  # `dataclass` takes a `field()` without a default value off the class
            return True
        return False


class PydanticDataclasses(Dataclasses):
    """`pydantic.dataclasses.dataclass`."""

    name = "pydantic dataclass"
    error = "ValidationError"
    _DECORATORS = frozenset(
        {External("pydantic.dataclasses", "dataclass"), External("pydantic", "dataclasses.dataclass")}
    )
    _MAKERS = frozenset({_FIELD, External("pydantic", "Field"), External("pydantic.fields", "Field")})

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """None too where a configuration may say something of them, or a validator may fill them in."""
        decorator = self._decorator(table, cls)
        if decorator is None or decorator.has("config") or any(c.facts.marks for c in table.lineage(cls).classes):
            return None
        return super().fields(table, cls)

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Where a configuration may ask that unknown arguments become attributes."""
        decorator = self._decorator(table, cls)
        return decorator is None or decorator.has("config") or "__pydantic_config__" in cls.facts.names

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """As of any data class, but unknown keyword arguments are ignored."""
        made = super().signature(table, cls, fields)
        return None if made is None else (*made, Parameter("kwargs", ParameterKind.VAR_KEYWORD, False))

    def _says_required(self, maker: Applied, option: str) -> bool:
        return maker.option(option) == "..."

    def _is_legible(self, maker: Applied) -> bool:
        return is_legible(maker, ("init", "kw_only")) and not any(
            maker.has(option) for option in ("alias", "validation_alias", "init_var")
        )
