"""Watches one file for strings that name modules and attributes, and for what makes such a string right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from guard.checks.packing import pack
from guard.checks.references import Ref
from guard.checks.strings_apis import CALLED, MODULES, api_of, provided_by
from guard.checks.strings_classes import classes_in
from guard.checks.strings_excuses import (
    ASSERTIONS,
    MAY_FAIL,
    calls_inside,
    entered_under_assertion,
    is_dropped,
    is_skipped,
    swallowed_by,
)
from guard.checks.strings_facts import LAZY, NO_CLASSES, SURE_TO_RUN, StringsFacts, StringUse
from guard.checks.strings_reading import Found
from guard.checks.strings_settings import settings_of
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import BindingKind, Context, Scope

_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
_REPLACING: Final = frozenset({"dict", "setitem"})
_SETTING: Final = frozenset({"setattr"})


class StringCollector:
    """Sees one file. Only appends while the walk runs."""

    def __init__(self, parsed: Parsed) -> None:
        self._is_stub = parsed.kind == "stub"
        self._listeners: Listeners
        self._calls: list[tuple[ast.Call, Context]] = []
        self._asserted: set[ast.AST] = set()
        """Calls that are meant to fail."""
        self._asserting: set[Scope | None] = set()
        """Functions that assert somewhere that something raises."""
        self._withs: list[ast.With | ast.AsyncWith] = []
        self._sets: set[str] = set()
        self._rebound: set[str] = set()
        self._replacing: list[tuple[ast.Call, Scope]] = []

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        if self._is_stub:
            return
        self._listeners = to
        to.on(ast.ImportFrom, self.import_from)
        to.on(ast.Global, self.rebinding)
        to.on(ast.Nonlocal, self.rebinding)
        to.on_calls(CALLED, self.call)
        to.on_calls(ASSERTIONS, self.assertion)
        to.on_calls(_REPLACING, self.replacement)
        to.on_calls(_SETTING, self.set_by_name)
        to.on(ast.With, self.with_statement)
        to.on(ast.AsyncWith, self.with_statement)
        to.on_written_chains(self.chain)

    def import_from(self, node: ast.ImportFrom, _context: Context) -> None:
        """An import that gives a function that resolves strings another name."""
        if node.module in MODULES:
            renamed = frozenset(n.asname for n in node.names if n.asname and n.name in CALLED)
            if renamed:
                self._listeners.on_calls(renamed, self.call)

    def rebinding(self, node: ast.Global | ast.Nonlocal, _context: Context) -> None:
        """A function that binds names of a scope around it."""
        self._rebound.update(node.names)

    def call(self, node: ast.Call, name: str, context: Context) -> None:
        """A call of what may resolve a string, by its name."""
        if node.func.__class__ is ast.Attribute or name not in ("dict", "object"):
            self._calls.append((node, context))

    def replacement(self, node: ast.Call, _name: str, context: Context) -> None:
        """A call that may put modules into `sys.modules`."""
        if node.func.__class__ is ast.Attribute:
            self._replacing.append((node, context.scope))

    def assertion(self, node: ast.Call, _name: str, context: Context) -> None:
        """A call that asserts a failure: what is called in its arguments is meant to fail."""
        self._asserted |= calls_inside(node)
        self._asserting.add(context.scope.function)

    def set_by_name(self, node: ast.Call, _name: str, _context: Context) -> None:
        """`setattr(x, "name", …)`, the builtin."""
        if node.func.__class__ is ast.Name and len(node.args) > 1:
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                self._sets.add(name.value)

    def with_statement(self, node: ast.With | ast.AsyncWith, _context: Context) -> None:
        """A `with` that may assert a failure of its own later items."""
        if len(node.items) > 1:
            self._withs.append(node)

    def chain(self, node: ast.Attribute, root: str, attributes: list[str], context: Context) -> None:
        """An attribute that is assigned to or deleted."""
        if root != "self" or len(attributes) > 1:
            self._sets.add(context.scope.private(attributes[-1]))

    def finish(self, module: Scope) -> StringsFacts | None:
        """The facts, once every scope is complete."""
        if self._is_stub:
            return None
        provides = {name: None for node, scope in self._replacing for name in provided_by(node, scope, self._rebound)}
        asserted = self._asserted.union(*map(entered_under_assertion, self._withs))
        uses, refs = _Uses(module, self._rebound, asserted, self._asserting).read(self._calls)
        classes = classes_in(module)
        if not uses and not provides and not classes:
            return None
        parts = {part for use in uses for part in use.text.split(".")}
        sets = tuple(sorted(self._sets & parts))
        return StringsFacts(uses, refs, tuple(provides), sets, pack(classes) if classes else NO_CLASSES)


class _Uses:
    """Puts together what one file names by strings."""

    def __init__(self, module: Scope, rebound: set[str], asserted: set[ast.AST], asserting: set[Scope | None]) -> None:
        self._module = module
        self._rebound = rebound
        self._asserted = asserted
        self._asserting = asserting
        self._refs: dict[Ref, int] = {}
        self._uses: list[StringUse] = []

    def read(self, calls: list[tuple[ast.Call, Context]]) -> tuple[tuple[StringUse, ...], tuple[Ref, ...]]:
        """The uses, and what their indices refer to."""
        for found in settings_of(self._module, self._rebound):
            if found.context is not None:
                self._add(found, found.context, "", None)
        for node, context in calls:
            read = None if node in self._asserted else api_of(node, context.scope, self._rebound)
            if read is None:
                continue
            owner = self._decorated.get(node)
            if (
                owner is not None
                and owner.kind == "class"
                and not any(name.startswith("test") for name in owner.bindings)
            ):
                continue  # `patch` wraps the tests of a class, and here are none
            if is_skipped(context.scope, owner) or self._is_asserted_later(node, context, owner):
                continue
            call, reader = read
            if call.api.startswith("mock.") and owner is None and is_dropped(node, context):
                continue
            for found in reader(call):
                self._add(found, context, context.scope.qualname if owner is None else owner.qualname, owner)
        return tuple(self._uses), tuple(self._refs)

    @cached_property
    def _decorated(self) -> dict[ast.AST, Scope]:
        """The functions and classes, by what decorates them."""
        return {
            decorator: scope
            for scope in _scopes(self._module)
            for decorator in getattr(scope.node, "decorator_list", ())
        }

    def _add(self, found: Found, context: Context, symbol: str, owner: Scope | None) -> None:
        line = swallowed_by(context, found.text)
        if line == MAY_FAIL or not _PATH.fullmatch(found.text):
            return
        node = found.node
        flags = found.flags
        if context.scope.function is not None or context.main or owner is not None:
            flags |= LAZY
        elif context.scope.kind == "module" and not context.branch:
            flags |= SURE_TO_RUN
        self._uses.append(
            StringUse(
                found.api,
                found.way,
                found.text,
                node.lineno,
                node.col_offset + 1,
                node.end_lineno or node.lineno,
                (node.end_col_offset or node.col_offset) + 1,
                symbol,
                flags,
                self._index(found.base),
                self._index(found.callee),
                line,
            )
        )

    def _is_asserted_later(self, node: ast.Call, context: Context, owner: Scope | None) -> bool:
        """Whether a patch is made in a function that asserts a failure, to be started elsewhere in it."""
        function = context.scope.function
        if function is None or function not in self._asserting:
            return False
        return owner is not None or any(
            binding.value is node and binding.kind is BindingKind.ASSIGN
            for bindings in context.scope.bindings.values()
            for binding in bindings
        )

    def _index(self, ref: Ref | None) -> int:
        return -1 if ref is None else self._refs.setdefault(ref, len(self._refs))


def _scopes(scope: Scope) -> Iterator[Scope]:
    waiting = [scope]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.inner
