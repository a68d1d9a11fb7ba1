"""All classes of the program: where a reference to one leads, what each inherits, and which of them are open."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cached_property
from typing import Final

from guard.checks.classes_bases import (
    CALLED_BY_FIELDS,
    HARMLESS_DECORATORS,
    METACLASSES,
    OPENING_NAMES,
    PLAIN_BASES,
    TAKING_KEYWORDS,
    TRANSPARENT_BASES,
    brought_by,
)
from guard.checks.classes_facts import (
    AWAITED,
    RETURNED,
    UNKNOWN,
    Applied,
    ClassesFacts,
    Returning,
)
from guard.checks.classes_lineage import INSTALLED, Class, Lineage, Outside
from guard.checks.modules import Definition, External, Modules
from guard.checks.references import Ref
from guard.program import at_hand

_MOST_ANCESTORS: Final = 100
"""Classes with more are not judged: nobody writes them, and putting them in order takes the square of their number."""


_ACCESSORS: Final = frozenset({"__setattr__", "__getattribute__"})
"""Methods that stand between an attribute and what is assigned to it."""


class ClassTable:
    """Finds classes. `facts` holds the family's facts by path."""

    def __init__(self, facts: Mapping[str, ClassesFacts], modules: Modules) -> None:
        self.facts = facts
        """Of the files of the tree."""
        self.outside: Outside | None = None
        """Where bases are looked for that are not first-party, once somebody knows."""
        self._modules = modules
        self._in_file: dict[str, tuple[tuple[Class, ...], Mapping[str, Class | None]]] = {}
        self._returns: dict[str, dict[str, Returning | None]] = {}
        self._resolved: dict[tuple[str, int], Class | External | None] = {}
        self._lineages: dict[Class, Lineage] = {}
        self.remembered: dict[object, object] = {}
        """What a kind made of a class; for its own use only."""
        self._known: dict[Class, bool] = {}
        self._types: dict[tuple[Class, str, bool], Class | None] = {}
        self._names: dict[tuple[Class, bool], frozenset[str]] = {}
        self.is_open: Callable[[Class], bool] = lambda cls: False
        """Whether a class statement of some kind asks for attributes of any name; the kinds are not known here."""
        self.is_closed: Callable[[Class], bool] = lambda cls: False
        """Whether no instance, of subclasses neither, takes an attribute of any name that is not declared."""
        self._names_below: dict[tuple[Class, bool], frozenset[str] | None] = {}

    def resolve(self, path: str, ref: int) -> Class | External | None:
        """What a reference of a file is: a class of the program, something external, or not certain."""
        if ref == UNKNOWN:
            return None
        key = (path, ref)
        try:
            return self._resolved[key]
        except KeyError:
            found = self._resolved[key] = self._follow(path, self._refs(path)[ref])
            return found

    def _follow(self, path: str, ref: Ref) -> Class | External | None:
        if ref.module == "builtins":
            return External("builtins", ref.name)
        if ref.name.endswith((RETURNED, AWAITED)):
            made = self._classes_of(path)[1].get(ref.name) if ref.is_local else None
            return made or self._returned(path, ref)  # made by a call in the place of a base, or given by a function
        found = self._follow_outside(path, ref) if path.startswith(INSTALLED) else self._followed(path, ref)
        if isinstance(found, Definition):
            return self._classes_of(found.path)[1].get(found.name)
        return found

    def _classes_of(self, path: str) -> tuple[tuple[Class, ...], Mapping[str, Class | None]]:
        """The classes of a file, and those of them that have a name for themselves by it; None for the other names."""
        known = self._in_file.get(path)
        if known is None:
            facts = self.file(path)
            every = tuple([Class(path, header) for header in facts.classes]) if facts is not None else ()
            again = facts.again if facts is not None else ()
            named: dict[str, Class | None] = {}
            for cls in every:
                name = cls.header.name
                named[name] = None if name in named and name not in again else cls
            known = self._in_file[path] = (every, named)
        return known

    def _followed(self, path: str, ref: Ref) -> Definition | External | None:
        found = self._modules.follow(path, ref)
        if found is not None:
            replaced = (
                isinstance(found, Definition) and (found.path, found.name.partition(".")[0]) in self._modules.planted
            )
            return None if replaced else found
        last = self._modules.follow(path, ref, last=True)
        facts = self.facts.get(last.path) if isinstance(last, Definition) else None
        return last if facts is not None and facts.again and last.name in facts.again else None  # type: ignore[union-attr]

    def _follow_outside(self, path: str, ref: Ref) -> Definition | External | None:
        return self.outside.follow(path, ref) if self.outside is not None else None

    def file(self, path: str) -> ClassesFacts | None:
        """The facts of a file of the tree, or of a package."""
        if not path.startswith(INSTALLED):
            return self.facts.get(path)
        return self.outside.facts(path) if self.outside is not None else None

    def _refs(self, path: str) -> tuple[Ref, ...]:
        facts = self.file(path)
        return facts.refs if facts is not None else ()

    def base(self, path: str, ref: int) -> Class | External | None:
        """What a base in a class statement is; one of an installed package is read there, unless it is well known."""
        found = self.resolve(path, ref)
        if not isinstance(found, External) or self.outside is None or found.module in sys.stdlib_module_names:
            return found
        if found in PLAIN_BASES or found in TRANSPARENT_BASES or brought_by(found) is not None:
            return found
        defined = self.outside.definition(path, found)
        if defined is None:
            return found
        whole = External(_module_of(defined.path), defined.name)
        return whole if brought_by(whole) is not None else self._classes_of(defined.path)[1].get(defined.name) or found

    def _returned(self, path: str, ref: Ref) -> Class | External | None:
        """What a function returns, by its annotation."""
        awaited = ref.name.endswith(AWAITED)
        name = ref.name.removesuffix(AWAITED if awaited else RETURNED)
        found = self._modules.follow(path, Ref(ref.level, ref.module, name))
        if not isinstance(found, Definition):
            return None
        told = self._returns_of(found.path).get(found.name)
        where = found.path
        owner, _, method = found.name.rpartition(".")
        if told is None and owner:
            where, told = self._inherited_method(self._classes_of(found.path)[1].get(owner), method)
        if told is None or told.is_property or told.is_async is not awaited:
            return None
        return self.resolve(where, told.type)

    def _inherited_method(self, cls: Class | None, method: str) -> tuple[str, Returning | None]:
        for owner in self.lineage(cls).classes if cls is not None else ():
            if method in owner.bound:
                return owner.path, self._returns_of(owner.path).get(f"{owner.qualname}.{method}")
        return "", None

    def _returns_of(self, path: str) -> Mapping[str, Returning | None]:
        """The functions of a file that say what they return; None for a name that several have."""
        known = self._returns.get(path)
        if known is None:
            facts = self.file(path)
            known = self._returns[path] = {}
            for told in facts.returns if facts is not None else ():
                known[told.name] = None if told.name in known else told
        return known

    def stated_versions(self, distribution: str) -> Set[str]:
        """What the tree's requirements say of the version of a distribution."""
        return self._modules.layout.asked_for.versions(distribution)

    def all_classes(self) -> Iterator[Class]:
        """The classes of every file, by path."""
        for path in at_hand(self.facts):
            yield from self._classes_of(path)[0]

    def class_of(self, path: str, ref: int) -> Class | None:
        """`resolve` where only a class of the program is of use."""
        found = self.resolve(path, ref)
        return found if isinstance(found, Class) else None

    # Inheritance

    def lineage(self, cls: Class) -> Lineage:
        """What `cls` inherits from, in Python's order. Not complete for a class that would inherit from itself."""
        known = self._lineages.get(cls)
        if known is not None:
            return known
        # A stack, not recursion: a generated chain of classes may be longer than Python's own stack.
        waiting = [cls]
        opened: set[Class] = set()
        while waiting and cls not in self._lineages:
            one = waiting[-1]
            if one in self._lineages:
                waiting.pop()
                continue
            unknown = [
                base
                for ref in one.header.bases
                if isinstance(base := self.base(one.path, ref), Class) and base not in self._lineages
            ]
            if one in opened or not unknown:
                self._lineages[one] = self._joined(one)
                waiting.pop()
            else:
                opened.add(one)
                waiting += [base for base in unknown if base not in opened]
        return self._lineages[cls]

    def _joined(self, cls: Class) -> Lineage:
        """The lineage of a class whose bases have theirs, but for those that inherit from the class itself."""
        sequences: list[list[Class]] = []
        bases: list[Class] = []
        externals: dict[External, None] = {}
        complete = True
        for ref in cls.header.bases:
            base = self.base(cls.path, ref)
            if isinstance(base, Class):
                inherited = self._lineages.get(base) or Lineage((base,), (), False)
                complete = complete and inherited.complete and len(inherited.classes) < _MOST_ANCESTORS
                externals.update(dict.fromkeys(inherited.externals))
                sequences.append(list(inherited.classes[:_MOST_ANCESTORS]))
                bases.append(base)
            elif base is None:
                complete = False
            elif base not in TRANSPARENT_BASES:
                externals[base] = None
        merged = merge([*sequences, bases])
        return Lineage((cls, *(merged or ())), tuple(externals), complete and merged is not None)

    @cached_property
    def _children(self) -> Mapping[Class, tuple[Class, ...]]:
        children: dict[Class, list[Class]] = {}
        for cls in self.all_classes():
            for ref in cls.header.bases:
                base = self.class_of(cls.path, ref)
                if base is not None:
                    children.setdefault(base, []).append(cls)
        return {base: tuple(found) for base, found in children.items()}

    def descendants(self, cls: Class) -> Iterator[Class]:
        """Every class of the program that inherits from `cls`, each once."""
        seen = {cls}
        waiting = [cls]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child

    # Openness

    def metaclass_is_plain(self, lineage: Lineage) -> bool:
        """Whether calling the class does what `type.__call__` does."""
        return all(
            cls.facts.metaclass is None or self.resolve(cls.path, cls.facts.metaclass) in METACLASSES
            for cls in lineage.classes
        )

    def decorators_are_known(self, cls: Class) -> bool:
        """Whether every decorator of the class is one whose effect is known."""
        return all(self.resolve(cls.path, applied.ref) in HARMLESS_DECORATORS for applied in cls.facts.decorators)

    def decorator(self, cls: Class, decorator: External) -> Applied | None:
        """How `decorator` is applied to the class; None where it is not."""
        for applied in cls.facts.decorators:
            if self.resolve(cls.path, applied.ref) == decorator:
                return applied
        return None

    def has_known_attributes(self, cls: Class) -> bool:
        """Whether everything that an instance of exactly `cls` can have is written in the program's classes."""
        known = self._known.get(cls)
        if known is None:
            known = self._known[cls] = self._find_whether_known(cls)
        return known

    def _find_whether_known(self, cls: Class) -> bool:
        lineage = self.lineage(cls)
        return (
            lineage.complete
            and all(brought_by(base) is not None for base in lineage.externals)
            and self.metaclass_is_plain(lineage)
            and self.keywords_are_settings(lineage)
            and not any(
                c.facts.dynamic
                or self.is_opened(c)
                or not self.decorators_are_known(c)
                or not OPENING_NAMES.isdisjoint((*c.facts.names, *c.facts.assigned))
                or self.is_open(c)
                for c in lineage.classes
            )
        )

    def keywords_are_settings(self, lineage: Lineage) -> bool:
        """Whether keyword arguments of the class statements, where there are some, go to a base that is known."""
        return not any(cls.facts.keywords for cls in lineage.classes) or not TAKING_KEYWORDS.isdisjoint(
            lineage.externals
        )

    def is_called_plainly(self, cls: Class) -> bool:
        """Whether a call of `cls` hands its arguments to the first `__init__` of the lineage as they are, or to what a
        base that is known makes in its place."""
        lineage = self.lineage(cls)
        return (
            lineage.complete
            and all(base in PLAIN_BASES or base in CALLED_BY_FIELDS for base in lineage.externals)
            and self.metaclass_is_plain(lineage)
            and self.keywords_are_settings(lineage)
            and not any(
                not self.decorators_are_known(c)
                or "__new__" in c.facts.names
                or "__init_subclass__" in c.facts.names
                or not {"__init__", "__new__"}.isdisjoint(self.given(c))
                for c in lineage.classes
            )
        )

    # What other code does to instances and classes

    @cached_property
    def _writes(self) -> Mapping[tuple[Class, bool], frozenset[str]]:
        """By class, and whether the write is forced: the attributes that are given; `*` stands for any."""
        given: dict[tuple[Class, bool], set[str]] = {}
        for path, file in at_hand(self.facts).items():
            for write in file.writes:
                *leading, last = write.path.split(".")
                owner = self.class_of(path, write.type)
                for attribute in leading:
                    owner = None if owner is None else self.attribute_type(owner, attribute, exact=False)
                if owner is not None:
                    given.setdefault((owner, write.forced), set()).add("*" if write.opens else last)
        return {key: frozenset(names) for key, names in given.items()}

    def is_opened(self, cls: Class) -> bool:
        """Whether code somewhere gives its instances attributes whose names are not known."""
        return "*" in self.forced(cls) or ("*" in self.given(cls) and not self.is_closed(cls))

    def given(self, cls: Class) -> frozenset[str]:
        """Attributes that code outside the class's own methods assigns on the class or its instances."""
        return self._writes.get((cls, False), frozenset()) | self.forced(cls)

    def forced(self, cls: Class) -> frozenset[str]:
        """Those of them that the class cannot refuse: see `Write.forced`."""
        return self._writes.get((cls, True), frozenset())

    # Attributes

    def attribute_type(self, cls: Class, name: str, *, exact: bool) -> Class | None:
        """The class of what attribute `name` of an instance of `cls` holds; a subclass may be what is there.

        None where the class statements of the lineage, and without `exact` those of the subclasses, do not agree.
        """
        key = (cls, name, exact)
        if key not in self._types:
            self._types[key] = self._find_type(cls, name, exact=exact)
        return self._types[key]

    def _find_type(self, cls: Class, name: str, *, exact: bool) -> Class | None:
        found: Class | None = None
        related = self.lineage(cls).classes
        for owner in related if exact else (*related, *self.descendants(cls)):
            if not _ACCESSORS.isdisjoint(owner.bound):
                return None  # what is assigned need not be what is read
            field = owner.fields.get(name)
            if field is None and name in owner.bound:
                told = self._returns_of(owner.path).get(f"{owner.qualname}.{name}")
                held = self.class_of(owner.path, told.type) if told is not None and told.is_property else None
                if held is None or (found is not None and held is not found):
                    return None  # a method, a plain class attribute, a property that does not say what it gives
                found = held
                continue
            typed = owner.typed.get(name)
            if typed is None and name in owner.facts.assigned:
                return None  # whatever it is that is assigned
            for ref in (typed, field):
                if ref is None:
                    continue
                held = self.class_of(owner.path, ref)
                if held is None or (found is not None and held is not found):
                    return None
                found = held
        return found

    def attributes(self, cls: Class, *, given: bool = True) -> frozenset[str]:
        """Every attribute that the class statements and their methods give to instances of `cls`; with `given`, those
        of other code too."""
        key = (cls, given)
        found = self._names.get(key)
        if found is None:
            lineage = self.lineage(cls)
            found = self._names[key] = frozenset(
                name
                for owner in lineage.classes
                for names in (
                    owner.facts.names,
                    owner.facts.assigned,
                    (field.name for field in owner.facts.fields),
                    self.given(owner) if given else (),
                )
                for name in names
            ).union(*(brought_by(base) or () for base in lineage.externals))
        return found

    def inner(self, cls: Class, name: str) -> Class | None:
        """The class of that name in the body of `cls`."""
        return self._classes_of(cls.path)[1].get(f"{cls.qualname}.{name}")

    def is_plain_member(self, cls: Class, name: str) -> bool:
        """Whether a name of an enumeration is that of a member, and not of a method or of what a call makes of it."""
        for owner in self.lineage(cls).classes:
            made = next((field for field in owner.facts.fields if field.name == name), None)
            if made is not None:
                return made.maker is not None and self.resolve(owner.path, made.maker.ref) == External("enum", "auto")
            if name in owner.facts.names:
                return name in owner.facts.valued
        return False

    def _attributes_below(self, cls: Class, *, given: bool) -> frozenset[str] | None:
        """Every attribute of instances of subclasses; None where those of one of them are not all known."""
        key = (cls, given)
        if key not in self._names_below:
            # A subclass has what it inherits from its other bases too.
            children = tuple(self.descendants(cls))
            self._names_below[key] = (
                frozenset().union(*(self.attributes(child, given=given) for child in children))
                if all(map(self.has_known_attributes, children))
                else None
            )
        return self._names_below[key]

    def has_attribute(self, cls: Class, name: str, *, exact: bool, given: bool = True) -> bool:
        """Whether an instance of `cls` may have the attribute; without `exact`, one of a subclass too; with `given`,
        what other code gives it counts."""
        if name in self.attributes(cls, given=given) or (name.startswith("__") and name.endswith("__")):
            return True
        if exact:
            return False
        below = self._attributes_below(cls, given=given)
        return below is None or name in below


def _module_of(path: str) -> str:
    """The dotted module of an installed file, or of one of the tree."""
    inside = path.partition("/")[2]
    return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def merge(sequences: list[list[Class]]) -> list[Class] | None:
    """The C3 merge of the bases' own orders and the bases themselves; None where there is none (a TypeError)."""
    waiting = [list(sequence) for sequence in sequences if sequence]
    order: list[Class] = []
    while waiting:
        for sequence in waiting:
            head = sequence[0]
            if not any(head in other[1:] for other in waiting):
                break
        else:
            return None
        order.append(head)
        waiting = [rest for other in waiting if (rest := [c for c in other if c is not head])]
    return order
