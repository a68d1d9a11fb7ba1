"""What took the place of a definition that is gone: by name, by body, and by what its importers import now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.modules import Modules
from guard.history.commits import History, Step
from guard.history.contents import Contents
from guard.history.importers import Rewritten, rewritten
from guard.history.outline import Bound, likeness
from guard.history.past import Removal
from guard.where import Certainty, Replacement, Role, Where

_MOST_CHANGED: Final = 400
"""Files of one commit that are looked into."""
_MOST_ALIKE: Final = 40
"""Files of today's tree that hold the rarest words of the body."""
_ALIKE: Final = 0.5
"""Bodies that are less alike are not said to be."""
_CLEARLY: Final = 0.8


class Sign(msgspec.Struct, eq=False):
    """What speaks for one definition of today's tree."""

    bound: Bound
    likeness: float = 0.0
    same_commit: bool = False
    """The commit that removed the old one has added it."""
    importers: Rewritten | None = None
    through: tuple[str, ...] = ()
    """What lies between: later moves of what took the place first."""


class Signs:
    """Gathers what speaks for each definition of today's tree as the successor of one that is gone."""

    def __init__(
        self,
        modules: Modules,
        where: Where,
        history: History,
        contents: Contents,
        removal: Removal,
        step: Step,
        name: str,
        *,
        by_bodies: bool = False,
    ) -> None:
        """With `by_bodies`, what was imported in its stead is not looked for, nor its body under another name: that
        takes a search of whole trees."""
        assert removal.bound is not None
        self._modules = modules
        self._where = where
        self._history = history
        self._contents = contents
        self._removal = removal
        self._step = step
        self._name = name
        self._old = removal.bound
        self.found: dict[tuple[str, str], Sign] = {}
        self.vanished: dict[tuple[str, str], Sign] = {}
        """Definitions that the same commit added, and that are not in today's tree."""
        self._by_name()
        self._in_same_commit()
        if not by_bodies:
            self._by_importers()
            if not self._is_answered():
                self._by_words()

    def replacements(self, listed: dict[tuple[str, str], Replacement], origin: str) -> Iterator[Replacement]:
        """The definitions with their certainty. `listed` is what the tree alone says, by file and name."""
        ranked = sorted(self.found.items(), key=lambda item: self._weight(item[0], item[1], listed))
        for (path, name), sign in ranked:
            module = self._where.module_of(path, origin)
            if not module:
                continue
            known = listed.get((path, name))
            certainty = self._certainty(path, name, sign)
            if known is not None and known.certainty.rank < certainty.rank:
                certainty = known.certainty
            yield Replacement(
                certainty=certainty,
                module=module,
                name=name,
                kind=sign.bound.kind,
                path=path,
                line=sign.bound.line,
                reasons=(*self._reasons(name, sign), *_beside(known)),
            )

    def moved_on(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """What the same commit put in its place, by file, name and reasons, where that is not in today's tree."""
        for (path, name), sign in self.vanished.items():
            if sign.likeness >= _CLEARLY or (name == self._name and sign.bound.kind == self._old.kind):
                how = (
                    "the same body" if sign.likeness == 1.0 else "a similar body" if sign.likeness else "the same name"
                )
                yield path, name, (f"{name} of {path} came in the same commit, with {how}",)

    def _weight(
        self, key: tuple[str, str], sign: Sign, listed: dict[tuple[str, str], Replacement]
    ) -> tuple[object, ...]:
        """The order among definitions: what speaks most for itself first."""
        users = sign.importers.total if sign.importers is not None else 0
        same_name = key[1] == self._name
        place = list(listed).index(key) if key in listed else len(listed)
        return (
            -round(sign.likeness, 1) if sign.likeness >= _CLEARLY else 0,
            not (same_name and users > 1),
            -users if users > 1 else 0,
            sign.bound.kind != self._old.kind,
            not sign.same_commit,
            not same_name,
            place,
            key,
        )

    # What there is

    def _by_name(self) -> None:
        for place in self._where.places(self._name):
            if place.role is Role.DEFINITION and place.kind != "module":
                self._add(place.path, self._name)

    def _in_same_commit(self) -> None:
        words = [self._name.encode(), *(word.encode() for word in self._old.words)]
        for change in self._step.changes[:_MOST_CHANGED]:
            content = self._contents.get(change.new)
            if content is None or not any(word in content for word in words):
                continue
            had = {name for oid in change.old for name in self._contents.outline(oid).names}
            for name, bound in self._contents.outline(change.new).names.items():
                alike = self._likeness(bound)
                if name in had or bound.kind == "import" or not (name == self._name or alike >= _ALIKE):
                    continue
                if self._contents.binds(self._contents.today(change.path), name):
                    self._add(change.path, name, same_commit=True)
                else:
                    self.vanished[change.path, name] = Sign(bound, alike, True)

    def _is_answered(self) -> bool:
        """Whether something stands in its place already, so that there is no need to look for the body everywhere."""
        signs = (*self.found.values(), *self.vanished.values())
        return any(sign.likeness >= _CLEARLY or sign.same_commit for sign in signs) or any(
            self._certainty(path, name, sign) is not Certainty.POSSIBLE for (path, name), sign in self.found.items()
        )

    def _by_words(self) -> None:
        """Definitions under any name, in files that hold the rarest words of the old one's body."""
        if not self._old.is_telling or not self._old.words:
            return
        for path in self._history.holding(self._history.head, self._old.words)[:_MOST_ALIKE]:
            for name, bound in self._contents.outline(self._contents.today(path)).names.items():
                if self._likeness(bound) >= _ALIKE:
                    self._add(path, name)

    def _by_importers(self) -> None:
        led = rewritten(self._modules, self._history, self._contents, self._step, self._removal, self._name)
        for (path, name), counted in led.items():
            sign = self._add(path, name.partition(".")[0])
            if sign is not None:
                sign.importers = counted

    def _add(self, path: str, name: str, *, same_commit: bool = False) -> Sign | None:
        bound = self._contents.outline(self._contents.today(path)).names.get(name)
        if bound is None:
            return None
        sign = self.found.get((path, name))
        if sign is None:
            sign = self.found[path, name] = Sign(bound, self._likeness(bound))
        sign.same_commit = sign.same_commit or same_commit
        return sign

    def _likeness(self, bound: Bound) -> float:
        return likeness(self._old, bound) if self._old.is_telling else 0.0

    # How sure that makes it

    def _certainty(self, path: str, name: str, sign: Sign) -> Certainty:
        if self._where.is_test(path) and not self._where.is_test(self._removal.path):
            return Certainty.POSSIBLE
        same_name, same_kind = name == self._name, sign.bound.kind == self._old.kind
        users = sign.importers.total if sign.importers is not None else 0
        at_once = sign.importers.same_commit if sign.importers is not None else 0
        elsewhere = sum(
            other.importers.total for other in self.found.values() if other is not sign and other.importers is not None
        )
        first = not any(
            other.likeness >= min(sign.likeness, _CLEARLY)
            for key, other in self.found.items()
            if other is not sign and not self._where.is_test(key[0])
        )
        if first and sign.likeness == 1.0 and (same_name or sign.same_commit):
            return Certainty.CERTAIN
        if first and sign.likeness >= _CLEARLY and sign.same_commit and (same_name or at_once):
            return Certainty.CERTAIN
        if same_name and same_kind and users >= 3 and not elsewhere and (at_once or sign.same_commit):
            return Certainty.CERTAIN
        if sign.likeness >= 0.6 and (same_name or sign.same_commit or users or first):
            return Certainty.LIKELY
        if same_name and same_kind and (sign.same_commit or users > min(elsewhere, 1)):
            return Certainty.LIKELY
        if users >= 2 and users > elsewhere and same_kind:
            return Certainty.LIKELY
        return Certainty.POSSIBLE

    def _reasons(self, name: str, sign: Sign) -> Iterator[str]:
        if sign.likeness == 1.0:
            yield "same body"
        elif sign.likeness >= _ALIKE:
            yield f"{sign.likeness:.2f} similar body"
        if name == self._name:
            yield "same name, same kind" if sign.bound.kind == self._old.kind else "same name, another kind"
        elif sign.bound.kind != self._old.kind:
            yield f"a {sign.bound.kind}, where the old one was a {self._old.kind}"
        if sign.same_commit:
            yield "added by the same commit"
        if sign.importers is not None:
            at_once, later = sign.importers.same_commit, sign.importers.later
            how = "under the new name" if sign.importers.renamed else "from there"
            if at_once:
                yield f"the same commit made {_files(at_once)} import it {how}"
            if later:
                yield f"{_files(later)} that imported the old one {'import' if later > 1 else 'imports'} it {how} today"


def _beside(known: Replacement | None) -> tuple[str, ...]:
    """What the tree has to say of a definition besides that it has the name, or one like it."""
    reasons = known.reasons if known is not None else ()
    return tuple(reason for reason in reasons if reason != "same name" and not reason.startswith("a similar name"))


def _files(number: int) -> str:
    return f"{number:,} file{'s' if number > 1 else ''}"
