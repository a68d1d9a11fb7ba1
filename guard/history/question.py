"""What `guard trace` is asked, and everything that it answers with."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.cache import Cache
from guard.checks.modules import FAMILY
from guard.history.answer import Answer, Verdict
from guard.history.commits import Unseen, head_of
from guard.history.tracer import Tracer
from guard.program import Program
from guard.sources.commit import CommitTree
from guard.sources.tree import Tree
from guard.where import Place, dotted_below, where

VERSION: Final = 1
"""Raised whenever the same question to the same tree would be answered otherwise."""
_MOST_MODULES: Final = 5
"""Modules that importers take a bare name from, each with an answer of its own."""


class Question(msgspec.Struct, frozen=True):
    """A module, a name of a module, or a name of any module; `name` or `module` may be empty."""

    module: str
    name: str
    either: bool = False
    """`module` is dotted, and its last part may as well be a name of the module before it."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one question."""

    places: tuple[Place, ...]
    """Every module of the tree that binds the name, or is called by it."""
    answers: tuple[Answer, ...]
    """One for each module that was asked about, or that importers take the name from in vain."""


def question_of(text: str, tree: Tree) -> Question:
    """The question that `NAME`, `MODULE`, `MODULE:NAME` asks; for a module its path will do."""
    module, colon, name = text.partition(":")
    is_path = "/" in module or module.endswith(".py") or (module in tree.files and "." in module)
    if is_path:
        return Question(dotted_below("", module if module.endswith((".py", ".pyi")) else f"{module}/__init__.py"), name)
    if colon:
        return Question(module, name)
    if "." in module:
        return Question(module, "", either=True)
    return Question("", module)


def is_askable(question: Question) -> bool:
    """Whether it could be answered at all: by Python's names, and not by nothing."""
    parts = [*filter(None, question.module.split(".")), *filter(None, [question.name])]
    return bool(parts) and all(part.isidentifier() for part in parts) and ".." not in f".{question.module}"


def trace(program: Program, question: Question, cache: Cache) -> Trace:
    """Answer a question about a tree. Raises EnvironmentFailed where git is missing."""
    tracer = tracer_of(program, cache)
    try:
        answers = tuple(_answers(program, tracer, question))
    finally:
        tracer.close()
    sought = question.name or question.module.rpartition(".")[2]
    if question.either and answers:
        sought = answers[0].name or sought
    return Trace(places=where(program).places(sought), answers=answers)


def tracer_of(program: Program, cache: Cache, *, in_bulk: bool = False) -> Tracer:
    """A tracer with the history that the tree has; `in_bulk` for very many questions."""
    tree = program.tree
    if tree.git is None:
        return Tracer(program, cache, why_no_history="there is no git repository here, so no history")
    head = tree.revision if isinstance(tree, CommitTree) else head_of(tree.git)
    why_not = "" if head else "there is no commit yet, so no history"
    return Tracer(program, cache, head=head, why_no_history=why_not, in_bulk=in_bulk)


def key_of(tree: Tree, question: Question, salt: str) -> str:
    """The key of an answer in the cache: everything that it depends on but how much of the history is here. An answer
    that suffers from that is not remembered."""
    digest = hashlib.sha256()
    head = head_of(tree.git) if tree.git is not None else ""
    parts = [str(VERSION), salt, tree.kind, head, question.module, question.name, str(question.either)]
    if isinstance(tree, CommitTree):
        parts.append(tree.revision)
    else:
        parts += [f"{path}\0{file.oid}\0{file.mode}" for path, file in tree.files.items()]
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return f"trace:{digest.hexdigest()}"


def _answers(program: Program, tracer: Tracer, question: Question) -> Iterator[Answer]:
    if not question.module:
        modules = _asked_in_vain(program, question.name)
        if not modules and not where(program).places(question.name):
            with contextlib.suppress(Unseen):
                modules = tracer.modules_once_with(question.name)
        for module in modules:
            yield tracer.answer(module, question.name)
        return
    answer = tracer.answer(question.module, question.name)
    if question.either and answer.verdict is not Verdict.THERE:
        module, _, name = question.module.rpartition(".")
        if answer.verdict is Verdict.NEVER or tracer.targets(module, ""):
            as_name = tracer.answer(module, name)
            if answer.verdict is Verdict.NEVER or as_name.verdict is Verdict.THERE:
                answer = as_name
    yield answer


def _asked_in_vain(program: Program, name: str) -> list[str]:
    """The modules that imports of the tree take a name from that is not there, those of most importers first."""
    counted: dict[str, int] = {}
    for broken in program.linked(FAMILY).broken:
        if broken.name == name or (not broken.name and any(alias.name == name for alias in broken.statement.aliases)):
            module = where(program).absolute("." * max(broken.statement.level, 0) + broken.module, broken.path)
            counted[module] = counted.get(module, 0) + 1
    return sorted(counted, key=lambda module: (-counted[module], module))[:_MOST_MODULES]
