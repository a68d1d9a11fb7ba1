"""What took the place of a whole file that is gone: the same content elsewhere, or files that have its definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from guard.history.commits import Step
from guard.history.contents import Contents
from guard.history.outline import Bound, likeness
from guard.history.past import Removal
from guard.sources.tree import Tree
from guard.where import Certainty, Replacement, Role, Where

_MOST_CHANGED: Final = 400
_ALIKE: Final = 0.8


class _Heir(msgspec.Struct, eq=False):
    """How much of the old file another one has."""

    names: int = 0
    bodies: int = 0
    same_commit: bool = False
    same_content: bool = False


def file_replacements(
    where: Where, tree: Tree, contents: Contents, removal: Removal, step: Step, origin: str
) -> Iterator[Replacement]:
    """The files of today's tree that stand in for a deleted one, in no particular order. `step` is the change that
    deleted it."""
    old = {
        name: bound
        for name, bound in contents.outline(removal.before).names.items()
        if bound.kind in ("class", "function")
    }
    heirs: dict[str, _Heir] = {}
    for path, file in tree.files.items():
        if file.oid == removal.before and contents.get(removal.before):
            heirs[path] = _Heir(len(old), len(old), same_content=True)
    added = {change.path for change in step.changes[:_MOST_CHANGED] if change.new and not any(change.old)}
    candidates = {path for path in added if contents.today(path)}
    for name in old:
        candidates.update(place.path for place in where.places(name) if place.role is Role.DEFINITION)
    for path in sorted(candidates - heirs.keys()):
        heir = _compare(old, contents.outline(contents.today(path)).names)
        if heir.names:
            heirs[path] = heir
    for path, heir in heirs.items():
        heir.same_commit = path in added
    for path, heir in heirs.items():
        module = where.module_of(path, origin)
        if module:
            yield Replacement(
                certainty=_certainty(where, removal, path, heir, heirs, len(old)),
                module=module,
                name="",
                kind="module",
                path=path,
                line=1,
                reasons=tuple(_reasons(heir, len(old))),
            )


def _compare(old: dict[str, Bound], new: dict[str, Bound]) -> _Heir:
    heir = _Heir()
    for name, bound in old.items():
        other = new.get(name)
        if other is not None and other.kind == bound.kind:
            heir.names += 1
            heir.bodies += bound.is_telling and likeness(bound, other) >= _ALIKE
    return heir


def _certainty(
    where: Where, removal: Removal, path: str, heir: _Heir, heirs: dict[str, _Heir], defined: int
) -> Certainty:
    if where.is_test(path) and not where.is_test(removal.path):
        return Certainty.POSSIBLE
    rivals = [other for other in heirs.values() if other is not heir]
    if heir.same_content and not any(other.same_content for other in rivals):
        return Certainty.CERTAIN
    most = defined and heir.bodies >= 0.8 * defined
    if most and heir.same_commit and not any(other.bodies >= 0.5 * defined for other in rivals):
        return Certainty.CERTAIN
    if most or (defined and heir.names >= 0.6 * defined and not any(other.names >= heir.names for other in rivals)):
        return Certainty.LIKELY
    return Certainty.POSSIBLE


def _reasons(heir: _Heir, defined: int) -> Iterator[str]:
    if heir.same_content:
        yield "the same content"
    elif heir.bodies:
        yield f"has {_of(heir.bodies, defined)} with the same or a similar body"
    if heir.names > heir.bodies:
        yield f"has {_of(heir.names, defined)} by name and kind"
    if heir.same_commit:
        yield "added by the same commit"


def _of(number: int, defined: int) -> str:
    return f"{number:,} of its {defined:,} definitions" if number < defined else "all of its definitions"
