"""Whether a change of what a module defines may change a stack of middleware, which is not computed near a change."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

import msgspec

from guard.checks.middleware import FAMILY as MIDDLEWARE
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.checks.references import Ref
from guard.incremental.changes import Near, NotCertain
from guard.program import Program


def refuse_other_stacks(program: Program, near: Near, importing: Set[str]) -> None:
    """Raises NotCertain where what a file near a change sets up, or does with a request, leads to what has changed.

    `importing` are the files that import those whose change can be seen, at any number of removes.
    """
    modules = program.linked(MODULES)
    facts = program.facts(MIDDLEWARE)
    passing_on = importing & set(near.paths)
    for path in near.paths if near.names else ():
        if path not in facts:
            continue
        refs, words = _said_in(facts[path])
        concerned = (passing_on if near.names.isdisjoint(words) else passing_on | set(near.visibly)) - {path}
        if any(found in concerned for ref in refs if concerned for found in _modules_of(path, ref, modules)):
            raise NotCertain(f"{path}: a stack of middleware may have changed")


def _said_in(facts: object) -> tuple[set[Ref], set[str]]:
    """What facts refer to in other modules, dotted strings included, and every name in them."""
    refs: set[Ref] = set()
    words: set[str] = set()
    waiting: list[Any] = [facts]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            words.update(value.split("."))
            module, dot, name = value.rpartition(".")
            if dot and all(part.isidentifier() for part in value.split(".")):
                refs.add(Ref(0, module, name))
        elif isinstance(value, Ref):
            words.update(value.name.split("."))
            if not value.is_local:
                refs.add(value)
        elif isinstance(value, msgspec.Struct):
            waiting += [getattr(value, field) for field in value.__struct_fields__]
        elif isinstance(value, (tuple, list)):
            waiting += value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
    return refs, words


def _modules_of(path: str, ref: Ref, modules: Modules) -> Iterator[str]:
    """The files of the modules that a reference may go through."""
    parts = ref.name.split(".") if ref.name else []
    for end in range(len(parts) + 1):
        module = ".".join(part for part in (ref.module, *parts[:end]) if part)
        for target in modules.resolve(path, max(ref.level, 0), module).targets if module or ref.level else ():
            yield target.path
