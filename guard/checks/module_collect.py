"""Watches one module for what it binds, exports and imports.

A module is *open* where it binds names that no reader of its text can know: `__getattr__`, `globals()[x] = …`, `exec`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from guard.checks import module_writes
from guard.checks.certain_names import left_unbound
from guard.checks.module_exports import Place, literal_exports
from guard.checks.module_facts import (
    ANY_TIME,
    ASSERTED,
    BRANCHED,
    CLASS,
    CONDITIONAL,
    DEAD,
    FUNCTION,
    LAZY,
    MAIN,
    MAYBE,
    PLATFORM,
    REBOUND,
    SOLID,
    TYPING,
    TYPING_ONLY,
    UNBOUND,
    Alias,
    Import,
    ModuleFacts,
    Name,
    Origin,
)
from guard.checks.module_guards import Guards, asserts_absence, expected_to_fail, may_swallow
from guard.checks.module_writes import WRITERS, Writes
from guard.checks.packing import pack
from guard.checks.references import reference_of_name
from guard.checks.sys_path import folder_of
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import Binding, BindingKind, Context, Scope, dotted

_WALRUS: Final = BindingKind.WALRUS
_IMPORT: Final = BindingKind.IMPORT
_DECLARED: Final = BindingKind.DECLARED
_DELETE: Final = BindingKind.DELETE
_EXCEPT: Final = BindingKind.EXCEPT
_NAMESPACES: Final = frozenset({"globals", "vars", "locals"})
_NAMED: Final = _NAMESPACES | {"exec", "setattr"}
_READERS: Final = frozenset({"get", "keys", "values", "items", "copy", "__getitem__", "__contains__"})


def _place(node: ast.expr | ast.stmt) -> Place:
    return node.lineno, node.col_offset


class ModuleCollector:
    """Watches one module; see `guard.walk.Collector`."""

    def __init__(self, parsed: Parsed) -> None:
        self._content = parsed.content
        self._stub = parsed.kind == "stub"
        self._imports: list[tuple[ast.Import | ast.ImportFrom, Context]] = []
        self._globals: list[tuple[Scope, list[str]]] = []
        self._exports: list[tuple[Place, ast.expr | None, str, bool]] = []
        self._open = ""
        self._namespaces: set[ast.expr] = set()
        self._extends_path = False
        self._main = False
        self._sys_path: list[tuple[Place, ast.expr]] = []
        self._provides: list[str] = []
        self._provides_later: list[str] = []
        self._injects = False
        self._handed: list[str] = []
        self._plants: list[tuple[str, str]] = []
        self._skips: list[str] = []
        self._may_write = any(word in parsed.content for word in module_writes.WORDS)

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        to.on(ast.Import, self.import_statement)
        to.on(ast.ImportFrom, self.import_statement)
        to.on(ast.Global, self.global_statement)
        to.on_module_level(ast.If, self.if_statement)
        for kind in (ast.Assign, ast.AnnAssign, ast.AugAssign):
            to.on_module_level(kind, self.assignment)
        to.on_module_level_calls(self.hand_name)
        to.on_calls(_LIST_METHODS, self.list_method)
        to.on_calls(_NAMED, self.named_call)
        to.on_calls(_SKIPPING, self.import_or_skip)
        to.on_calls(module_writes.CALLS, self.may_write)
        if b"sys.modules" in self._content:
            self._may_write = True
            to.on(ast.Subscript, self.subscript)

    def import_statement(self, node: ast.Import | ast.ImportFrom, context: Context) -> None:
        """Keep the statement; it is told once every binding is known."""
        self._imports.append((node, context))

    def global_statement(self, node: ast.Global, context: Context) -> None:
        """A function that may bind names of the module."""
        self._globals.append((context.scope, node.names))

    def if_statement(self, node: ast.If, context: Context) -> None:
        """Recognise `if __name__ == "__main__"`."""
        test = node.test
        if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__":
            self._main = True

    def assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, context: Context) -> None:
        """Watch for `__all__`, `__path__`."""
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                if target.id == "__all__" and node.value is not None:
                    how = "+" if isinstance(node, ast.AugAssign) else "="
                    self._exports.append((_place(node), node.value, how, not context.branch))
                elif target.id == "__path__":
                    self._extends_path = True
            elif isinstance(target, ast.Attribute) and not context.dead and (owner := dotted(target.value)):
                self._plants.append((owner, target.attr))

    def list_method(self, node: ast.Call, name: str, context: Context) -> None:
        """Watch for `__all__.extend(…)` and `sys.path.insert(…)`."""
        func = node.func
        if func.__class__ is not ast.Attribute:
            return
        value = func.value
        if value.__class__ is ast.Name:
            owner = value.id
            if owner == "__all__" and context.scope.kind == "module":
                added = node.args[0] if node.args else None
                self._exports.append((_place(node), added, name, not context.branch))
            elif owner == "__path__":
                self._extends_path = True
            elif owner == "path":
                self._sys_path += [(_place(node), folder) for folder in node.args[-1:]]
        elif value.__class__ is ast.Attribute and value.attr == "path" and dotted(value).endswith("sys.path"):
            self._sys_path += [(_place(node), folder) for folder in node.args[-1:]]

    def named_call(self, node: ast.Call, name: str, context: Context) -> None:
        """Watch for what makes the module's namespace open."""
        if node.func.__class__ is not ast.Name:
            return
        if name in _NAMESPACES:
            if not node.args and (name == "globals" or context.scope.kind == "module"):
                self._namespaces.add(node)
        elif name == "exec":
            if context.scope.kind == "module":
                self._open = self._open or "exec"
        elif node.args and _is_sys_modules_item(node.args[0]):
            self._set_module_attribute(node.args[0])

    def import_or_skip(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`pytest.importorskip("name")`."""
        first = node.args[0] if node.args else None
        if node.func.__class__ is ast.Attribute and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self._skips.append(first.value)

    def may_write(self, _node: ast.Call, _name: str, _context: Context) -> None:
        """A call by which some files fill the namespace of a module."""
        self._may_write = True

    def hand_name(self, node: ast.Call, name: str, _context: Context) -> None:
        """A call that hands on `__name__`: the function may replace the module, or fill it."""
        if name == "getLogger":
            return
        for argument in node.args:
            if argument.__class__ is ast.Name and argument.id == "__name__":
                function = dotted(node.func)
                if function:
                    self._handed.append(function)

    def subscript(self, node: ast.Subscript, context: Context) -> None:
        """`sys.modules[x] = …`."""
        if isinstance(node.ctx, ast.Store) and dotted(node.value).endswith("sys.modules"):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                (self._provides if context.scope.kind == "module" else self._provides_later).append(node.slice.value)
            else:
                self._open = self._open or "sys.modules[…] ="

    def _look_at_namespaces(self, tree: ast.AST) -> None:
        """What is done with `globals()` and its kin. Few files call them, so it is worth a walk of its own."""
        reads = 0
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.value in self._namespaces:
                    if node.func.attr in WRITERS:
                        self._open = self._open or f"{_call_name(node.func.value)}().{node.func.attr}"
                    reads += node.func.attr in _READERS
            elif isinstance(node, ast.Subscript) and node.value in self._namespaces:
                if isinstance(node.ctx, ast.Load):
                    reads += 1
                else:
                    self._open = self._open or f"{_call_name(node.value)}()[…] ="
            elif isinstance(node, ast.Compare):
                reads += sum(side in self._namespaces for side in node.comparators)  # `"x" in globals()`
        if len(self._namespaces) > reads:
            self._open = self._open or "globals() is handed on"

    def _set_module_attribute(self, owner: ast.expr) -> None:
        assert isinstance(owner, ast.Subscript)
        if isinstance(owner.slice, ast.Name) and owner.slice.id == "__name__":
            self._open = self._open or "setattr(sys.modules[__name__], …)"
        else:
            self._injects = True

    def finish(self, module: Scope) -> ModuleFacts:
        """The facts, once every scope is complete."""
        if self._namespaces:
            self._look_at_namespaces(module.node)
        writes = Writes(module.node, self._content if self._may_write else b"")
        names = {name: _name(name, bindings, stub=self._stub) for name, bindings in module.bindings.items()}
        for scope, declared in self._globals:
            for written in declared:
                if written in scope.bindings:
                    name = scope.private(written)
                    known = names.get(name)
                    flags = SOLID | REBOUND | ANY_TIME
                    line = _line(scope.bindings[written][0])
                    if known is None or known.flags & UNBOUND:
                        names[name] = Name(flags | MAYBE, known.line if known else line, known.origins if known else ())
                    else:
                        names[name] = Name(known.flags & ~TYPING_ONLY | flags, known.line, known.origins)
        for name, line in writes.names:
            if name not in names or names[name].flags & UNBOUND:
                names[name] = Name(SOLID | REBOUND, line)
        possible = {name for name, bound in names.items() if bound.flags & MAYBE}
        if possible:
            by_functions = {name for _, listed in self._globals for name in listed}
            for name in possible - left_unbound(module.node, possible, by_functions):
                names[name] = msgspec.structs.replace(names[name], flags=names[name].flags & ~MAYBE)
        if "__getattr__" in names:
            self._open = "__getattr__"
        guards = Guards()
        always = TYPING if self._stub else 0  # nothing in a stub ever runs
        imports = tuple(_import(node, context, guards, always) for node, context in self._imports)
        before = [guards.before(context) for _, context in self._imports]
        # Calls are met when their block ends, assignments before; what counts is the order in the file.
        self._exports.sort(key=lambda export: export[0])
        self._sys_path.sort(key=lambda entry: entry[0])
        exports, exports_open = literal_exports(self._exports)
        return ModuleFacts(
            bound=pack(names),
            defined=pack(tuple(name for name, bound in names.items() if bound.flags & (CLASS | FUNCTION))),
            imports=imports,
            stars=_stars(self._imports),
            guards=tuple(guards.facts),
            exports=exports,
            exports_open=exports_open,
            open=self._open or writes.open,
            extends_path=self._extends_path or writes.extends_path,
            main=self._main,
            sys_path=tuple(found for _, node in self._sys_path if (found := folder_of(node, module)) is not None),
            provides=(*self._provides, *writes.provides),
            provides_later=tuple(self._provides_later),
            injects=self._injects or writes.injects,
            plants=tuple(
                (ref, name)
                for owner, name in self._plants
                if (ref := reference_of_name(owner, module)) is not None and not ref.is_local
            ),
            handed_to=tuple(ref for name in self._handed if (ref := reference_of_name(name, module)) is not None),
            skips=tuple(self._skips),
            alternatives=tuple((place, number) for place, numbers in enumerate(before) for number in numbers),
        )


_LIST_METHODS: Final = frozenset({"extend", "append", "insert", "remove"})
_SKIPPING: Final = frozenset({"importorskip"})


def _call_name(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_sys_modules_item(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and dotted(node.value).endswith("sys.modules")


def _line(binding: Binding) -> int:
    line: int = getattr(binding.node, "lineno", 1)
    return line


_NOT_ALONE: Final = (_DECLARED, _DELETE, _EXCEPT)
_ALONE: Final[Mapping[BindingKind, int]] = {
    **{kind: SOLID for kind in BindingKind if kind not in _NOT_ALONE},
    BindingKind.CLASS: SOLID | CLASS,
    BindingKind.FUNCTION: SOLID | FUNCTION,
    _IMPORT: 0,
}
"""What is said of a name that one statement binds, whatever happens; by the kind of binding."""


def _name(name: str, bindings: list[Binding], *, stub: bool) -> Name:
    """Join all bindings of one name. They come in source order. In a stub a bare `x: int` says that x is bound."""
    if len(bindings) == 1:
        only = bindings[0]
        told, around = _ALONE.get(only.kind), only.context
        if told is not None and not (around.branch or around.dead or around.type_checking):
            # Nearly all names: bound once, whatever happens. What follows would say the same of them.
            return Name(told, _line(only), tuple(_origins(name, only)) if only.kind is _IMPORT else ())
    flags = 0
    origins: list[Origin] = []
    live: list[Binding] = []
    bound = False
    for binding in bindings:
        kind, context = binding.kind, binding.context
        if context.dead or (kind is _DECLARED and not stub):
            continue
        if kind is _DELETE or kind is _EXCEPT:
            # Behind a handler its name is gone, as after `del`; but only where that code certainly ran.
            if not context.branch:
                bound = False
                flags = flags & ~(SOLID | CLASS | FUNCTION) | (ANY_TIME if live else 0)
                origins.clear()
                live.clear()
            continue
        live.append(binding)
        bound = True
        if context.type_checking:
            continue
        if kind is _IMPORT:
            origins.extend(_origins(name, binding))
        else:
            flags |= SOLID
            if kind is BindingKind.CLASS:
                flags |= CLASS
            elif kind is BindingKind.FUNCTION:
                flags |= FUNCTION
    first = bindings[0]
    if not bound:
        return Name(UNBOUND, _line(first))
    if live and all(binding.context.type_checking for binding in live):
        flags |= TYPING_ONLY
        for binding in live:
            if binding.kind is _IMPORT:
                origins.extend(_origins(name, binding))
    run_time = [binding for binding in live if not binding.context.type_checking] or live
    branched = [binding for binding in run_time if binding.context.branch]
    if len(run_time) > 1 or branched:
        flags |= REBOUND
    if branched == live and not any(b.context.platform or b.kind is _WALRUS for b in live):
        flags |= MAYBE
    return Name(flags, _line(run_time[0] if run_time else first), tuple(origins))


def _origins(name: str, binding: Binding) -> Iterator[Origin]:
    """What an import binding takes `name` from. One statement may bind a name twice; both count."""
    node = binding.node
    guarded = any(map(may_swallow, binding.context.guards))
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                yield Origin(node.level, node.module or "", alias.name, guarded)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname == name:
                yield Origin(0, alias.name, "", guarded)
            elif alias.asname is None and alias.name.partition(".")[0] == name:
                yield Origin(0, name, "", guarded)


def _stars(imports: list[tuple[ast.Import | ast.ImportFrom, Context]]) -> tuple[Origin, ...]:
    return tuple(
        Origin(node.level, node.module or "", "*")
        for node, context in imports
        if isinstance(node, ast.ImportFrom)
        and node.names[0].name == "*"
        and not context.dead
        and context.scope.kind == "module"
    )


def _import(node: ast.Import | ast.ImportFrom, context: Context, guards: Guards, flags: int) -> Import:
    if context.scope.function is not None:
        flags |= LAZY
    if context.type_checking:
        flags |= TYPING
    if context.dead:
        flags |= DEAD
    if context.platform:
        flags |= PLATFORM
    if context.main:
        flags |= MAIN
    if context.branch:
        flags |= CONDITIONAL
    if context.branch and not {g.node for g in context.guards if g.kind != "test"}.issuperset(context.branch):
        flags |= BRANCHED
    if (context.guards and any(asserts_absence(guard, node) for guard in context.guards)) or expected_to_fail(
        context.scope
    ):
        flags |= ASSERTED
    if flags & LAZY and any(context.scope.private(alias.name) != alias.name for alias in node.names):
        flags |= ASSERTED  # what Python makes of a private name in a class is another one
    return Import(
        level=node.level if isinstance(node, ast.ImportFrom) else -1,
        module=(node.module or "") if isinstance(node, ast.ImportFrom) else "",
        aliases=tuple(
            [
                Alias(
                    alias.name,
                    alias.asname or "",
                    alias.lineno,
                    alias.col_offset + 1,
                    alias.end_lineno or alias.lineno,
                    (alias.end_col_offset or alias.col_offset) + 1,
                )
                for alias in node.names
            ]
        ),
        line=node.lineno,
        column=node.col_offset + 1,
        end_line=node.end_lineno or node.lineno,
        end_column=(node.end_col_offset or 0) + 1,
        symbol=context.scope.qualname,
        flags=flags,
        guards=tuple([guards.number(guard) for guard in context.guards if guard.kind in ("try", "suppress")]),
    )
