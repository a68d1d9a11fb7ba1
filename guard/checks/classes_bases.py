"""What well-known bases from outside of the program bring to a class: names, and a say in how it is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from guard.checks.modules import External


def _externals(modules: Iterable[str], *names: str) -> frozenset[External]:
    return frozenset(External(module, name) for module in modules for name in names)


PYDANTIC_1: Final = _externals(("pydantic.v1", "pydantic.v1.main"), "BaseModel")
"""`BaseModel` where it is certainly that of the first version."""
MODELS: Final = PYDANTIC_1 | _externals(("pydantic", "pydantic.main"), "BaseModel")
SETTINGS: Final = _externals(("pydantic", "pydantic_settings", "pydantic_settings.main", "pydantic.v1"), "BaseSettings")
NAMED_TUPLES: Final = _externals(("typing", "typing_extensions"), "NamedTuple") | {
    External("collections", "namedtuple"),
}
TYPED_DICTS: Final = _externals(("typing", "typing_extensions"), "TypedDict")
STRUCTS: Final = _externals(("msgspec",), "Struct")
_FLAGS: Final = _externals(("enum",), "Flag", "IntFlag")
ENUMS: Final = _externals(("enum",), "Enum", "IntEnum", "StrEnum") | _FLAGS
_MIXED_INTO_ENUMS: Final = {External("builtins", kind.__name__): kind for kind in (str, int, float, bytes)}

_OF_MODELS: Final = frozenset(
    {
        *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema"),
        *("schema_json", "update_forward_refs", "validate", "_abc_impl", "_calculate_keys", "_copy_and_set_values"),
        *("_decompose_class", "_enforce_dict_if_root", "_get_value", "_init_private_attributes", "_iter"),
        *("_setattr_handler", "_is_protocol", "Config", "fields", "model_parametrized_name"),
        *("model_computed_fields", "model_config", "model_construct", "model_copy", "model_dump", "model_dump_json"),
        *("model_extra", "model_fields", "model_fields_set", "model_json_schema", "model_post_init", "model_rebuild"),
        *("model_validate", "model_validate_json", "model_validate_strings"),
    }
)
"""Of both versions together: which one is deployed is often not known."""
_OF_SETTINGS: Final = frozenset(
    {"settings_customise_sources", "_settings_build_values", "_build_values", "_settings_init_sources"}
    | {"_settings_restore_init_kwarg_names", "_settings_warn_unused_config_keys"}
)
_OF_NAMED_TUPLES: Final = frozenset(
    {"_asdict", "_field_defaults", "_fields", "_field_types", "_make", "_replace", "count", "index"}
)
_OF_ENUMS: Final = frozenset(
    {
        *("name", "value", "_name_", "_value_", "_missing_", "_generate_next_value_", "_ignore_", "_order_"),
        *("_member_map_", "_member_names_", "_value2member_map_", "_member_type_", "_sort_order_"),
        *("_new_member_", "_use_args_", "_unhashable_values_", "_hashable_values_", "_value_repr_"),
        *("_add_alias_", "_add_value_alias_", "_numeric_repr_", "_inverted_", "_boundary_", "_flag_mask_"),
        *("_singles_mask_", "_all_bits_", "_iter_member_", "_iter_member_by_value_", "_iter_member_by_def_"),
    }
)

_BROUGHT: Final[dict[External, frozenset[str]]] = {
    **dict.fromkeys(MODELS, _OF_MODELS),
    **dict.fromkeys(SETTINGS, _OF_MODELS | _OF_SETTINGS),
    **dict.fromkeys(NAMED_TUPLES, _OF_NAMED_TUPLES),
    **dict.fromkeys(TYPED_DICTS, frozenset(dir(dict))),
    **dict.fromkeys(STRUCTS, frozenset()),
    **dict.fromkeys(ENUMS, _OF_ENUMS),
    External("enum", "IntEnum"): _OF_ENUMS | frozenset(dir(int)),
    External("enum", "IntFlag"): _OF_ENUMS | frozenset(dir(int)),
    External("enum", "StrEnum"): _OF_ENUMS | frozenset(dir(str)),
    **{base: frozenset(dir(kind)) for base, kind in _MIXED_INTO_ENUMS.items()},
}

CALLED_BY_FIELDS: Final = MODELS | SETTINGS | STRUCTS | NAMED_TUPLES
"""Bases that make a constructor of the fields."""
TAKING_KEYWORDS: Final = MODELS | SETTINGS | STRUCTS | TYPED_DICTS | ENUMS
"""Bases for which keyword arguments in the class statement are settings."""


TRANSPARENT_BASES: Final = frozenset(
    {
        External("builtins", "object"),
        External("abc", "ABC"),
        External("typing", "Generic"),
        External("typing_extensions", "Generic"),
    }
)

"""Bases that bring no attribute without underscores, no constructor and no metaclass that changes the call."""

PLAIN_BASES: Final = frozenset(
    {
        *(External("builtins", name) for name in ("dict", "list", "set")),
        *(
            External("builtins", name)
            for name in (
                *("BaseException", "Exception", "ArithmeticError", "AssertionError", "AttributeError", "BufferError"),
                *("ConnectionError", "EOFError", "ImportError", "IndexError", "IOError", "KeyError", "LookupError"),
                *("NameError", "NotImplementedError", "OSError", "OverflowError", "PermissionError"),
                *("FileNotFoundError", "FileExistsError", "RecursionError", "ReferenceError", "RuntimeError"),
                *("StopIteration", "SyntaxError", "SystemError", "TimeoutError", "TypeError", "UserWarning"),
                *("DeprecationWarning", "Warning", "ValueError", "ZeroDivisionError", "ModuleNotFoundError"),
                *("BrokenPipeError", "ConnectionResetError", "ConnectionRefusedError", "InterruptedError"),
            )
        ),
        External("threading", "Thread"),
        External("logging", "Handler"),
        External("logging", "Filter"),
        External("logging", "Formatter"),
        External("logging", "LoggerAdapter"),
        External("ast", "NodeVisitor"),
        External("ast", "NodeTransformer"),
        External("json", "JSONEncoder"),
        External("html.parser", "HTMLParser"),
    }
)
"""Bases whose `__new__` takes anything and whose metaclass calls as `type` does: a constructor of one's own in front of
them decides alone which arguments are right. Tested against the running Python."""

METACLASSES: Final = frozenset({External("abc", "ABCMeta"), External("builtins", "type")})

HARMLESS_DECORATORS: Final = frozenset(
    {
        External("functools", "total_ordering"),
        External("typing", "final"),
        External("typing_extensions", "final"),
        External("typing", "runtime_checkable"),
        External("typing_extensions", "runtime_checkable"),
        External("dataclasses", "dataclass"),
        External("pydantic.dataclasses", "dataclass"),
        External("pydantic", "dataclasses.dataclass"),
        *(
            External(module, name)
            for module in ("attr", "attrs")
            for name in ("s", "attrs", "attributes", "dataclass", "define", "mutable", "frozen")
        ),
        External("typing", "dataclass_transform"),
        External("typing_extensions", "dataclass_transform"),
        External("enum", "unique"),
    }
)
"""Class decorators that give back the class itself and hide no attribute."""

OPENING_NAMES: Final = frozenset(
    {"__getattr__", "__getattribute__", "__setattr__", "__slots__", "__new__", "__init_subclass__", "__dir__"}
)


def brought_by(base: External) -> frozenset[str] | None:
    """The attributes that instances have by a base; None where they are not known."""
    return _BROUGHT.get(base)
