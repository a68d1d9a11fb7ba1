"""Fields that are added to a class: with the type and the default that their uses, or their kin, imply."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from rapidfuzz import fuzz

from guard.fixes.rewriting.source import CannotEdit, Edit, Source
from guard.model import Finding

_DEFAULTS: Final = {"int": "0", "float": "0.0", "str": '""', "bool": "False"}
_BY_METHOD: Final = {
    **dict.fromkeys(("append", "extend", "insert", "sort"), "list"),
    **dict.fromkeys(("items", "keys", "values", "get", "setdefault", "update"), "dict"),
    **dict.fromkeys(("add", "discard"), "set"),
    **dict.fromkeys(("lower", "upper", "strip", "split", "startswith", "endswith", "encode", "format"), "str"),
}
_SERIALIZERS: Final = frozenset({"to_dict", "as_dict", "asdict", "serialize", "to_json"})
_NEAR: Final = 60
"""Score out of 100 from which a field is kin of another by its name."""


class _Added(msgspec.Struct, frozen=True):
    """One field that is wanted."""

    cls: str
    name: str
    kind: str
    places: int
    hints: tuple[str, ...]


def mend_fields(source: Source, findings: Sequence[Finding]) -> Iterator[Edit]:
    """The edits that add the fields of the findings. Raises CannotEdit."""
    wanted = {(one.cls, one.name): one for one in map(_added, findings)}
    classes = dict(_classes(source.tree.body, ""))
    grouped: dict[tuple[int, int], list[str]] = {}
    for added in sorted(wanted.values(), key=lambda one: (one.cls, one.name)):
        found = classes.get(added.cls, [])
        if len(found) != 1:
            raise CannotEdit("the class is not where it was found")
        for edit in _add(source, found[0], added):
            grouped.setdefault((edit.start, edit.end), []).append(edit.text)
    for (start, end), texts in grouped.items():
        yield Edit(start, end, "".join(dict.fromkeys(texts)))


def _added(finding: Finding) -> _Added:
    add = finding.data.get("add")
    if not isinstance(add, dict):
        raise CannotEdit("what to add is not known")
    return _Added(
        str(finding.data["class"]),
        str(finding.data["field"]),
        str(add["kind"]),
        int(add["places"]),
        tuple(str(hint) for hint in add["hints"]),
    )


def _classes(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, list[ast.ClassDef]]]:
    found: dict[str, list[ast.ClassDef]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found.setdefault(f"{prefix}{node.name}", []).append(node)
            yield from _classes(node.body, f"{prefix}{node.name}.")
    yield from found.items()


def _add(source: Source, node: ast.ClassDef, added: _Added) -> Iterator[Edit]:
    fields = [
        field
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and "ClassVar" not in ast.unparse(field.annotation)
    ]
    if not fields:
        raise CannotEdit(f"{added.cls} has no field to put {added.name} beside")
    kin = _kin(added.name, fields)
    annotation, value, extra = _type(source, added, fields, kin)
    yield from extra
    # It has a default, so it stands behind the last that has none, and behind those that are given by position.
    least = max([added.places, *(n + 1 for n, field in enumerate(fields) if not _is_optional(field))])
    if least > len(fields):
        raise CannotEdit(f"{added.cls} is called with arguments by position, whose places would change")
    index = max(fields.index(kin) + 1, least) if kin is not None else len(fields)
    before = fields[index - 1]
    end = source.span(before)[1]
    end += len(source.behind(end))
    indent = source.before(source.span(before)[0])
    if indent.strip():
        raise CannotEdit("something else stands in the field's line")
    documented = node.body[node.body.index(before) + 1 : node.body.index(before) + 2]
    if documented and isinstance(documented[0], ast.Expr) and isinstance(documented[0].value, ast.Constant):
        end = source.span(documented[0])[1]
        end += len(source.behind(end))
    yield Edit(end, end, f"{source.newline}{indent}{added.name}: {annotation} = {value}")
    yield from _in_serializer(source, node, added.name, kin)


def _is_optional(field: ast.AnnAssign) -> bool:
    value = field.value
    if isinstance(value, ast.Call):
        options = {keyword.arg for keyword in value.keywords}
        return bool(value.args) or bool(options & {"default", "default_factory", "factory", "init", "kw_only"})
    return value is not None


def _kin(name: str, fields: Sequence[ast.AnnAssign]) -> ast.AnnAssign | None:
    """The field whose name is nearest; None where none is near."""
    scored = [
        (fuzz.token_sort_ratio(name.replace("_", " "), _name(field).replace("_", " ")), field) for field in fields
    ]
    best = max(score for score, _ in scored)
    return next(field for score, field in reversed(scored) if score == best) if best >= _NEAR else None


def _name(field: ast.AnnAssign) -> str:
    return field.target.id if isinstance(field.target, ast.Name) else ""


def _type(
    source: Source, added: _Added, fields: Sequence[ast.AnnAssign], kin: ast.AnnAssign | None
) -> tuple[str, str, list[Edit]]:
    """The annotation and the default, and what has to be imported for them."""
    kinds = {hint if hint in _DEFAULTS else _BY_METHOD.get(hint, "") for hint in added.hints}
    if len(kinds) > 1 or "" in kinds:
        raise CannotEdit(f"what type {added.name} has cannot be told from its uses")
    if kinds:
        (kind,) = kinds
        if kind in _DEFAULTS:
            return kind, _DEFAULTS[kind], []
        return kind, *_factory(source, added, kind)
    simple = {ast.unparse(field.annotation) for field in fields}
    if kin is None and len(simple) == 1:
        kin = next((field for field in fields if field.value is not None), None)
    if kin is None or not isinstance(kin.value, ast.Constant) or ast.unparse(kin.annotation) not in _DEFAULTS:
        raise CannotEdit(f"what type {added.name} has cannot be told from its uses")
    return ast.unparse(kin.annotation), _DEFAULTS[ast.unparse(kin.annotation)], []


def _factory(source: Source, added: _Added, kind: str) -> tuple[str, list[Edit]]:
    """A default that every instance makes for itself."""
    if added.kind in ("pydantic model", "struct"):
        return f"{kind}()" if kind == "set" else "[]" if kind == "list" else "{}", []
    module, option = ("attrs", "factory") if added.kind == "attrs" else ("dataclasses", "default_factory")
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            if any(alias.name == "field" and alias.asname is None for alias in node.names):
                return f"field({option}={kind})", []
            end = source.span(node.names[-1])[1]
            return f"field({option}={kind})", [Edit(end, end, ", field")]
        if isinstance(node, ast.Import) and any(alias.name == module and alias.asname is None for alias in node.names):
            return f"{module}.field({option}={kind})", []
    raise CannotEdit(f"{module} is imported in a way that field is not at hand")


def _in_serializer(source: Source, node: ast.ClassDef, name: str, kin: ast.AnnAssign | None) -> Iterator[Edit]:
    """The entry in a dict that a method returns, and that lists the fields by their names."""
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name not in _SERIALIZERS or not method.args.args:
            continue
        own = method.args.args[0].arg
        for statement in method.body:
            if not isinstance(statement, ast.Return) or not isinstance(statement.value, ast.Dict):
                continue
            entries = [
                (key.value, value)
                for key, value in zip(statement.value.keys, statement.value.values, strict=True)
                if isinstance(key, ast.Constant)
                and isinstance(key.value, str)
                and ast.unparse(value) == f"{own}.{key.value}"
            ]
            if not entries or any(key == name for key, _ in entries):
                continue
            wanted = _name(kin) if kin is not None else ""
            beside = next((entry for entry in entries if entry[0] == wanted), entries[-1])
            yield _entry(source, statement.value, beside[1], f'"{name}": {own}.{name}')


def _entry(source: Source, node: ast.Dict, behind: ast.expr, text: str) -> Edit:
    """Put an entry behind another one: on a line of its own where that has one."""
    end = source.span(behind)[1]
    key = next(key for key, value in zip(node.keys, node.values, strict=True) if value is behind and key is not None)
    indent = source.before(source.span(key)[0])
    return Edit(end, end, f",{source.newline}{indent}{text}" if not indent.strip() else f", {text}")
