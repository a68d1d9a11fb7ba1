"""Which file an import means: packages, modules, namespace folders, and the source roots that hold for a file.

Roots are found, not configured. An absolute import is looked for in every folder above the file, in the folders
that declare themselves source roots, and in the ones that files put on `sys.path`; it is *found* when one of them
has it. It is *missing* only when a root that certainly holds for the file has its first part, and none has the
whole. Everything else is not known to be first-party, and guard says nothing of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.asked_for import AskedFor
from guard.checks.builds import Builds
from guard.checks.built_modules import built_modules
from guard.checks.module_facts import ModuleFacts
from guard.checks.roots import Roots, parent_of

if TYPE_CHECKING:
    from guard.checks.whole import Whole
    from guard.sources.tree import Tree


class Target(msgspec.Struct, frozen=True):
    """What a dotted name leads to. `path` is a file, except for a namespace: there it is the folder."""

    kind: str
    """`package`, `module`, `namespace`, or `unknown`: something is there, or will be, that cannot be read."""
    path: str


class Missing(msgspec.Struct, frozen=True):
    """A dotted name that leads nowhere: its first `index` parts lead to `parent`, the next one is not there."""

    parent: Target
    index: int


class Resolution(msgspec.Struct, frozen=True):
    """The answer for one import: where it may lead, best first; or what is missing; or neither: not first-party."""

    targets: tuple[Target, ...] = ()
    missing: Missing | None = None
    doubtful: bool = False
    """Another module of that name may win: the standard library's, or an installed one where the folder that has
    this one is itself a package, and so no root for most who import."""
    roots: tuple[str, ...] = ()
    """The roots of the file itself below which an absolute import is found."""

    @property
    def unknown(self) -> bool:
        """Whether some target cannot be read, so that nothing can be said of its names."""
        return any(target.kind == "unknown" for target in self.targets)


EXTERNAL: Final = Resolution()
_UNKNOWN: Final = Target("unknown", "")


class _Origin:
    """The files that have the same roots, and what their imports lead to."""

    __slots__ = ("answers", "certain", "roots", "roots_with")

    def __init__(self, certain: tuple[str, ...], possible: tuple[str, ...]) -> None:
        self.certain = certain
        self.roots = (*possible, *certain)
        """In the order in which they are looked into."""
        self.roots_with: dict[str, tuple[str, ...]] = {}
        """Those of them that have something of a name."""
        self.answers: dict[str | tuple[int, str], Resolution] = {}
        """By module, and by dots and module for relative imports."""


class Layout:
    """The folders of one tree as Python's import system would see them."""

    def __init__(
        self,
        tree: Tree,
        modules: Mapping[str, ModuleFacts],
        roots: tuple[str, ...],
        whole: Whole | None = None,
        hollow: frozenset[str] = frozenset(),
    ) -> None:
        """`whole` says what would be computed from `modules`, where those are not all. `hollow` names empty
        `__init__.py` that say that what is not in their folder is nowhere, and nothing else; the tree has none."""
        self._tree = tree
        self._modules = modules
        self._hollow = hollow
        # What could not be read, and what is excluded, is there to be imported, whatever it binds.
        self.files = hollow.union(
            path for path, file in tree.files.items() if path.endswith((".py", ".pyi")) and not file.is_link
        )
        self.packages = frozenset(
            parent_of(path) for path in tree.named(("__init__.py", "__init__.pyi")) if path in self.files
        )
        """The folders that are packages, and so no roots for most who import."""
        self.folders = _with_parents(parent_of(path) for path in tree.files)
        """Every folder: one without any Python can be imported too, as an empty namespace package."""
        self.asked_for = AskedFor(tree)
        self.builds = Builds(tree)
        self._built = built_modules(tree.files)
        self._links = frozenset(path for path, file in tree.files.items() if file.is_link)
        self._unread = {*tree.submodules, *(problem.path for problem in tree.problems)} - tree.files.keys()
        self._whole = whole
        self.roots = Roots(tree, modules, self.folders, self.packages, roots, whole)
        self._steps: dict[tuple[str, str], Target | None] = {}
        self._origins: dict[str, _Origin] = {}
        self._by_roots: dict[tuple[str, tuple[str, ...]], _Origin] = {}
        self._found: dict[tuple[tuple[str, ...], str], Resolution | None] = {}

    # One step down

    def step(self, folder: str, name: str) -> Target | None:
        """What `name` is in `folder`, by Python's order: regular package, extension, module, namespace folder."""
        key = (folder, name)
        if key in self._steps:
            return self._steps[key]
        found = self._steps[key] = self._step(f"{folder}/{name}" if folder else name)
        return found

    def _step(self, path: str) -> Target | None:
        init = f"{path}/__init__.py"
        hollow = init in self._hollow
        for kind, suffix in (("package", "/__init__.py"), ("package", "/__init__.pyi"), ("module", ".py")):
            if path + suffix in self.files and path + suffix not in self._hollow:
                # What is neither in the module nor in the folder's empty `__init__.py` is nowhere.
                return Target(kind, init if hollow else path + suffix)
        if path in self._built or path in self._links or f"{path}.py" in self._links or self._is_unread(path):
            return Target("unknown", path)
        if path + ".pyi" in self.files:
            # A stub of what is compiled says what its author thought of, not all that the extension binds.
            return Target("unknown", path)
        if path in self.folders:
            return Target("package", init) if hollow else Target("namespace", path)
        return None

    def is_regular(self, target: Target) -> bool:
        """Whether a target is more than a folder that may be a package by its name alone."""
        return target.kind != "namespace" and target.path not in self._hollow

    def _is_unread(self, path: str) -> bool:
        """Whether a module may well be there: in a submodule, in a folder or a file that could not be read."""
        return bool(self._unread) and any(
            path == unread or path.startswith(unread + "/") or unread in (f"{path}.py", f"{path}/__init__.py")
            for unread in self._unread
        )

    def descend(self, folder: str, parts: list[str]) -> Target | Missing:
        """Follow dotted `parts` down from `folder`."""
        target = Target("namespace", folder)
        for index, name in enumerate(parts):
            below = self.folder_of(target)
            found = self.step(below, name) if below is not None else None
            if found is None:
                if self._may_appear(target, below, name):
                    return _UNKNOWN
                return Missing(target, index)
            if found.kind == "unknown":
                return found
            target = found
        return target

    @staticmethod
    def folder_of(target: Target) -> str | None:
        """The folder in which a target's submodules are; None for a module, which has none."""
        if target.kind == "namespace":
            return target.path
        return parent_of(target.path) if target.kind == "package" else None

    def _may_appear(self, parent: Target, folder: str | None, name: str) -> bool:
        """Whether a module that is not in the tree may be there when the code runs."""
        facts = self._modules.get(parent.path)
        if facts is not None and (
            facts.extends_path or facts.open.startswith("sys.modules") or (folder is None and facts.open)
        ):
            return True
        if facts is None and parent.kind != "namespace":
            return True  # the parent could not be parsed: nothing is known of it
        if folder is None:
            return False
        if self.builds.may_make(name) or (name.startswith("_") and folder in self.builds.compiled):
            return True
        return self.builds.makes_extensions_in(folder)

    def holders_of(self, name: str) -> frozenset[str] | set[str]:
        """The folders in which a name is something that can be imported, whoever has them as a root."""
        return self._holders.get(name, frozenset())

    def is_imported_from_above(self, folder: str) -> bool:
        """Whether imports of the tree lead through a folder, as they do through a package without `__init__.py`."""
        while folder:
            root, _, name = folder.rpartition("/")
            if (root, name) in self.used:
                return True
            folder = root
        return False

    # Resolution

    def resolve(self, path: str, level: int, module: str) -> Resolution:
        """Where an import in the file `path` leads. `level` counts the dots; -1 and 0 are absolute."""
        origin = self._origins.get(path) or self._origin_of(path)
        key = module if level <= 0 else (level, module)
        found = origin.answers.get(key)
        if found is None:
            if level > 0:
                found = self._resolve_relative(path, level, module)
            else:
                found = self._find(origin, module) or self._resolve_missing(origin, module)
            origin.answers[key] = found
        return found

    def find(self, path: str, module: str) -> Resolution | None:
        """What an absolute import in the file `path` finds: a quick answer for those who do not ask, where it finds
        nothing, whether the module is certainly missing."""
        origin = self._origins.get(path) or self._origin_of(path)
        return origin.answers.get(module) or self._find(origin, module)

    def _origin_of(self, path: str) -> _Origin:
        key = (parent_of(path), self.roots.own(path))
        origin = self._by_roots.get(key)
        if origin is None:
            origin = self._by_roots[key] = _Origin(*self.roots.of(path))
        self._origins[path] = origin
        return origin

    def climbs_out(self, path: str, level: int) -> bool:
        """Whether a relative import leaves the tree's top folder, so that no package can hold it."""
        folder = parent_of(path)
        depth = folder.count("/") + 1 if folder else 0
        if level - 1 > depth:
            return True
        return level - 1 == depth and "" not in self.packages and self._tree.kind != "directory"

    def _resolve_relative(self, path: str, level: int, module: str) -> Resolution:
        folder = parent_of(path)
        for _ in range(level - 1):
            if not folder:
                return EXTERNAL
            folder = parent_of(folder)
        base = self._package_at(folder)
        if not module:
            return Resolution((base,))
        below = self._descend_from(base, module.split("."))
        return Resolution(missing=below) if isinstance(below, Missing) else Resolution((below,))

    def _package_at(self, folder: str) -> Target:
        for name in ("__init__.py", "__init__.pyi"):
            init = f"{folder}/{name}" if folder else name
            if init in self.files:
                return Target("package", init)
        return Target("namespace", folder)

    def _descend_from(self, base: Target, parts: list[str]) -> Target | Missing:
        folder = self.folder_of(base) or ""
        below = self.descend(folder, parts)
        if isinstance(below, Missing) and below.index == 0:
            return _UNKNOWN if self._may_appear(base, folder, parts[0]) else Missing(base, 0)
        return below

    def _find(self, origin: _Origin, module: str) -> Resolution | None:
        """What an absolute import finds; `EXTERNAL` where no folder has its first part, None where it finds nothing."""
        top = module.partition(".")[0]
        if top not in self._holders and not self._opaque:
            return EXTERNAL
        roots = origin.roots_with.get(top)
        if roots is None:
            holders = self._opaque.union(self._holders.get(top, ())) if self._opaque else self._holders[top]
            roots = origin.roots_with[top] = tuple(root for root in origin.roots if root in holders)
        key = (roots, module)
        if key not in self._found:
            self._found[key] = self._search(roots, module.split("."))
        found = self._found[key]
        if found is None or not found.roots or not self._is_hidden(origin, found.roots, top):
            return found
        return msgspec.structs.replace(found, doubtful=True)

    def _is_hidden(self, origin: _Origin, roots: tuple[str, ...], top: str) -> bool:
        """Whether all that these roots have of a name is a folder without `__init__.py`, none of them certainly holds,
        and somebody has a root with a real module of that name: it wins, in whatever order they are looked into."""
        return all(root not in origin.certain and self._has_only_folder(root, top) for root in roots) and any(
            root in holders and not self._has_only_folder(root, top)
            for holders in (self._holders.get(top, frozenset()),)
            for root in self.roots.anybody
        )

    def _has_only_folder(self, root: str, name: str) -> bool:
        found = self.step(root, name)
        return found is not None and not self.is_regular(found)

    @cached_property
    def _holders(self) -> Mapping[str, frozenset[str] | set[str]]:
        """By name, the folders in which it is something that can be imported."""
        found: dict[str, set[str]] = {}
        for path in (
            *(file.removesuffix("i").removesuffix(".py") for file in self.files),
            *self.folders,
            *self._built,
            *self._links,
            *(link.removesuffix(".py") for link in self._links),
            *(path.removesuffix(".py").removesuffix("/__init__") for path in self._unread),
        ):
            folder, _, name = path.rpartition("/")
            found.setdefault(name, set()).add(folder)
        return found

    def is_nowhere(self, module: str) -> bool:
        """Whether an absolute import of `module` is of nothing in the tree, whoever imports it."""
        return module.partition(".")[0] not in self._holders and not self._opaque

    @cached_property
    def _opaque(self) -> frozenset[str]:
        """The roots that another repository holds, or that could not be read: any name may be there."""
        return frozenset(filter(self._is_unread, self.roots.anybody)) if self._unread else frozenset()

    def _search(self, roots: Iterable[str], parts: list[str]) -> Resolution | None:
        """Look for a dotted name below the roots that have its first part, then below those of anybody."""
        top = parts[0]
        targets: dict[Target, None] = {}
        having: dict[str, None] = {}
        sure: list[Target] = []
        for root in roots:
            found = self.descend(root, parts)
            if isinstance(found, Target):
                targets[found] = None
                having[root] = None
                if top not in sys.stdlib_module_names and not self.is_within_package(root):
                    sure.append(found)
        if targets:
            # A folder without `__init__.py` does not speak for a module of that name: the module wins, wherever it is.
            regular = any(map(self.is_regular, targets))
            doubtful = not any(self.is_regular(target) or not regular for target in sure)
            return Resolution(tuple(targets), doubtful=doubtful, roots=tuple(having))
        holders = self._holders.get(top, frozenset())
        for root in self.roots.anybody:
            if (root in holders or root in self._opaque) and self.step(root, top) is not None:
                found = self.descend(root, parts)
                if isinstance(found, Target):
                    return Resolution((found,), doubtful=True)
        return None

    def is_within_package(self, root: str) -> bool:
        """Whether the folder is a package, or one below a package that nobody declares to be a root."""
        if root in self.packages or root in self.roots.anybody:
            return root in self.packages
        return self.is_below_package(root)

    def is_below_package(self, path: str) -> bool:
        """Whether a folder above a file or a folder is a package."""
        while path:
            path = parent_of(path)
            if path in self.packages:
                return True
        return False

    def means_namesake(self, path: str, module: str, resolution: Resolution) -> bool:
        """Whether what an absolute import leads to is only a namesake of an installed module, which is meant.

        So it is where it is found only below a folder that nobody is known to have as a root, and by nobody else: the
        package that the import stands in (`examples/redis/app.py` asks for `redis`), or something in a folder without
        `__init__.py` that is imported as a package itself (`app/net/client.py` asks for `dns`, and there is `app/dns`).
        """
        top, folder = module.partition(".")[0], parent_of(path)
        certain = (self._origins.get(path) or self._origin_of(path)).certain
        if any(root in certain or (root, top) in self.used for root in resolution.roots):
            return False
        inside = f"{folder}/"
        if all(t.kind == "package" and inside.startswith(f"{parent_of(t.path)}/") for t in resolution.targets):
            return True
        facts = self._modules.get(path)
        if folder in resolution.roots and (
            (facts is not None and facts.main) or any(target.path == path for target in resolution.targets)
        ):
            return False  # whoever runs the file as a script has its folder as a root
        return bool(resolution.roots) and all(map(self.is_imported_from_above, resolution.roots))

    def _resolve_missing(self, origin: _Origin, module: str) -> Resolution:
        """The answer for an absolute import that finds nothing: what is missing, or that it is not first-party."""
        parts = module.split(".")
        for root in origin.roots_with[parts[0]]:
            found = self.descend(root, parts)
            certain = root in origin.certain
            if isinstance(found, Missing) and self._certainly_missing(root, certain, parts[0], found):
                return Resolution(missing=found)
        return EXTERNAL

    def _certainly_missing(self, root: str, certain: bool, top: str, missing: Missing) -> bool:
        """Whether what is not below this root is nowhere."""
        first = self.step(root, top)
        if first is None or first.kind == "unknown" or top in sys.stdlib_module_names:
            return False
        if self._ours_by_depth(root, certain, top, missing):
            return True
        if root in self.packages:
            return False  # the folder is a package itself: nearly nobody has it as a root
        used = (root, top) in self.used
        if missing.parent.kind == "namespace":
            # Below a folder without __init__.py other distributions may have modules too.
            return used and certain and not self.asked_for.shares(top)
        if first.kind == "namespace":
            return used and (certain or not self.asked_for.shares(top))
        if self.asked_for.shares(top):
            return used
        return certain or used

    @cached_property
    def used(self) -> frozenset[tuple[str, str]]:
        """The roots through which imports of the tree lead to something below a top-level name, with that name."""
        if self._whole is not None:
            return self._whole.used
        asked: dict[_Origin, set[str]] = {}
        for path, facts in self._modules.items():
            names = asked.setdefault(self._origin_of(path), set())
            for statement in facts.imports:
                if statement.level == 0:
                    names.add(statement.module)
                elif statement.level < 0:
                    names.update([alias.name for alias in statement.aliases])
        used: set[tuple[str, str]] = set()
        for origin, names in asked.items():
            for name in names:
                top, dot, _ = name.partition(".")
                if dot and (found := origin.answers.get(name) or self._find(origin, name)) is not None:
                    origin.answers[name] = found
                    used.update([(root, top) for root in found.roots])
        return frozenset(used)

    def _ours_by_depth(self, root: str, certain: bool, top: str, missing: Missing) -> bool:
        """Whether a name that nobody imports anything by is ours all the same: two parts of it are there.

        An installed package of that name could have the rest. So the tree must say what it asks for, and that must not
        look like the name; and the folder must be one that somebody has as a root, or hold Python at all.
        """
        if missing.index < 2 or not self.asked_for or self.asked_for.shares(top) or self.asked_for.sounds_like(top):
            return False
        if root in self.packages:
            return missing.parent.kind == "package" and root in self.roots.anybody
        return certain and self.holds_python(f"{root}/{top}" if root else top)

    def holds_python(self, folder: str) -> bool:
        """Whether a Python file or a stub is in the folder, or below it."""
        return folder in self._with_python

    @cached_property
    def _with_python(self) -> frozenset[str]:
        return _with_parents(parent_of(path) for path in self.files)


def _with_parents(folders: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for folder in folders:
        while folder not in found:
            found.add(folder)
            folder = parent_of(folder)
    return frozenset(found)
