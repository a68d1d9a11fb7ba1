"""The source roots of a tree: the folders in which a file's absolute imports are looked for.

Roots are found, not configured: every folder above the file, those that declare themselves source roots, and the ones
that files put on `sys.path`.
"""

from __future__ import annotations

import configparser
import posixpath
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from guard.checks.module_facts import ModuleFacts

if TYPE_CHECKING:
    from guard.checks.whole import Whole
    from guard.sources.tree import Tree

PROJECT_FILES: Final = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
DECLARING: Final = frozenset({"pyproject.toml", "setup.cfg", "pytest.ini", ".pytest.ini", "tox.ini"})
"""The files, by their names, that may say where modules are found."""


class Roots:
    """The source roots of one tree."""

    def __init__(
        self,
        tree: Tree,
        modules: Mapping[str, ModuleFacts],
        folders: frozenset[str],
        packages: frozenset[str],
        configured: tuple[str, ...],
        whole: Whole | None = None,
    ) -> None:
        """`whole` says what would be computed from `modules`, where those are not all."""
        self._whole = whole
        self._tree = tree
        self._modules = modules
        self._folders = folders
        self._packages = packages
        self._configured = configured
        self._above: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    @cached_property
    def strong(self) -> frozenset[str]:
        """Folders that are certainly import roots for the files below them (and, for `src`, beside them)."""
        found = {"", *self._configured}
        found.update(map(parent_of, self._tree.named(PROJECT_FILES)))
        for folder in tuple(found):
            for source in ("src", "lib"):
                candidate = f"{folder}/{source}" if folder else source
                if candidate in self._folders and candidate not in self._packages:
                    found.add(candidate)
        return frozenset(found)

    @cached_property
    def _declared(self) -> Mapping[str, tuple[str, ...]]:
        """Roots that a project's configuration names, by the project's folder."""
        found: dict[str, tuple[str, ...]] = {}
        wanted = self._tree.named(DECLARING)
        for path, content in self._tree.read_many(wanted, 1 << 20):
            folder, name = posixpath.split(path)
            roots = _roots_in_toml(content) if name == "pyproject.toml" else _roots_in_ini(content)
            inside = tuple(root for value in roots if (root := _join(folder, value)) is not None)
            found[folder] = (*found.get(folder, ()), *inside)
        return found

    @cached_property
    def on_sys_path(self) -> Mapping[str, tuple[str, ...]]:
        """The folders that each file puts on `sys.path`, those of the tree."""
        if self._whole is not None:
            return self._whole.on_sys_path
        found = {path: put_on_sys_path(path, facts) for path, facts in self._modules.items() if facts.sys_path}
        return {path: roots for path, roots in found.items() if roots}

    @cached_property
    def anybody(self) -> tuple[str, ...]:
        """Every root that some file or configuration declares: good for finding a module, never for missing one."""
        every = [root for roots in (*self.on_sys_path.values(), *self._declared.values()) for root in roots]
        return tuple(dict.fromkeys((*every, *sorted(self.strong))))

    def own(self, path: str) -> tuple[str, ...]:
        """The roots that the file itself puts on `sys.path`."""
        return self.on_sys_path.get(path, ())

    def of(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The roots that certainly hold for a file, and those that may, nearest first."""
        folder = parent_of(path)
        found = self._above.get(folder)
        if found is None:
            found = self._above[folder] = self._roots_above(folder)
        own = self.on_sys_path.get(path)
        return (tuple(dict.fromkeys((*own, *found[0]))), found[1]) if own else found

    def name_of(self, path: str) -> str:
        """The dotted name of a module of the tree, below the nearest folder that is certainly a root."""
        roots = [root for root in self.of(path)[0] if not root or path.startswith(f"{root}/")]
        return dotted_name(path, max(roots, key=len, default=""))

    def _roots_above(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        certain: list[str] = []
        possible: list[str] = []
        while True:
            (certain if folder in self.strong and folder not in self._packages else possible).append(folder)
            certain.extend(self._declared.get(folder, ()))
            certain.extend(self.on_sys_path.get(f"{folder}/conftest.py" if folder else "conftest.py", ()))
            for source in ("src", "lib"):
                candidate = f"{folder}/{source}" if folder else source
                if candidate in self.strong:
                    certain.append(candidate)
            if not folder:
                break
            folder = parent_of(folder)
        return tuple(dict.fromkeys(certain)), tuple(dict.fromkeys(possible))


def put_on_sys_path(path: str, facts: ModuleFacts) -> tuple[str, ...]:
    """The folders of the tree that a file puts on `sys.path`."""
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
    return tuple(dict.fromkeys(root for root in roots if root is not None))


def dotted_name(path: str, root: str) -> str:
    """The name that a file below `root` is imported by."""
    below = path[len(root) + 1 :] if root else path
    name = below.removesuffix("i").removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__") if name != "__init__" else ""


def parent_of(path: str) -> str:
    """The folder of a path in a tree; empty for the root. Several times as fast as `posixpath.dirname`."""
    return path.rpartition("/")[0]


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
