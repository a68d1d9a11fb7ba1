"""Scopes, what they bind, and the blocks that statements stand in: the walk's vocabulary."""

from __future__ import annotations

import ast
import enum
from collections.abc import Set
from typing import Any, Final

import msgspec

from guard.nodes import CHILDREN, mangled

_PLATFORM_NAMES: Final = frozenset(
    {"sys.version_info", "sys.platform", "os.name", "sys.hexversion", "sys.implementation"}
)

_VERSIONS: Final = frozenset({"version_info", "__version__", "VERSION"})
"""Names of versions. A test of one, of whatever package, decides as one of Python's does: a script that has to run with
old releases of its own package asks for that package's."""
_TELLING_ATTRIBUTES: Final = frozenset({name.rpartition(".")[2] for name in _PLATFORM_NAMES} | {"modules"})


class BindingKind(enum.StrEnum):
    """The ways in which a statement binds a name."""

    IMPORT = "import"
    ASSIGN = "assign"
    ANNOTATED = "annotated"
    """`x: C = …`; a bare `x: C` is DECLARED."""
    DECLARED = "declared"
    AUGMENTED = "augmented"
    LOOP = "loop"
    WITH = "with"
    EXCEPT = "except"
    """`except E as x`: bound in the handler, unbound behind it."""
    DELETE = "delete"
    FUNCTION = "function"
    CLASS = "class"
    PARAMETER = "parameter"
    WALRUS = "walrus"
    MATCH = "match"
    TYPE_ALIAS = "type alias"
    UNPACKED = "unpacked"
    """A target inside a tuple or list: bound, to a part of the value."""


class Binding(msgspec.Struct, eq=False, gc=False):
    """One place that binds a name. `node` is the statement (for a parameter: the `ast.arg`), `value` the
    expression bound, where the name gets exactly that value, `annotation` the one that stands at the name."""

    kind: BindingKind
    node: ast.AST
    context: Context
    value: ast.expr | None = None
    annotation: ast.expr | None = None


_NO_NAMES: Final[Set[str]] = frozenset()


class Scope:
    """A module, class, function (lambdas too) or comprehension, with what it binds, in source order."""

    __slots__ = (
        "bindings",
        "global_names",
        "has_yield",
        "inner",
        "is_async",
        "kind",
        "node",
        "nonlocal_names",
        "parent",
        "qualname",
    )

    def __init__(self, kind: str, node: ast.AST, qualname: str, parent: Scope | None) -> None:
        self.kind: Final = kind
        """`module`, `class`, `function`, `lambda` or `comprehension`."""
        self.node: Final = node
        self.qualname: Final = qualname
        """As Python's `__qualname__`, without `<locals>`; empty for the module."""
        self.parent: Final = parent
        self.inner: list[Scope] = []
        """The scopes directly inside this one, in the order in which the walk entered them."""
        self.bindings: dict[str, list[Binding]] = {}
        self.global_names: Set[str] = _NO_NAMES
        self.nonlocal_names: Set[str] = _NO_NAMES
        self.has_yield = False
        self.is_async = node.__class__ is ast.AsyncFunctionDef
        if parent is not None:
            parent.inner.append(self)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """Where Python would find `name` when code in this scope reads it; None for a builtin or nothing.

        Class scopes are skipped from inside functions, as Python does it. Only right once the walk is over.
        """
        scope: Scope | None = self
        own = True
        while scope is not None:
            if name in scope.global_names:
                while scope.parent is not None:
                    scope = scope.parent
                found = scope.bindings.get(name)
                return (scope, found) if found else None
            if (own or scope.kind != "class") and name in scope.bindings and name not in scope.nonlocal_names:
                return scope, scope.bindings[name]
            own = own and scope.kind == "comprehension"
            scope = scope.parent
        return None

    def private(self, name: str) -> str:
        """What Python makes of a name that is written in this scope: see `nodes.mangled`."""
        if name[:2] != "__":
            return name
        scope: Scope | None = self
        while scope is not None and scope.kind != "class":
            scope = scope.parent
        return name if scope is None else mangled(name, scope.node.name)  # type: ignore[attr-defined]

    @property
    def function(self) -> Scope | None:
        """The innermost function or lambda that this scope is or stands in."""
        scope: Scope | None = self
        while scope is not None and scope.kind not in ("function", "lambda"):
            scope = scope.parent
        return scope


class Guard:
    """Something around a statement that changes what its failure means.

    `kind` is `try` (the body of a `try` with handlers), `suppress` (`contextlib.suppress`), `raises` (the failure
    is what is asserted: `pytest.raises`, `assertRaises`), `test` (an `if` that asks for presence: `find_spec`,
    `"x" in sys.modules`, `hasattr`). `catches` holds the dotted names as written; empty is a bare `except`. For a
    `test` it holds the attributes that `hasattr` asks for; empty where a module is asked for.
    """

    __slots__ = ("catches", "kind", "node")

    def __init__(self, kind: str, catches: tuple[str, ...], node: ast.AST) -> None:
        self.kind: Final = kind
        self.catches: Final = catches
        self.node: Final = node


class Context(msgspec.Struct, eq=False, gc=False):
    """Where a statement stands. Shared by all statements of one block; never changed."""

    scope: Scope
    guards: tuple[Guard, ...] = ()
    """Innermost last. A function body starts anew: guards around its `def` do not cover its call."""
    branch: tuple[ast.AST, ...] = ()
    """The `if`, loop, `try`, handler, `match` and `with` nodes inside this scope, innermost last; empty means that
    the statement runs whenever the scope does."""
    type_checking: bool = False
    dead: bool = False
    """Never runs: behind `return`, `raise`, `sys.exit()`, or under `if False`."""
    platform: bool = False
    """In a branch that `sys.platform`, `sys.version_info`, the version of a package or the like decides."""
    main: bool = False
    """Under `if __name__ == "__main__"`."""

    def block_of(self, node: ast.AST) -> Context:
        """The context of a block of `node`, which stands in this one, where nothing more is to say of the block."""
        return Context(
            self.scope,
            self.guards,
            (*self.branch, node),
            self.type_checking,
            self.dead,
            self.platform,
            self.main,
        )

    def inside(
        self,
        node: ast.AST,
        guard: Guard | None = None,
        *,
        type_checking: bool = False,
        dead: bool = False,
        platform: bool = False,
        main: bool = False,
    ) -> Context:
        """`block_of` where the block is guarded, never runs, or the like."""
        return Context(
            self.scope,
            (*self.guards, guard) if guard else self.guards,
            (*self.branch, node),
            self.type_checking or type_checking,
            self.dead or dead,
            self.platform or platform,
            self.main or main,
        )

    def in_comprehension(self, scope: Scope) -> Context:
        """The context of a comprehension that stands in this one: it runs where it stands, so what is said of the block
        holds for it."""
        return Context(
            scope,
            self.guards,
            self.branch,
            self.type_checking,
            self.dead,
            self.platform,
            self.main,
        )

    def in_scope(self, scope: Scope) -> Context:
        """The context of the body of a scope that stands in this one."""
        return Context(
            scope,
            self.guards if scope.kind == "class" else (),
            (),
            self.type_checking,
            self.dead,
            self.platform,
            self.main,
        )


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` for a name or attribute chain on a name; empty for anything else."""
    if node.__class__ is ast.Name:
        return node.id
    parts: list[str] = []
    while node.__class__ is ast.Attribute:
        parts.append(node.attr)
        node = node.value
    if node.__class__ is not ast.Name:
        return ""
    parts.append(node.id)
    parts.reverse()
    return ".".join(parts)


def caught_names(handler: ast.ExceptHandler) -> tuple[str, ...]:
    """The exception types that a handler names, dotted, as written; empty for a bare `except`."""
    if handler.type is None:
        return ()
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return tuple(dotted(node) or "?" for node in nodes)


def constant_truth(test: ast.expr) -> bool | None:
    """Whether a test is always true or always false, where it is written as a constant; else None."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = constant_truth(test.operand)
        return None if inner is None else not inner
    return None


class _Signs:
    """What a test says of the branch that it decides. Gathered in one pass, since every `if` is asked."""

    __slots__ = ("attributes", "main", "module", "platform")

    def __init__(self, test: ast.expr) -> None:
        self.main = False
        self.platform = False
        self.module = False
        """Asks whether a module is there: `find_spec`, `"x" in sys.modules`."""
        self.attributes: list[str] = []
        """The names that `hasattr` asks for."""
        stack: list[Any] = [test]
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind is ast.Name:
                name = node.id
                if name == "__name__":
                    self.main = True
                elif name in _VERSIONS:
                    self.platform = True
            elif kind is ast.Attribute:
                if node.attr in _VERSIONS:
                    self.platform = True
                elif node.attr in _TELLING_ATTRIBUTES:
                    written = dotted(node)
                    self.platform = self.platform or written in _PLATFORM_NAMES
                    self.module = self.module or written == "sys.modules"
                while node.__class__ is ast.Attribute:
                    node = node.value
                if node.__class__ is not ast.Name:
                    stack.append(node)
            elif kind is list:
                stack.extend(node)
            elif kind is not ast.Constant:
                if kind is ast.Call:
                    self._call(node)
                children = CHILDREN.get(kind)
                if children is not None:
                    stack.extend(children(node))

    def _call(self, node: ast.Call) -> None:
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if last in ("find_spec", "find_loader", "find_module"):
            self.module = True
        elif last == "hasattr" and len(node.args) == 2 and isinstance(node.args[1], ast.Constant):
            self.attributes.append(str(node.args[1].value))
        elif name.startswith("platform."):
            self.platform = True


def branches(node: ast.If, context: Context) -> tuple[Context, Context]:
    """The contexts of the two branches of an `if`."""
    test = node.test
    truth = constant_truth(test)
    if truth is not None:
        return context.inside(node, dead=not truth), context.inside(node, dead=truth)
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    core = test.operand if isinstance(test, ast.UnaryOp) and negated else test
    name = dotted(core)
    if name:
        if name.rpartition(".")[2] != "TYPE_CHECKING" and name != "MYPY":
            plain = context.block_of(node)
            return plain, plain
        for_checkers, at_run_time = context.inside(node, type_checking=True), context.inside(node)
        return (at_run_time, for_checkers) if negated else (for_checkers, at_run_time)
    if isinstance(test, ast.BoolOp) and any(dotted(p).rpartition(".")[2] == "TYPE_CHECKING" for p in test.values):
        # `TYPE_CHECKING and x` is for checkers only; of `TYPE_CHECKING or x` nothing is certain.
        certain = isinstance(test.op, ast.And)
        return context.inside(node, type_checking=certain, platform=not certain), context.inside(node)
    signs = _Signs(core)
    guard = None
    if signs.module or signs.attributes:
        guard = Guard("test", () if signs.module else tuple(signs.attributes), node)
    if guard is None and not signs.main and not signs.platform:
        plain = context.block_of(node)
        return plain, plain
    return (
        context.inside(node, guard, main=signs.main, platform=signs.platform),
        context.inside(node, guard, platform=signs.platform),
    )


def asserts_failure(name: str) -> bool:
    """Whether a function is named as one that asserts a failure: `raises`, `assertRaisesRegex`, and what projects
    call their own ones (`assert_raises_message`, `expect_raises`)."""
    return "raises" in name.lower()


def guard_of_with(expression: ast.expr, node: ast.AST) -> Guard | None:
    """The guard that one item of a `with` puts around its body, if it is one."""
    if not isinstance(expression, ast.Call):
        return None
    last = dotted(expression.func).rpartition(".")[2]
    if asserts_failure(last) or last in ("warns", "deprecated_call"):
        expected = expression.args[0] if expression.args else None
        names = expected.elts if isinstance(expected, ast.Tuple) else expression.args[:1]
        return Guard("raises", tuple(dotted(name) or "?" for name in names), node)
    if last == "suppress":
        return Guard("suppress", tuple(dotted(arg) or "?" for arg in expression.args), node)
    return None


_NEVER_RETURNS: Final = frozenset(
    {
        *("sys.exit", "os._exit", "exit", "quit", "pytest.skip", "pytest.fail", "pytest.exit"),
        *("self.skipTest", "self.fail"),
    }
)
_LAST_PARTS: Final = frozenset(name.rpartition(".")[2] for name in _NEVER_RETURNS)


def never_returns(call: ast.Call) -> bool:
    """Whether nothing behind a call runs: `sys.exit()`, `pytest.skip()`."""
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    if last not in _LAST_PARTS:
        return False
    if last == "skip" and any(keyword.arg == "allow_module_level" for keyword in call.keywords):
        return True
    return dotted(func) in _NEVER_RETURNS


ENDS_BLOCK: Final = frozenset({ast.Return, ast.Raise, ast.Continue, ast.Break})
MAY_END_BLOCK: Final = frozenset({ast.If, ast.Try, ast.While})
"""Statements that end a block where all their ways do."""


def ends_block(node: Any) -> bool:
    """Whether nothing runs behind a statement in its block. Never said of a `with`, which may swallow an exception."""
    while True:
        kind = node.__class__
        if kind in ENDS_BLOCK:
            return True
        if kind is ast.Expr:
            return node.value.__class__ is ast.Call and never_returns(node.value)
        if kind is ast.If:
            # As for every `elif`: followed in a loop, so that a thousand of them are no recursion.
            if not node.orelse or not ends_block(node.body[-1]):
                return False
            node = node.orelse[-1]
        elif kind is ast.Try:
            if node.finalbody and ends_block(node.finalbody[-1]):
                return True
            if not all(ends_block(handler.body[-1]) for handler in node.handlers):
                return False
            node = (node.orelse or node.body)[-1]
        elif kind is ast.While:
            return constant_truth(node.test) is True and not _leaves_loop(node.body)
        else:
            return False


def _leaves_loop(body: list[ast.stmt]) -> bool:
    """Whether a `break` of the loop itself stands in its body; those of loops inside it do not count."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if node.__class__ is ast.Break:
            return True
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            stack.extend(node.orelse)
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            for value in node.__dict__.values():
                if value.__class__ is list:
                    stack.extend(value)
    return False
