"""Uses of an imported name inside one file, found with libcst's scopes, and renamed where that is certain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import libcst as cst
from libcst.metadata import (
    Assignment,
    BaseAssignment,
    CodeRange,
    FunctionScope,
    GlobalScope,
    ImportAssignment,
    MetadataWrapper,
    PositionProvider,
    Scope,
    ScopeProvider,
)

from guard.fixes.rewriting.source import CannotEdit, Edit, Source

_DOTTED_TEXT: Final = re.compile(r"(?!.*\w \w)[\w.\[\], |:\"']*")
"""What an annotation, a dotted path or a name in `__all__` looks like, and prose seldom."""


class Uses:
    """The names of one file, each with its scope. libcst looks at the file when they are first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def renamed(self, node: ast.ImportFrom, bound: str, new: str) -> list[Edit]:
        """The edits that make `new` of every use of `bound`, which `node` imports; `__all__` included.

        Raises CannotEdit where not every use can be told, or `new` stands for something else somewhere in the file.
        """
        if re.search(rf"(?<![\w.]){re.escape(new)}(?!\w)", self._source.text):
            raise CannotEdit(f"{new} is another name of the file")
        edits = self._strings(bound, new)
        assignments = self._assignments(bound)
        if len(assignments) != 1 or self._is_declared(bound):
            raise CannotEdit(f"{bound} is bound more than once")
        assignment = assignments[0]
        if not isinstance(assignment, ImportAssignment) or self._line(assignment.node) != node.lineno:
            raise CannotEdit(f"{bound} is not bound by the import alone")
        if not isinstance(assignment.scope, GlobalScope | FunctionScope):
            raise CannotEdit(f"{bound} is an attribute of a class")
        if not assignment.references:
            raise CannotEdit(f"{bound} is there for others")
        for access in assignment.references:
            if len(access.referents) != 1:
                raise CannotEdit(f"{bound} may be something else in one place")
            edits.append(self._edit(_chain(access.node)[0], new))
        return edits

    def renamed_module(self, node: ast.Import, old: str, new: str) -> list[Edit]:
        """The edits that make `new` of every use of the module `old`, which `node` imports by its dotted name.

        Raises CannotEdit where something else uses what the import binds, or `new` would stand for something else.
        """
        top, new_top = old.partition(".")[0], new.partition(".")[0]
        bindings = self._assignments(top)
        ours = [one for one in bindings if self._line(_statement(one)) == node.lineno]
        if len({one.scope for one in ours}) != 1:
            raise CannotEdit(f"what binds {top} cannot be told")
        here = ours[0].scope
        if not all(_binds_package(one, top) for one in bindings if one.scope is here):
            raise CannotEdit(f"{top} is bound by something else too")
        if not all(_binds_package(one, new_top) for one in self._assignments(new_top)):
            raise CannotEdit(f"{new_top} is another name of the file")
        others = any(one not in ours and old not in _imported(one) for one in bindings if one.scope is here)
        edits = []
        for chain in self._chains(top):
            scopes = {one.scope for one in self._scope(chain[0])[top] if isinstance(one, Assignment)}
            if here not in scopes:
                continue
            dotted = [_dotted(part) for part in chain]
            if len(scopes) > 1 or (old not in dotted and not others):
                raise CannotEdit(f"{top} is used by itself")
            if old in dotted:
                edits.append(self._edit(chain[dotted.index(old)], new))
        if not isinstance(here, GlobalScope) and top != new_top and next(self._chains(new_top), None):
            raise CannotEdit(f"{new_top} is used in the file too")
        return edits

    # What libcst knows

    @cached_property
    def _wrapper(self) -> MetadataWrapper:
        return MetadataWrapper(cst.parse_module(self._source.text), unsafe_skip_copy=True)

    @cached_property
    def _scope_of(self) -> Mapping[cst.CSTNode, Scope | None]:
        try:
            return self._wrapper.resolve(ScopeProvider)
        except (cst.ParserSyntaxError, RecursionError) as error:
            raise CannotEdit("its uses cannot be found") from error

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        return self._wrapper.resolve(PositionProvider)

    def _scope(self, node: cst.CSTNode) -> Scope:
        scope = self._scope_of.get(node)
        if scope is None:
            raise CannotEdit("its uses cannot be told apart")
        return scope

    def _assignments(self, name: str) -> list[Assignment]:
        """What binds a name, in any scope of the file."""
        scopes = dict.fromkeys(scope for scope in self._scope_of.values() if scope is not None)
        found: dict[Assignment, None] = {}
        for scope in scopes:
            found.update((one, None) for one in scope.assignments if isinstance(one, Assignment) and one.name == name)
        return list(found)

    def _line(self, node: cst.CSTNode) -> int:
        position = self._positions.get(node)
        return position.start.line if position is not None else 0

    def _edit(self, node: cst.CSTNode, text: str) -> Edit:
        position = self._positions.get(node)
        if position is None:  # in an annotation that is a string
            raise CannotEdit("its uses are not all code")
        start, end = position.start, position.end
        return Edit(self._source.at(start.line, start.column), self._source.at(end.line, end.column), text)

    def _chains(self, name: str) -> Iterator[list[cst.Name | cst.Attribute]]:
        """Every use of a name: the name, and each attribute that is taken of it, the shortest first."""
        return _chains_below(self._wrapper.module, name)

    # What ast knows

    def _is_declared(self, name: str) -> bool:
        return any(
            isinstance(node, ast.Global | ast.Nonlocal) and name in node.names for node in ast.walk(self._source.tree)
        )

    def _strings(self, bound: str, new: str) -> list[Edit]:
        """The edits of `__all__`. Raises CannotEdit where a string may name `bound` for another purpose."""
        edits = []
        exported = {id(entry) for entry in exports_of(self._source.tree)}
        word = re.compile(rf"(?<!\w){re.escape(bound)}(?!\w)")
        for node in ast.walk(self._source.tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not word.search(node.value):
                continue
            if id(node) in exported and node.value == bound:
                edits.append(string_edit(self._source, node, bound, new))
            elif _DOTTED_TEXT.fullmatch(node.value):
                raise CannotEdit(f"a string names {bound}")
        return edits


def exports_of(tree: ast.Module) -> Iterator[ast.Constant]:
    """The literal entries of a module's `__all__`."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            targets = [node.func.value]
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            continue
        yield from (part for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))


def string_edit(source: Source, node: ast.Constant, old: str, new: str) -> Edit:
    """The edit that makes `new` of `old` inside a string literal. Raises CannotEdit where that is not one piece."""
    start, end = source.span(node)
    literal = source.text[start:end]
    if literal.count(old) != 1:
        raise CannotEdit("its string is written in pieces")
    at = start + literal.index(old)
    return Edit(at, at + len(old), new)


def _chains_below(node: cst.CSTNode, name: str) -> Iterator[list[cst.Name | cst.Attribute]]:
    """The uses of a name below a node; import statements, keywords and attributes of that name are none."""
    waiting: list[cst.CSTNode] = [node]
    while waiting:
        node = waiting.pop()
        chain = _chain(node)
        if chain:
            if isinstance(chain[0], cst.Name) and chain[0].value == name:
                yield chain
        elif isinstance(node, cst.Arg | cst.Attribute):
            waiting.append(node.value)
        elif not isinstance(node, cst.Import | cst.ImportFrom):
            waiting.extend(node.children)


def _chain(node: cst.CSTNode) -> list[cst.Name | cst.Attribute]:
    """A dotted expression's parts: `a`, `a.b`, `a.b.c`; the first is a name, or else the chain is empty."""
    chain: list[cst.Name | cst.Attribute] = []
    while isinstance(node, cst.Attribute):
        chain.insert(0, node)
        node = node.value
    return [node, *chain] if isinstance(node, cst.Name) else []


def _dotted(node: cst.CSTNode) -> str:
    chain = _chain(node)
    return ".".join(part.attr.value if isinstance(part, cst.Attribute) else part.value for part in chain)


def _statement(assignment: BaseAssignment) -> cst.CSTNode:
    return assignment.node if isinstance(assignment, Assignment) else cst.Pass()


def _imported(assignment: BaseAssignment) -> set[str]:
    """The dotted names that an `import a.b` behind an assignment binds by their first part."""
    node = _statement(assignment)
    if not isinstance(node, cst.Import):
        return set()
    return {_dotted(alias.name) for alias in node.names if alias.asname is None}


def _binds_package(assignment: BaseAssignment, top: str) -> bool:
    """Whether it is an `import top` or `import top.something`."""
    return any(name.partition(".")[0] == top for name in _imported(assignment))
