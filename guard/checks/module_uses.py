"""What a file reads from the modules that it imports: `module.name`, and what it does to their namespaces.

At collect time nobody knows which imported names are modules of the tree. So every attribute of an imported name that
may be a module is kept once for each scope, and the few of first-party modules are told apart when somebody asks.
"""

from __future__ import annotations

import ast
import sys
from typing import Final

import msgspec

from guard.checks.packing import pack
from guard.checks.references import only_import
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import Context, Guard, Scope, dotted

AT_IMPORT: Final = 1
"""Flag of a `Use`: it is read while the file itself is imported."""
IN_BRANCH: Final = 2
"""It stands in a block that may not run."""


class Use(msgspec.Struct, frozen=True, array_like=True):
    """One attribute chain on a module: `attributes` is what stands behind the module's name, dotted."""

    attributes: str
    line: int
    column: int
    end_line: int
    end_column: int
    symbol: str
    flags: int


class UsedModule(msgspec.Struct, frozen=True, array_like=True):
    """An imported name, as `Ref` has it, and what is read from it."""

    level: int
    module: str
    name: str
    uses: msgspec.Raw
    """A tuple of `Use`, packed: most imported names are no module of the tree."""
    at_import: bool = False
    """Whether anything is read while the file itself is imported."""


class UseFacts(msgspec.Struct, frozen=True, array_like=True):
    """What one file does with modules."""

    used: tuple[UsedModule, ...] = ()
    written: tuple[tuple[int, str, str, str], ...] = ()
    """Attributes that it sets or deletes on imported modules: level, module, name, attribute (empty for any)."""
    set_by_name: tuple[str, ...] = ()
    """Attributes that it sets by `setattr(…, "name", …)` on whatever."""
    imported_by_name: tuple[str, ...] = ()
    """Modules that it imports by a literal name."""
    imports_any: bool = False
    """It imports modules whose names it computes."""


_FARTHEST: Final = 8
"""Attributes kept of one chain; packages are not nested deeper than that."""


class UseCollector:
    """Watches one file; see `guard.walk.Collector`."""

    def __init__(self, parsed: Parsed) -> None:
        self._content = parsed.content
        self._off = parsed.kind == "stub"
        self._lazy_annotations = parsed.target >= (3, 14) or b"annotations" in parsed.content
        self._roots: set[str] = set()
        self._whole: set[str] = set()
        """Names that `import` binds: what follows them may be modules for many steps."""
        self._uses: dict[tuple[Scope, str, str, bool], tuple[ast.Attribute, Context]] = {}
        """By scope, root, attributes and whether it runs for certain: the first such chain in the text."""
        self._writes: list[tuple[str, str, Scope]] = []
        self._annotations: set[int] = set()
        self._globals: set[str] = set()
        self._asked: set[str] = set()
        self._set_by_name: dict[str, None] = {}
        self._imported_by_name: dict[str, None] = {}
        self._imports_any = False

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        if self._off:
            return
        to.on(ast.Import, self.import_statement)
        to.on(ast.ImportFrom, self.import_from)
        to.on_chains(self.chain, self._roots, self._roots)
        to.on(ast.Global, self.global_statement)
        to.on(ast.AnnAssign, self.annotated)
        to.on_calls(_ASKING, self.asking)
        to.on_calls(_SETTING, self.set_attribute)
        to.on_calls(_IMPORTING, self.import_by_name)
        to.on_calls(_RESOLVING, self.resolve_by_name)
        to.on_calls(_OPENING, self.namespace)
        if self._lazy_annotations:
            to.on(ast.FunctionDef, self.function)
            to.on(ast.AsyncFunctionDef, self.function)
        if b"create=True" in self._content:
            to.on_calls(_PATCHING, self.patch)

    def import_statement(self, node: ast.Import, context: Context) -> None:
        """`import a.b as m`: `m` is a module."""
        for alias in node.names:
            top = alias.name.partition(".")[0]
            if top not in sys.stdlib_module_names and not context.type_checking:
                self._roots.add(alias.asname or top)
                self._whole.add(alias.asname or top)

    def import_from(self, node: ast.ImportFrom, context: Context) -> None:
        """`from a import m`: `m` may be a module where it is written as modules are."""
        if context.type_checking or (
            not node.level and (node.module or "").partition(".")[0] in sys.stdlib_module_names
        ):
            return
        for alias in node.names:
            if alias.name[0] >= "_" and not alias.name.startswith("__"):
                self._roots.add(alias.asname or alias.name)

    def chain(self, node: ast.Attribute, root: str, attributes: list[str], context: Context) -> None:
        """`m.name`, read or written."""
        if any(attribute[:2] == "__" for attribute in attributes):
            attributes = [context.scope.private(attribute) for attribute in attributes]
        if node.ctx.__class__ is not ast.Load:
            if root in self._roots:
                # What is set on something inside the module is no matter of the module's own names.
                self._writes.append((root, ".".join(attributes), context.scope))
            return
        if attributes[0] == "__dict__":
            self._writes.append((root, "", context.scope))
            return
        taken = ".".join(attributes[:_FARTHEST]) if root in self._whole else attributes[0]
        key = (context.scope, root, taken, not context.branch)
        first = self._uses.get(key)
        if first is not None and first[0].lineno <= node.lineno:
            return
        if context.dead or context.type_checking or context.platform or id(node) in self._annotations:
            return
        if context.guards and any(_is_prepared(guard, attributes) for guard in context.guards):
            return
        for _ in range(len(attributes) - taken.count(".") - 1):
            node = node.value  # type: ignore[assignment]
        self._uses[key] = node, context

    def global_statement(self, node: ast.Global, _context: Context) -> None:
        """What functions bind in the module is not what its import has bound."""
        self._globals.update(node.names)

    def annotated(self, node: ast.AnnAssign, context: Context) -> None:
        """`x: m.C`: annotations in functions are never looked at."""
        if self._lazy_annotations or context.scope.kind == "function":
            self._leave_out(node.annotation)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, _context: Context) -> None:
        """Annotations that nobody looks at when the function is defined."""
        args = node.args
        for argument in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg):
            if argument is not None and argument.annotation is not None:
                self._leave_out(argument.annotation)
        if node.returns is not None:
            self._leave_out(node.returns)

    def _leave_out(self, annotation: ast.expr) -> None:
        kind = annotation.__class__
        if kind is ast.Attribute:
            self._annotations.add(id(annotation))
        elif kind is not ast.Name and kind is not ast.Constant:
            self._annotations.update(id(node) for node in ast.walk(annotation) if node.__class__ is ast.Attribute)

    def asking(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`hasattr(m, "name")`: the file knows that it may not be there."""
        self._asked.update(_texts(node))

    def patch(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`patch.object(m, "name", create=True)`."""
        if any(keyword.arg == "create" for keyword in node.keywords):
            self._asked.update(text.rpartition(".")[2] for text in _texts(node))

    def set_attribute(self, node: ast.Call, _name: str, context: Context) -> None:
        """`setattr(m, "name", value)`, and `monkeypatch.setattr` where it need not be there."""
        if node.func.__class__ is not ast.Name:
            if any(keyword.arg == "raising" for keyword in node.keywords):
                self._asked.update(text.rpartition(".")[2] for text in _texts(node))
            return
        texts = _texts(node)
        for text in texts:
            self._set_by_name[text] = None
        owner = dotted(node.args[0]) if node.args else ""
        if owner and not texts:
            self._writes.append((owner.partition(".")[0], f"{owner.partition('.')[2]}.".lstrip("."), context.scope))

    def import_by_name(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`import_module("a.b")`."""
        texts = _texts(node)
        for text in texts:
            self._imported_by_name[text] = None
        first = node.args[0] if node.args else None
        self._imports_any = self._imports_any or not (isinstance(first, ast.Constant) and isinstance(first.value, str))

    def resolve_by_name(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`mock.patch("a.b.name")` imports `a.b`."""
        for text in _texts(node)[:1]:
            if "." in text:
                self._imported_by_name[text] = None

    def namespace(self, node: ast.Call, _name: str, context: Context) -> None:
        """`vars(m)`, through which anything may be set."""
        owner = dotted(node.args[0]) if node.args else ""
        if owner:
            self._writes.append((owner.partition(".")[0], f"{owner.partition('.')[2]}.".lstrip("."), context.scope))

    def finish(self, module: Scope) -> UseFacts | None:
        """The facts, once every scope is complete."""
        origins: dict[tuple[Scope, str], tuple[int, str, str] | None] = {}

        def origin_of(scope: Scope, root: str) -> tuple[int, str, str] | None:
            key = (scope, root)
            if key not in origins:
                origins[key] = None if root in self._globals else only_import(scope, root)
            return origins[key]

        used: dict[tuple[int, str, str], list[Use]] = {}
        for (_, root, attributes, _), (node, context) in self._uses.items():
            if attributes.partition(".")[0] in self._asked:
                continue
            origin = origin_of(context.scope, root)
            if origin is not None:
                used.setdefault(origin, []).append(_use(node, attributes, context))
        written: dict[tuple[int, str, str, str], None] = {}
        for root, attributes, scope in self._writes:
            origin = origin_of(scope, root)
            inside, _, attribute = attributes.rpartition(".")
            if origin is None:
                # What is bound in several ways, or by a function, may be any module.
                self._set_by_name[attribute] = None
            else:
                level, name, taken = origin
                written[level, name, ".".join(part for part in (taken, inside) if part), attribute] = None
        if not used and not written and not self._set_by_name and not self._imported_by_name and not self._imports_any:
            return None
        return UseFacts(
            tuple(
                UsedModule(*origin, pack(tuple(uses)), any(use.flags & AT_IMPORT for use in uses))
                for origin, uses in used.items()
            ),
            tuple(written),
            tuple(self._set_by_name),
            tuple(self._imported_by_name),
            self._imports_any,
        )


_ASKING: Final = frozenset({"hasattr", "getattr"})
_SETTING: Final = frozenset({"setattr", "delattr"})
_IMPORTING: Final = frozenset({"import_module", "__import__"})
_RESOLVING: Final = frozenset({"patch", "resolve_name"})
_OPENING: Final = frozenset({"vars"})
_PATCHING: Final = frozenset({"patch", "object"})
_CATCHING: Final = frozenset({"AttributeError", "Exception", "BaseException", "?"})


def _is_prepared(guard: Guard, attributes: list[str]) -> bool:
    """Whether code under this guard goes on without the attribute."""
    if guard.kind == "test":
        return not guard.catches or not set(attributes).isdisjoint(guard.catches)
    last = {name.rpartition(".")[2] for name in guard.catches}
    return not last or not last.isdisjoint(_CATCHING) or not all(name.endswith("Error") for name in last)


def _texts(node: ast.Call) -> list[str]:
    return [
        argument.value
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def _use(node: ast.Attribute, attributes: str, context: Context) -> Use:
    scope = context.scope
    flags = 0
    if scope.function is None:
        flags |= AT_IMPORT
    if context.branch:
        flags |= IN_BRANCH
    return Use(
        attributes,
        node.lineno,
        node.col_offset + 1,
        node.end_lineno or node.lineno,
        (node.end_col_offset or node.col_offset) + 1,
        scope.qualname,
        flags,
    )
