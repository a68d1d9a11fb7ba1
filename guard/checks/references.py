"""Names as they are written in one file, in a form that can be followed across files later.

At collect time `reference` says which import or definition a name stands for, by Python's own scoping; a
`Ref` holds no node and no scope. At link time `guard.checks.modules` follows it to where it is defined.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

import msgspec

from guard.scopes import Binding, BindingKind, Scope, dotted


class Ref(msgspec.Struct, frozen=True, array_like=True):
    """What a dotted name in one file stands for.

    `level` and `module` are those of the import statement that binds its root; both empty means the file itself.
    `name` is what is taken from there, dotted: `from a import b` then `b.C` is `Ref(0, "a", "b.C")`; `import a.b`
    then `a.b.C` is `Ref(0, "a", "b.C")`; a class `C` of this file is `Ref(0, "", "C")`.
    """

    level: int
    module: str
    name: str

    @property
    def is_local(self) -> bool:
        """Whether it is defined in the file itself."""
        return not self.level and not self.module


_IMPORT: Final = BindingKind.IMPORT
_DECLARED: Final = BindingKind.DECLARED
_DEFINES: Final = frozenset({BindingKind.CLASS, BindingKind.FUNCTION, BindingKind.ASSIGN, BindingKind.ANNOTATED})


def only_binding(scope: Scope, name: str) -> tuple[Scope, Binding] | None:
    """The one binding that `name`, read in `scope`, can have at run time; None where there are several or none.

    Bindings in dead code do not count, nor do ones under TYPE_CHECKING where others exist. Two imports of the same
    thing are one.
    """
    found = scope.lookup(name)
    if found is None:
        return None
    where, bindings = found
    binding = _only_one(bindings, name)
    return None if binding is None else (where, binding)


def _only_one(bindings: Sequence[Binding], name: str) -> Binding | None:
    if len(bindings) == 1:  # as nearly always
        (only,) = bindings
        return None if only.context.dead or only.kind is _DECLARED else only
    live = [b for b in bindings if not b.context.dead and b.kind is not _DECLARED]
    if len(live) > 1:
        live = [b for b in live if not b.context.type_checking] or live
    if not live:
        return None
    if len(live) > 1:
        if any(b.kind is not _IMPORT for b in live):
            return None
        if len({import_origin(b, name) for b in live}) > 1:
            return None
    return live[0]


def only_import(scope: Scope, name: str) -> tuple[int, str, str] | None:
    """Level, module and name (empty for a module itself) of the one import that binds `name`, read in `scope`, at run
    time; None where something else may."""
    found = only_binding(scope, name)
    if found is None or found[1].kind is not _IMPORT or found[1].context.type_checking:
        return None
    return import_origin(found[1], name)


def import_origin(binding: Binding, name: str) -> tuple[int, str, str] | None:
    """Level, module and name that an import binds `name` to."""
    node = binding.node
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                return node.level, node.module or "", alias.name
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname == name:
                return 0, alias.name, ""
            if alias.asname is None and alias.name.partition(".")[0] == name:
                return 0, name, ""
    return None


def reference(node: ast.expr, scope: Scope) -> Ref | None:
    """What the name or attribute chain `node` stands for when it is read in `scope`.

    None where that is not certain: another kind of expression, a parameter, a name bound twice, a builtin. Only
    right once the walk is over, so collectors keep `(node, scope)` and ask in `finish`. An annotation in a string is
    read too (`"C"`).
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.strip()
        if not all(part.isidentifier() for part in text.split(".")):
            return None
        return reference_of_name(text, scope)
    text = dotted(node)
    return reference_of_name(text, scope) if text else None


def reference_of_name(text: str, scope: Scope) -> Ref | None:
    """`reference` for a dotted name that is text already."""
    root, _, rest = text.partition(".")
    found = scope.lookup(root)
    return None if found is None else reference_in(*found, root, rest)


def reference_in(where: Scope, bindings: Sequence[Binding], root: str, rest: str) -> Ref | None:
    """`reference` for the name `root` that has its bindings in the scope `where`, with `rest` behind it."""
    binding = _only_one(bindings, root)
    if binding is None:
        return None
    if binding.kind is _IMPORT:
        origin = import_origin(binding, root)
        if origin is None:
            return None
        level, module, name = origin
        return Ref(level, module, f"{name}.{rest}" if name and rest else name or rest)
    if binding.kind in _DEFINES and where.kind in ("module", "class"):
        qualname = f"{where.qualname}.{root}" if where.qualname else root
        return Ref(0, "", f"{qualname}.{rest}" if rest else qualname)
    return None
