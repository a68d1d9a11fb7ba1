"""Names that a file gives to modules of which it is not known which ones they are.

A host that loads plugins by computed names may set attributes on them, before it executes them or behind that: to the
plugin they are names that it never binds. Which file is loaded is not known, so such a name may be given to any file.

Seen is what is set on a variable that holds such a module: it comes from `importlib` or `imp` by a computed name, from
`sys.modules`, from a function of the file that gives one back, or its annotation says `ModuleType`; and what is handed
as namespace to code from a file (`exec(compile(source, path, "exec"), {…})`, `runpy.run_path`). Few files load modules,
and their bytes say which. So this is a walk of its own, off the way of all others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from guard.scopes import dotted

CALLS: Final = frozenset(
    {
        *("exec", "exec_module", "import_module", "__import__", "load_module", "load_source", "module_from_spec"),
        *("new_module", "run_module", "run_path"),
    }
)
"""What is called by a file that loads modules."""
WORD: Final = b"ModuleType"
"""What a file says that is handed some."""
_GIVES: Final = re.compile(
    rb"\bsetattr\(|__dict__|\bvars\(|init_globals|(?<![.\w])exec\("
    rb"|^[ \t]*(?!self\.\w+[ \t:=]|cls\.)[A-Za-z_][\w.]*\.\w+[ \t]*(?::[^=\n]+)?=(?!=)",
    re.MULTILINE,
)
"""What a file says that gives anything names."""
_MAKES: Final = frozenset({"module_from_spec", "new_module", "ModuleType"})
"""What gives a module that nothing has been executed in yet."""
_LOADS: Final = frozenset({"load_module", "load_source", "import_module", "__import__", "import_path"})
_RUNS: Final = frozenset({"run_path", "run_module"})
_NAMED: Final = frozenset({"import_module", "__import__"})
"""Those whose first argument, where it is written out, says which module it is."""
_READS_A_FILE: Final = frozenset({"read", "read_text", "read_bytes", "get_data", "get_source", "get_code"})
_ROUNDS: Final = 5
"""How often a module is followed from a function of the file into the next one."""
_MOST: Final = 200
"""Names of one file that are remembered."""


class Given(NamedTuple):
    """The names that one file gives to such modules, sorted."""

    behind: tuple[str, ...] = ()
    """To those that were executed before: they are there when one of their functions is called."""
    before: tuple[str, ...] = ()
    """To those that are yet to be executed."""


class GivenName(NamedTuple):
    """A name that some file gives to a module."""

    name: str
    by_test: bool
    """In production it is not there then."""
    before: bool
    """It is there when the module is executed."""


def may_load(call: ast.Call, called: str) -> bool:
    """Whether a call of one of `CALLS` may load what is not known."""
    if called == "exec":
        return len(call.args) > 1 and isinstance(call.func, ast.Name)
    return called not in _NAMED or (bool(call.args) and not _is_written_out(call.args[0]))


def given_names(tree: ast.Module, content: bytes) -> Given:
    """What a file that loads modules, or is handed some, gives to them."""
    return _File(tree).given() if _GIVES.search(content) else Given()


_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Scope:
    """One function, or what stands outside of all."""

    def __init__(self, function: _Function | None) -> None:
        self.function = function
        self.nodes: list[ast.AST] = []
        """Without those of functions inside it."""
        self.modules: dict[str, bool] = {}
        """The variables that may hold a module, with whether it may be one that is yet to be executed."""
        self.namespaces: set[str] = set()
        """Those that are handed as namespace to code from a file."""
        self.tables: set[str] = set()
        """Those that hold `sys.modules`, or a copy."""
        self.texts: dict[str, set[str]] = {}
        """Those that run through strings that are written out."""
        self.assigned: dict[str, ast.expr] = {}
        """What each variable gets first."""


class _File:
    def __init__(self, tree: ast.Module) -> None:
        self._scopes = list(_scopes(tree))
        self._functions = {scope.function.name: scope for scope in self._scopes if scope.function is not None}
        self._giving: dict[str, bool] = {}
        """The functions that give such a module back."""
        self._attributes: dict[str, bool] = {}
        """The attributes that may hold one, dotted: `self.module`."""
        self._code: dict[ast.expr, bool] = {}
        """What `exec` is given, with whether it was read from a file."""
        self._literals = {
            target.id: set(_keys(node.value))
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def given(self) -> Given:
        for scope in self._scopes:
            self._see_annotations(scope)
        for _ in range(_ROUNDS):
            before = self._known()
            for scope in self._scopes:
                for node in scope.nodes:
                    self._follow(node, scope)
            if self._known() == before:
                break
        behind: set[str] = set()
        ahead: set[str] = set()
        for scope in self._scopes:
            for node in scope.nodes:
                for name, is_new in self._stored(node, scope):
                    (ahead if is_new else behind).add(name)
        return Given(tuple(sorted(behind - ahead)[:_MOST]), tuple(sorted(ahead)[:_MOST]))

    def _known(self) -> int:
        return (
            len(self._giving)
            + len(self._attributes)
            + sum(len(scope.modules) + len(scope.tables) + len(scope.namespaces) for scope in self._scopes)
        )

    def _see_annotations(self, scope: _Scope) -> None:
        function = scope.function
        if function is None:
            return
        arguments = function.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if _says_module(argument.annotation):
                scope.modules[argument.arg] = False
        if _says_module(function.returns):
            self._giving[function.name] = False

    # Where modules go

    def _follow(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            is_new = self._module(node.value, scope)
            if is_new is None and isinstance(node, ast.AnnAssign) and _says_module(node.annotation):
                is_new = False
            table = node.value is not None and _is_table(node.value, scope)
            for target in targets:
                if isinstance(target, ast.Name):
                    if node.value is not None:
                        scope.assigned.setdefault(target.id, node.value)
                    if is_new is not None:
                        scope.modules.setdefault(target.id, is_new)
                    if table:
                        scope.tables.add(target.id)
                elif isinstance(target, ast.Attribute) and is_new is not None and dotted(target):
                    self._attributes.setdefault(dotted(target), is_new)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            self._follow_loop(node.target, node.iter, scope)
        elif isinstance(node, ast.Call):
            self._follow_call(node, scope)
        elif isinstance(node, ast.Return) and scope.function is not None:
            is_new = self._module(node.value, scope)
            if is_new is not None:
                self._giving.setdefault(scope.function.name, is_new)

    def _follow_loop(self, target: ast.expr, iterated: ast.expr, scope: _Scope) -> None:
        first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
        last = target.elts[-1] if isinstance(target, ast.Tuple) and target.elts else target
        if isinstance(last, ast.Name) and _is_table(iterated, scope):
            scope.modules.setdefault(last.id, False)
        if isinstance(first, ast.Name):
            owner = _owner_of_keys(iterated)
            texts = self._literals.get(owner.id, set()) if isinstance(owner, ast.Name) else set(_keys(owner))
            if texts:
                scope.texts.setdefault(first.id, set()).update(sorted(texts)[:_MOST])

    def _follow_call(self, node: ast.Call, scope: _Scope) -> None:
        called = _called(node)
        if (
            called == "exec"
            and len(node.args) > 1
            and isinstance(node.args[1], ast.Name)
            and self._is_from_file(node, scope)
        ):
            scope.namespaces.add(node.args[1].id)
        callee = self._functions.get(called)
        if callee is None or callee.function is None:
            return
        arguments = callee.function.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        if isinstance(node.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
            names = names[1:]
        handed = [*zip(names, node.args, strict=False), *((word.arg, word.value) for word in node.keywords)]
        for name, value in handed:
            is_new = self._module(value, scope)
            if is_new is not None and name is not None:
                callee.modules.setdefault(name, is_new)

    def _module(self, node: ast.expr | None, scope: _Scope) -> bool | None:
        """Whether an expression may be a module that is yet to be executed; None where it is no module of ours."""
        if isinstance(node, ast.Name):
            return scope.modules.get(node.id)
        if isinstance(node, ast.Attribute):
            return self._attributes.get(dotted(node)) if self._attributes else None
        if isinstance(node, ast.Subscript):
            return False if _is_table(node.value, scope) and not isinstance(node.slice, ast.Constant) else None
        if not isinstance(node, ast.Call):
            return None
        called = _called(node)
        if called in _MAKES:
            return True
        if called in _NAMED and (not node.args or _is_written_out(node.args[0])):
            return None
        if called in _LOADS:
            return False
        if called == "get" and isinstance(node.func, ast.Attribute) and _is_table(node.func.value, scope):
            return False
        return self._giving.get(called)

    def _is_from_file(self, call: ast.Call, scope: _Scope) -> bool:
        """Whether what `exec` is given was read from a file, as far as one assignment tells."""
        given = call.args[0]
        code = scope.assigned.get(given.id) if isinstance(given, ast.Name) else given
        if code is None:
            return False
        found = self._code.get(code)
        if found is None:
            found = self._code[code] = _reads_file(code)
        return found

    # What they are given

    def _stored(self, node: ast.AST, scope: _Scope) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Attribute):
            is_new = self._module(node.value, scope) if isinstance(node.ctx, ast.Store) else None
            if is_new is not None:
                yield node.attr, is_new
        elif isinstance(node, ast.Subscript):
            if isinstance(node.ctx, ast.Store):
                is_new = self._namespace(node.value, scope)
                if is_new is not None:
                    yield from ((name, is_new) for name in self._names(node.slice, scope))
        elif isinstance(node, ast.Call):
            yield from self._stored_by_call(node, scope)
        elif isinstance(node, ast.Assign) and not scope.namespaces.isdisjoint(map(dotted, node.targets)):
            yield from ((name, True) for name in _keys(node.value))

    def _stored_by_call(self, node: ast.Call, scope: _Scope) -> Iterator[tuple[str, bool]]:
        called = _called(node)
        if called == "setattr" and len(node.args) > 1:
            is_new = self._module(node.args[0], scope)
            if is_new is not None:
                yield from ((name, is_new) for name in self._names(node.args[1], scope))
        elif called in ("update", "setdefault") and isinstance(node.func, ast.Attribute):
            is_new = self._namespace(node.func.value, scope)
            if is_new is not None:
                words = [word.arg for word in node.keywords if word.arg]
                yield from ((name, is_new) for part in node.args[:1] for name in (*_keys(part), *_text(part)))
                yield from ((name, is_new) for name in words)
        elif called == "exec" and len(node.args) > 1 and self._is_from_file(node, scope):
            yield from ((name, True) for name in _keys(node.args[1]))
        elif called in _RUNS:
            given = [word.value for word in node.keywords if word.arg == "init_globals"] or node.args[1:2]
            yield from ((name, True) for value in given for name in (*_keys(value), *self._named_literal(value)))

    def _named_literal(self, node: ast.expr) -> Iterable[str]:
        return self._literals.get(node.id, ()) if isinstance(node, ast.Name) else ()

    def _namespace(self, node: ast.expr, scope: _Scope) -> bool | None:
        """Whether a mapping holds the names of a module that is yet to be executed; None where it is none of ours."""
        if isinstance(node, ast.Name):
            return True if node.id in scope.namespaces else None
        if isinstance(node, ast.Attribute) and node.attr == "__dict__":
            return self._module(node.value, scope)
        if isinstance(node, ast.Call) and _called(node) == "vars" and node.args:
            return self._module(node.args[0], scope)
        return None

    def _names(self, node: ast.expr, scope: _Scope) -> Iterable[str]:
        if isinstance(node, ast.Name):
            return sorted(scope.texts.get(node.id, ()))
        return list(_text(node))


def _scopes(tree: ast.Module) -> Iterator[_Scope]:
    waiting: list[tuple[ast.AST, _Scope]] = []
    outside = _Scope(None)
    yield outside
    waiting.extend((child, outside) for child in reversed(tree.body))
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            scope = _Scope(node)
            yield scope
        else:
            scope.nodes.append(node)
        waiting.extend((child, scope) for child in reversed(list(ast.iter_child_nodes(node))))


def _called(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _owner_of_keys(node: ast.expr) -> ast.expr:
    """The mapping of which an expression gives the keys, or the expression itself."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "keys"):
        return node.func.value
    return node


def _says_module(annotation: ast.expr | None) -> bool:
    return annotation is not None and any(
        (isinstance(node, ast.Name) and node.id == "ModuleType")
        or (isinstance(node, ast.Attribute) and node.attr == "ModuleType")
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and "ModuleType" in node.value)
        for node in ast.walk(annotation)
    )


def _is_table(node: ast.expr, scope: _Scope) -> bool:
    """Whether an expression is `sys.modules`, one of its views, or a copy."""
    while True:
        if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
            if node.func.attr not in ("copy", "items", "values"):
                return False
            node = node.func.value
        elif (
            isinstance(node, ast.Call) and len(node.args) == 1 and _called(node) in ("dict", "list", "tuple", "sorted")
        ):
            node = node.args[0]
        else:
            return dotted(node) == "sys.modules" or (isinstance(node, ast.Name) and node.id in scope.tables)


def _is_written_out(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or dotted(node) == "__name__"


def _reads_file(code: ast.expr) -> bool:
    calls = [node for node in ast.walk(code) if isinstance(node, ast.Call)]
    return any(
        _called(node) in _READS_A_FILE
        or (_called(node) == "compile" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant))
        for node in calls
    )


def _keys(node: ast.expr) -> Iterator[str]:
    """The strings that are written out in a mapping, a list, or a call of `dict`."""
    if isinstance(node, ast.Dict):
        for key in node.keys:
            if key is not None:
                yield from _text(key)
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for item in node.elts:
            yield from _text(item)
    elif isinstance(node, ast.Call) and _called(node) == "dict":
        yield from (word.arg for word in node.keywords if word.arg)


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        yield node.value
