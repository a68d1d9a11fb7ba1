"""Classes that attrs makes: `attrs.define` and its kin, and the older `attr.s`."""

from __future__ import annotations

from typing import Final

from guard.checks.classes_facts import Applied, Field, Marker, Signature
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import Fields, ModelField, is_legible, makes_plain_value, places_then_keywords
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External

_MODULES: Final = ("attr", "attrs")
_NEW: Final = frozenset(External(module, name) for module in _MODULES for name in ("define", "mutable", "frozen"))
_FROZEN: Final = frozenset(External(module, "frozen") for module in _MODULES)
_AUTOMATIC: Final = External("attr", "dataclass")
_OLD: Final = frozenset(External("attr", name) for name in ("s", "attrs", "attributes")) | {_AUTOMATIC}
_MAKERS: Final = frozenset(External(module, name) for module in _MODULES for name in ("ib", "attrib", "attr", "field"))
_LITERAL: Final = ("init", "kw_only", "slots", "frozen", "auto_detect", "auto_attribs")


class Attrs:
    """As `attr._make._transform_attrs` does it."""

    name = "attrs"
    makes_instances = False
    error = "TypeError"
    freezes_all = True
    inherits_frozen = False

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class is decorated."""
        return cls.header.decorated and self._decorator(table, cls) is not None

    def _decorator(self, table: ClassTable, cls: Class) -> tuple[Applied, External] | None:
        for applied in cls.facts.decorators:
            found = table.resolve(cls.path, applied.ref)
            if isinstance(found, External) and (found in _NEW or found in _OLD):
                return applied, found
        return None

    def _says(self, table: ClassTable, cls: Class, option: str, *, new: bool, old: bool) -> bool:
        """What the decorator says of an option; `new` and `old` are the defaults."""
        decorator = self._decorator(table, cls)
        if decorator is None:
            return False
        applied, name = decorator
        said = applied.option(option)
        return said if isinstance(said, bool) else new if name in _NEW else old

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Unless `init=False`, or a constructor of its own is respected."""
        written = cls.defines("__init__") and self._says(table, cls, "auto_detect", new=True, old=False)
        return self._says(table, cls, "init", new=True, old=True) and not written

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """With slots in the whole lineage."""
        lineage = table.lineage(cls)
        return lineage.closed and all(
            self.makes(table, one) and self._says(table, one, "slots", new=True, old=False) for one in lineage.classes
        )

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """With `frozen=True`, or by `attrs.frozen`."""
        decorator = self._decorator(table, cls)
        if decorator is None:
            return False
        applied, name = decorator
        return applied.option("frozen") is True or (name in _FROZEN and not applied.has("frozen"))

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Where the fields are given from elsewhere."""
        decorator = self._decorator(table, cls)
        return decorator is not None and (decorator[0].opaque or _is_given_fields(decorator[0]))

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """Fields of the bases, then the class's own: a name that comes again moves to its last place."""
        if cls not in table.remembered:
            table.remembered[cls] = self._find_fields(table, cls)
        found = table.remembered[cls]
        return found if isinstance(found, dict) else None

    def _find_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        own = self._own_fields(table, cls)
        decorator = self._decorator(table, cls)
        if own is None or decorator is None:
            return None
        bases = [one for one in table.lineage(cls).classes[1:] if self.makes(table, one)]
        if decorator[1] not in _NEW and sum(table.class_of(cls.path, ref) in bases for ref in cls.header.bases) > 1:
            return None  # attr.s looks at several bases in an order of its own
        found: Fields = {}
        for base in reversed(bases):
            inherited = self._own_fields(table, base)
            if inherited is None:
                return None
            for name, field in inherited.items():
                found.pop(name, None)
                found[name] = field
        for name in own:
            found.pop(name, None)
        if self._says(table, cls, "kw_only", new=False, old=False) and not all(
            field.keyword_only for field in found.values()
        ):
            return None  # whether inherited fields become keyword-only depends on the version of attrs
        return {**found, **own}

    def _own_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        decorator = self._decorator(table, cls)
        if decorator is None or not is_legible(decorator[0], _LITERAL) or _is_given_fields(decorator[0]):
            return None
        candidates = cls.facts.fields
        bare = any(
            field.marker is Marker.BARE
            and field.maker is not None
            and table.resolve(cls.path, field.maker.ref) in _MAKERS
            for field in candidates
        )
        automatic = decorator[1] == _AUTOMATIC or self._says(table, cls, "auto_attribs", new=not bare, old=False)
        if automatic and bare:
            return None  # attrs refuses such a class
        keyword_only = self._says(table, cls, "kw_only", new=False, old=False)
        found: Fields = {}
        for field in candidates:
            own = self._own_field(table, cls, field, automatic, keyword_only)
            if own is None:
                return None
            if isinstance(own, ModelField):
                found[field.name] = own
        return found

    def _own_field(
        self, table: ClassTable, cls: Class, field: Field, automatic: bool, keyword_only: bool
    ) -> ModelField | bool | None:
        """The field; False for a name that is none, None where that cannot be told."""
        maker = field.maker
        made = maker is not None and table.resolve(cls.path, maker.ref) in _MAKERS
        if maker is not None and not made and not makes_plain_value(table, cls, maker):
            return None  # perhaps a helper that gives back an `attr.ib()`
        if field.marker is Marker.CLASS_VAR or not (made or (automatic and field.marker is not Marker.BARE)):
            return False
        if field.conditional or field.name.startswith("__"):
            return None
        has_default, init, argument = field.has_value, True, ""
        if maker is not None and made:
            if not is_legible(maker, ("init", "kw_only")):
                return None
            has_default = maker.has("default") or maker.has("factory") or maker.has("0")
            has_default = has_default or f"{field.name}.default" in cls.facts.marks
            init = maker.option("init") is not False
            if maker.has("kw_only"):
                keyword_only = keyword_only or maker.option("kw_only") is True
            alias = maker.option("alias")
            if maker.has("alias") and not isinstance(alias, str):
                return None
            argument = alias if isinstance(alias, str) else ""
        elif not has_default and field.name in cls.facts.names:
            return None
        argument = argument or field.name.lstrip("_")
        return ModelField(field.name, cls, field.line, has_default, init, keyword_only, False, argument)

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Fields in order, keyword-only ones behind the rest."""
        return places_then_keywords(fields.values())


def _is_given_fields(decorator: Applied) -> bool:
    """Whether the decorator brings fields of its own (the first argument of `attr.s` is one way), or changes them."""
    return decorator.has("0") or decorator.has("these") or decorator.has("field_transformer")
