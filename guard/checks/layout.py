"""Which file an import means: packages, modules, namespace folders, and the source roots that hold for a file.

Roots are found, not configured. An absolute import is looked for in every folder above the file, in the folders
that declare themselves source roots, and in the ones that files put on `sys.path`; it is *found* when one of them
has it. It is *missing* only when a root that certainly holds for the file has its first part, and none has the
whole. Everything else is not known to be first-party, and guard says nothing of it.
"""

from __future__ import annotations

import configparser
import dataclasses
import posixpath
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from guard.checks.module_facts import ModuleFacts
from guard.checks.requirements import is_requirements_file, normal, required

if TYPE_CHECKING:
    from guard.sources.tree import Tree


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a dotted name leads to. `path` is a file, except for a namespace: there it is the folder."""

    kind: str
    """`package`, `module`, `namespace`, or `unknown`: something is there, or will be, that cannot be read."""
    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """A dotted name that leads nowhere: its first `index` parts lead to `parent`, the next one is not there."""

    parent: Target
    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class Resolution:
    """The answer for one import: where it may lead, best first; or what is missing; or neither: not first-party."""

    targets: tuple[Target, ...] = ()
    missing: Missing | None = None
    doubtful: bool = False
    """Another module of that name may win: the standard library's, or an installed one where the folder that has
    this one is itself a package, and so no root for most who import."""

    @property
    def unknown(self) -> bool:
        """Whether some target cannot be read, so that nothing can be said of its names."""
        return any(target.kind == "unknown" for target in self.targets)


EXTERNAL: Final = Resolution()
_UNKNOWN: Final = Target("unknown", "")

# A file that a build turns into a module of the same name.
_BUILT_FROM: Final = re.compile(
    r"^(?P<stem>[^.]+)(\.[\w-]+)*\.(so|pyd|dll|dylib|pyx|pxd|pyx\.tp|pyx\.in|c|cc|cpp|cxx|m|mm|rs|f|f90|i|proto)$"
)
_BUILT_TEMPLATE: Final = re.compile(r"^(?P<stem>\w+)\.py\.(in|tp|tmpl|template|j2|jinja|jinja2|mako|src|tpl)$")
_BUILD_FILES: Final = frozenset({"meson.build", "CMakeLists.txt", "Cargo.toml", "build.rs", "SConstruct", "wscript"})
_PROJECT_FILES: Final = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_EXTENSION_WORDS: Final = re.compile(
    rb"ext_modules|Extension\(|cythonize|cffi_modules|maturin|setuptools_rust|setuptools-rust|mypycify|meson-python|"
    rb"scikit-build|hatch-cython|mypyc"
)
_MENTIONS: Final = re.compile(rb"([\w-]+)\.pyi?\b")
_MENTIONING: Final = (
    _PROJECT_FILES | _BUILD_FILES | {".gitignore", "MANIFEST.in", "Makefile", "hatch_build.py", "build.py"}
)


class Layout:
    """The folders of one tree as Python's import system would see them."""

    def __init__(
        self, tree: Tree, python: Iterable[str], modules: Mapping[str, ModuleFacts], roots: tuple[str, ...]
    ) -> None:
        self._tree = tree
        self._modules = modules
        self.files = frozenset(path for path in python if path.endswith((".py", ".pyi")))
        self.packages = frozenset(
            parent_of(path) for path in self.files if posixpath.basename(path) in ("__init__.py", "__init__.pyi")
        )
        self.folders = _with_parents(parent_of(path) for path in tree.files)
        """Every folder: one without any Python can be imported too, as an empty namespace package."""
        self._built = _built(tree.files)
        self._links = frozenset(path for path, file in tree.files.items() if file.is_link)
        self._unread = {*tree.submodules, *(problem.path for problem in tree.problems)} - tree.files.keys()
        self._configured = roots
        self._resolved: dict[tuple[str, tuple[str, ...], str], Resolution] = {}
        self._steps: dict[tuple[str, str], Target | None] = {}
        self._roots: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self.used: dict[tuple[str, str], int] = {}
        """How often an import led through a root and its top-level name to something below that name."""

    # One step down

    def step(self, folder: str, name: str) -> Target | None:
        """What `name` is in `folder`, by Python's order: regular package, extension, module, namespace folder."""
        key = (folder, name)
        if key in self._steps:
            return self._steps[key]
        found = self._steps[key] = self._step(f"{folder}/{name}" if folder else name)
        return found

    def _step(self, path: str) -> Target | None:
        for kind, suffix in (("package", "/__init__.py"), ("package", "/__init__.pyi"), ("module", ".py")):
            if path + suffix in self.files:
                return Target(kind, path + suffix)
        if path in self._built or path in self._links or f"{path}.py" in self._links or self._is_unread(path):
            # A stub beside an extension says what its author thought of, not all that the extension binds.
            return Target("unknown", path)
        if path + ".pyi" in self.files:
            return Target("module", path + ".pyi")
        if path in self.folders:
            return Target("namespace", path)
        return None

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
        if name in self._generated or name.endswith(("_pb2", "_pb2_grpc")):
            return True
        return any(folder == built or folder.startswith(built + "/") or not built for built in self._builds_extensions)

    @cached_property
    def _generated(self) -> frozenset[str]:
        """Module names that a build file or an ignore file names: made later, so not missing."""
        names: set[str] = set()
        wanted = [path for path in self._tree.files if posixpath.basename(path) in _MENTIONING]
        for _, content in self._tree.read_many(wanted, 1 << 20):
            names.update(name.decode("ascii", "replace") for name in _MENTIONS.findall(content))
        return frozenset(names)

    @cached_property
    def _builds_extensions(self) -> frozenset[str]:
        """Folders of projects whose build compiles extension modules."""
        found = {
            parent_of(path)
            for path in self._tree.files
            if posixpath.basename(path) in ("meson.build", "CMakeLists.txt")
        }
        wanted = [path for path in self._tree.files if posixpath.basename(path) in _PROJECT_FILES]
        found.update(
            parent_of(path)
            for path, content in self._tree.read_many(wanted, 1 << 20)
            if _EXTENSION_WORDS.search(content)
        )
        return frozenset(found)

    # Roots

    @cached_property
    def strong_roots(self) -> frozenset[str]:
        """Folders that are certainly import roots for the files below them (and, for `src`, beside them)."""
        found = {"", *self._configured}
        for path in self._tree.files:
            folder, name = posixpath.split(path)
            if name in _PROJECT_FILES:
                found.add(folder)
        for folder in tuple(found):
            for source in ("src", "lib"):
                candidate = f"{folder}/{source}" if folder else source
                if candidate in self.folders and candidate not in self.packages:
                    found.add(candidate)
        return frozenset(found)

    @cached_property
    def _declared(self) -> Mapping[str, tuple[str, ...]]:
        """Roots that a project's configuration names, by the project's folder."""
        found: dict[str, tuple[str, ...]] = {}
        names = ("pyproject.toml", "setup.cfg", "pytest.ini", "tox.ini")
        wanted = [path for path in self._tree.files if posixpath.basename(path) in names]
        for path, content in self._tree.read_many(wanted, 1 << 20):
            folder, name = posixpath.split(path)
            roots = _roots_in_toml(content) if name == "pyproject.toml" else _roots_in_ini(content)
            inside = tuple(root for value in roots if (root := _join(folder, value)) is not None)
            found[folder] = (*found.get(folder, ()), *inside)
        return found

    @cached_property
    def _on_sys_path(self) -> Mapping[str, tuple[str, ...]]:
        """The folders that each file puts on `sys.path`, those of the tree."""
        found: dict[str, tuple[str, ...]] = {}
        for path, facts in self._modules.items():
            roots = []
            for entry in facts.sys_path:
                if entry.up == 0:
                    continue
                base = parent_of(path)
                for _ in range(entry.up - 1):
                    base = parent_of(base)
                roots.append(_join(base if entry.up > 0 else "", entry.rest))
                if entry.up < 0:
                    roots.append(_join(parent_of(path), entry.rest))
            if roots:
                found[path] = tuple(dict.fromkeys(root for root in roots if root is not None))
        return found

    @cached_property
    def _anybody(self) -> tuple[str, ...]:
        """Every root that some file or configuration declares: good for finding a module, never for missing one."""
        every = [root for roots in (*self._on_sys_path.values(), *self._declared.values()) for root in roots]
        return tuple(dict.fromkeys((*every, *sorted(self.strong_roots))))

    def roots_of(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The roots that certainly hold for a file, and those that may, nearest first."""
        folder = parent_of(path)
        found = self._roots.get(folder)
        if found is None:
            found = self._roots[folder] = self._roots_above(folder)
        own = self._on_sys_path.get(path)
        return (tuple(dict.fromkeys((*own, *found[0]))), found[1]) if own else found

    def _roots_above(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        certain: list[str] = []
        possible: list[str] = []
        while True:
            (certain if folder in self.strong_roots and folder not in self.packages else possible).append(folder)
            certain.extend(self._declared.get(folder, ()))
            certain.extend(self._on_sys_path.get(f"{folder}/conftest.py" if folder else "conftest.py", ()))
            for source in ("src", "lib"):
                candidate = f"{folder}/{source}" if folder else source
                if candidate in self.strong_roots:
                    certain.append(candidate)
            if not folder:
                break
            folder = parent_of(folder)
        return tuple(dict.fromkeys(certain)), tuple(dict.fromkeys(possible))

    @cached_property
    def _distributions(self) -> tuple[frozenset[str], frozenset[str]]:
        """Normalised names of the distributions that the tree's projects ask for, and of the projects."""
        asked: set[str] = set()
        own: set[str] = set()
        wanted = [path for path in self._tree.files if is_requirements_file(path)]
        for path, content in self._tree.read_many(wanted, 1 << 20):
            found = required(path, content)
            asked |= found[0]
            own |= found[1]
        return frozenset(asked - own), frozenset(own)

    def _shared_namespace(self, name: str) -> bool:
        """Whether other distributions put modules below this top-level folder, as `google` and `azure` have it."""
        asked, own = self._distributions
        top = normal(name)
        return top in asked or any(one.startswith(top + "-") for one in (*asked, *own))

    # Resolution

    def resolve(self, path: str, level: int, module: str) -> Resolution:
        """Where an import in the file `path` leads. `level` counts the dots; -1 and 0 are absolute."""
        if level > 0:
            return self._resolve_relative(path, level, module)
        own = self._on_sys_path.get(path, ())
        key = (parent_of(path), own, module)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._resolve_absolute(path, module.split("."))
        return found

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
        key = (folder, ("",), module)
        found = self._resolved.get(key)
        if found is None:
            below = self._descend_from(base, module.split("."))
            found = Resolution(missing=below) if isinstance(below, Missing) else Resolution((below,))
            self._resolved[key] = found
        return found

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

    def _resolve_absolute(self, path: str, parts: list[str]) -> Resolution:
        top = parts[0]
        certain, possible = self.roots_of(path)
        targets: list[Target] = []
        missing: Missing | None = None
        doubtful = True
        for root in (*possible, *certain):
            if self.step(root, top) is None:
                continue
            found = self.descend(root, parts)
            if isinstance(found, Target):
                targets.append(found)
                doubtful = doubtful and (root in self.packages or top in sys.stdlib_module_names)
                if len(parts) > 1:
                    self.used[root, top] = self.used.get((root, top), 0) + 1
            elif missing is None and self._certainly_missing(root, root in certain, top, found):
                missing = found
        if targets:
            return Resolution(tuple(dict.fromkeys(targets)), doubtful=doubtful)
        for root in self._anybody:
            if self.step(root, top) is not None:
                found = self.descend(root, parts)
                if isinstance(found, Target):
                    return Resolution((found,), doubtful=True)
        return Resolution(missing=missing) if missing is not None else EXTERNAL

    def _certainly_missing(self, root: str, certain: bool, top: str, missing: Missing) -> bool:
        """Whether what is not below this root is nowhere. Asked once `used` is complete; see `Modules`."""
        first = self.step(root, top)
        if first is None or first.kind == "unknown" or top in sys.stdlib_module_names:
            return False
        if root in self.packages:
            return False  # the folder is a package itself: nearly nobody has it as a root
        used = self.used.get((root, top), 0) > 0
        if missing.parent.kind == "namespace":
            # Below a folder without __init__.py other distributions may have modules too.
            return used and certain and not self._shared_namespace(top)
        if first.kind == "namespace":
            return used and (certain or not self._shared_namespace(top))
        if self._shared_namespace(top):
            return used
        return certain or used

    def forget(self) -> None:
        """Drop the answers that were given before `used` was complete."""
        self._resolved.clear()


def parent_of(path: str) -> str:
    """The folder of a path in a tree; empty for the root. Several times as fast as `posixpath.dirname`."""
    return path.rpartition("/")[0]


def _with_parents(folders: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for folder in folders:
        while folder not in found:
            found.add(folder)
            folder = parent_of(folder)
    return frozenset(found)


def _built(paths: Iterable[str]) -> frozenset[str]:
    """Dotless paths of the modules that a compiler or a template makes from other files."""
    found: set[str] = set()
    for path in paths:
        folder, name = posixpath.split(path)
        match = _BUILT_FROM.match(name) or _BUILT_TEMPLATE.match(name)
        if match:
            found.add(f"{folder}/{match['stem']}" if folder else match["stem"])
    return frozenset(found)


def _join(folder: str, rest: str) -> str | None:
    """A tree path from a folder and a relative path; None where it leads out of the tree."""
    if rest.startswith("/"):
        return None
    joined = posixpath.normpath(posixpath.join(folder, rest))
    if joined == ".":
        return ""
    return None if joined.startswith("..") else joined


def _roots_in_toml(content: bytes) -> Iterator[str]:
    try:
        document: dict[str, Any] = tomllib.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    tool = document.get("tool")
    if not isinstance(tool, dict):
        return
    yield from _texts(_get(tool, "pytest", "ini_options", "pythonpath"))
    package_dir = _get(tool, "setuptools", "package-dir")
    if isinstance(package_dir, dict):
        yield from _texts(package_dir.get(""))
    yield from _texts(_get(tool, "setuptools", "packages", "find", "where"))
    packages = _get(tool, "poetry", "packages")
    for package in packages if isinstance(packages, list) else ():
        if isinstance(package, dict):
            yield from _texts(package.get("from"))
    for key in (("ruff", "src"), ("mypy", "mypy_path"), ("pyright", "extraPaths")):
        yield from _texts(_get(tool, *key))


def _get(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.split()
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _roots_in_ini(content: bytes) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return
    for section, option in (
        ("pytest", "pythonpath"),
        ("tool:pytest", "pythonpath"),
        ("options.packages.find", "where"),
    ):
        yield from (parser.get(section, option, fallback="") or "").split()
    for line in (parser.get("options", "package_dir", fallback="") or "").splitlines():
        key, _, value = line.partition("=")
        if not key.strip() and value.strip():
            yield value.strip()
