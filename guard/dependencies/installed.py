"""What installed distributions have: their modules and names, read from their files.

Two looks. The first reads only the modules that are imported, and is content with a name that is certainly bound. Where
it finds none, the second gathers the facts of the whole package and asks the same module table that first-party imports
are judged by; only what that misses too is missing.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.layout import Missing, Target
from guard.checks.module_collect import ModuleCollector
from guard.checks.module_facts import CONDITIONAL, SOLID, TYPING_ONLY, UNBOUND, Alias, ModuleFacts
from guard.checks.modules import FAMILY, Modules
from guard.checks.packing import pack
from guard.checks.roots import parent_of
from guard.config import Config
from guard.dependencies.environments import Installed, installed, is_what_is_deployed, modules_below
from guard.dependencies.imports import ThirdParty, imports_out
from guard.environment import Environment, Environments
from guard.facts import FileFacts
from guard.model import Problem
from guard.parse import parse, parse_newer
from guard.program import Program
from guard.sources.site_packages import FILE, FOLDER, Distribution, SitePackages
from guard.sources.tree import REGULAR, Reader, SourceFile, Tree, Unreadable
from guard.target import TargetPython
from guard.walk import walking

_LARGEST: Final = 20_000
"""Files. Of a larger package nothing is said."""
_FARTHEST: Final = 20
"""Star imports followed in the first look."""


class NotInstalled(msgspec.Struct, frozen=True):
    """One import, or one name of one, that an installed distribution has not."""

    found: ThirdParty
    alias: Alias | None
    """The name at fault; None where the module of a `from` import is what is missing."""
    module: str
    name: str
    """The missing name; empty where a module is missing."""
    distribution: Distribution
    names: tuple[str, ...]
    """What the module has instead."""


def missing_in_dependencies(program: Program) -> Iterator[NotInstalled]:
    """Every import of something that its distribution has not, in order of path and line."""
    environments = program.environments
    if environments is None or not environments.found:
        return
    search = _Search(program, environments)
    seen: set[tuple[str, int, int]] = set()
    for found in imports_out(program).all:
        key = (found.path, found.statement.line, found.statement.column)
        if found.statement.level == 0:
            if key in seen:
                continue  # names below a shared namespace are told one by one; a statement is judged as a whole
            seen.add(key)
        yield from search.judge(found)


class _Search:
    def __init__(self, program: Program, environments: Environments) -> None:
        self._program = program
        self._installed: Installed = installed(program)
        self._environments = environments
        self._projects = imports_out(program).projects
        self._packages: dict[SitePackages, Packages] = {}
        self._known: dict[tuple[SitePackages, str, str], tuple[str, ...] | None] = {}

    def judge(self, found: ThirdParty) -> Iterator[NotInstalled]:
        environment = self._installed.environment_of(found.path)
        statement = found.statement
        module = statement.module if statement.level == 0 else found.module
        if statement.flags & CONDITIONAL:
            return  # a handler may try what an older version has
        if environment is None or module.partition(".")[0] not in self._installed.tops_of(environment.packages):
            return
        packages = self._packages.get(environment.packages)
        if packages is None:
            packages = self._packages[environment.packages] = Packages(environment.packages, self._environments)
        if self._misses(packages, module, "") is not None:
            yield from self._told(
                found, environment, packages, found.alias if statement.level < 0 else None, module, ""
            )
        elif statement.level == 0:
            for alias in statement.aliases:
                if alias.name != "*" and self._misses(packages, module, alias.name) is not None:
                    yield from self._told(found, environment, packages, alias, module, alias.name)

    def _misses(self, packages: Packages, module: str, name: str) -> tuple[str, ...] | None:
        key = (packages.site, module, name)
        if key not in self._known:
            self._known[key] = packages.misses(module, name)
        return self._known[key]

    def _told(
        self,
        found: ThirdParty,
        environment: Environment,
        packages: Packages,
        alias: Alias | None,
        module: str,
        name: str,
    ) -> Iterator[NotInstalled]:
        """The finding, where what is installed is what the project asks for."""
        view = self._projects.view_of(found.path)
        file = packages.nearest_file(module)
        owners = self._installed.owners_of(environment.packages, file) if file else ()
        if len(owners) != 1:
            return
        if is_what_is_deployed(view, owners[0]) or (environment.named and owners[0].name not in view.asked):
            names = self._misses(packages, module, name) or ()
            yield NotInstalled(found, alias, module, name, owners[0], names)


class Packages:
    """The modules of one environment."""

    def __init__(self, site: SitePackages, environments: Environments) -> None:
        self.site: Final = site
        self._environments = environments
        self._facts: dict[str, ModuleFacts | None] = {}
        self._whole: dict[str, Modules | None] = {}

    # The first look

    def step(self, folder: str, name: str) -> Target | None:
        """What `name` is in a folder, by Python's order."""
        entries = self.site.entries(folder)
        path = f"{folder}/{name}" if folder else name
        if entries.get(name) == FOLDER:
            inside = self.site.entries(path)
            if inside.get("__init__.py") == FILE:
                return Target("package", f"{path}/__init__.py")
            if any(entry.startswith("__init__.") for entry in inside):
                return Target("unknown", path)
        if any(entry.startswith(f"{name}.") and not entry.endswith((".py", ".dist-info")) for entry in entries):
            return Target("unknown", path)  # compiled, a stub alone, a link
        if entries.get(f"{name}.py") == FILE:
            return Target("module", f"{path}.py")
        if name in entries:
            return Target("namespace" if entries[name] == FOLDER else "unknown", path)
        return None

    def find(self, module: str) -> tuple[Target, int]:
        """The deepest part of a dotted module that is there, and how many of its parts that are."""
        target = Target("namespace", "")
        parts = module.split(".")
        for index, name in enumerate(parts):
            if target.kind == "module":
                return target, index
            found = self.step(target.path if target.kind == "namespace" else parent_of(target.path), name)
            if found is None:
                return target, index
            target = found
            if target.kind == "unknown":
                return target, len(parts)
        return target, len(parts)

    def nearest_file(self, module: str) -> str:
        """The file of the deepest regular package or module that is there; empty for none."""
        target, _ = self.find(module)
        return target.path if target.kind in ("package", "module") else ""

    def misses(self, module: str, name: str) -> tuple[str, ...] | None:
        """None where a module, or a name of it, is there or may be; else the names that are there instead."""
        target, depth = self.find(module)
        whole = depth == len(module.split("."))
        if target.kind in ("unknown", "namespace") or (whole and not name):
            return None
        if whole and self._surely_binds(target, name, 0):
            return None
        return self._misses_certainly(module, name)

    def _surely_binds(self, target: Target, name: str, depth: int) -> bool:
        """Whether a module has a name beyond doubt, or may have any."""
        if target.kind == "package" and self.step(parent_of(target.path), name) is not None:
            return True
        facts = self.facts(target.path)
        if facts is None or facts.open or facts.extends_path or depth > _FARTHEST:
            return True
        found = facts.names.get(name)
        if (
            found is not None
            and not found.flags & (UNBOUND | TYPING_ONLY)
            and (found.flags & SOLID or any(not origin.guarded for origin in found.origins))
        ):
            return True
        return any(
            star.level == 0 and self.step("", star.module.partition(".")[0]) is None for star in facts.stars
        ) or any(
            below.kind == "unknown" or (below.kind != "namespace" and self._surely_binds(below, name, depth + 1))
            for star in facts.stars
            if (below := self._star(target, star.level, star.module)) is not None and self._exports(below, name)
        )

    def _exports(self, target: Target, name: str) -> bool:
        """Whether a star import takes a name from a module, where it is there."""
        facts = self.facts(target.path) if target.kind in ("package", "module") else None
        if facts is None or facts.open or facts.exports_open:
            return True
        if facts.exports is not None:
            return any(export.name == name for export in facts.exports)
        return not name.startswith("_")

    def _star(self, target: Target, level: int, module: str) -> Target | None:
        folder = parent_of(target.path)
        for _ in range(level - 1):
            folder = parent_of(folder)
        dotted = ".".join(part for part in (folder.replace("/", ".") if level else "", module) if part)
        found, depth = self.find(dotted)
        return found if depth == len(dotted.split(".")) else None

    def facts(self, path: str) -> ModuleFacts | None:
        """What one file binds and imports; None where it cannot be read."""
        if path not in self._facts:
            raw = self._raw_facts(path)
            self._facts[path] = msgspec.msgpack.decode(raw, type=ModuleFacts) if raw is not None else None
        return self._facts[path]

    def _raw_facts(self, path: str) -> bytes | None:
        content = self.site.read(path)
        if content is None:
            return None
        kind = "stub" if path.endswith(".pyi") else "python"
        digest = hashlib.sha256(content).hexdigest()[:32]
        key = f"{self._environments.salt}:installed:{kind}:{digest}"
        remembered = self._environments.cache.get(key)
        if remembered is not None:
            return remembered
        found = _collect(content, kind)
        if found is not None:
            self._environments.cache.put_many([(key, found)])
        return found

    # The second look

    def _misses_certainly(self, module: str, name: str) -> tuple[str, ...] | None:
        found = self._misses_in_whole(module, name)
        return None if found is None or self._is_bound_by_compiled_code(module, name) else found

    def _misses_in_whole(self, module: str, name: str) -> tuple[str, ...] | None:
        top = module.partition(".")[0]
        if top not in self._whole:
            self._whole[top] = self._link(top)
        modules = self._whole[top]
        if modules is None or self._is_provided(modules, f"{module}.{name}" if name else module):
            return None
        target = modules.layout.descend("", module.split("."))
        if isinstance(target, Missing):
            parent = modules.facts.get(target.parent.path)
            if target.parent.kind == "namespace" or parent is None or parent.provides:
                return None
            folder = modules.layout.folder_of(target.parent)
            return tuple(sorted(self._modules_in(folder))) if folder is not None else ()
        if not name or target.kind in ("unknown", "namespace") or modules.binds(target, name):
            return None
        facts = modules.facts.get(target.path)
        return tuple(sorted(facts.names)) if facts is not None else ()

    def _is_bound_by_compiled_code(self, module: str, name: str) -> bool:
        """Whether a compiled module of the package names both: it may set the name, as that of psycopg2 does."""
        for path in modules_below(self.site, module.partition(".")[0], _LARGEST):
            if path.endswith((".so", ".pyd")):
                content = self.site.read(path)
                if content is None or (module.encode() in content and name.encode() in content):
                    return True
        return False

    def _modules_in(self, folder: str) -> Iterator[str]:
        for entry in self.site.entries(folder):
            stem = entry.removesuffix(".py")
            if stem.isidentifier():
                yield stem

    @staticmethod
    def _is_provided(modules: Modules, dotted: str) -> bool:
        """Whether something puts a module of this name, or one above it, into `sys.modules`."""
        parts = dotted.split(".")
        return any(".".join(parts[:end]) in modules.provided for end in range(1, len(parts) + 1))

    def _link(self, top: str) -> Modules | None:
        """The module table of a whole package; None for one that is too large, holds what cannot be read, or brings a
        finder that makes its modules."""
        alone = [name for name in self.site.entries() if name in (f"{top}.py", f"{top}.pyi")]
        paths = [*alone, *modules_below(self.site, top, _LARGEST)]
        if len(paths) >= _LARGEST or any(path.endswith(".pyc") for path in paths):
            return None
        files: dict[str, FileFacts] = {}
        for path in paths:
            kind = "stub" if path.endswith(".pyi") else "python" if path.endswith(".py") else "text"
            if kind != "text" and b"sys.meta_path" in (self.site.read(path) or b""):
                return None
            raw = self._raw_facts(path) if kind != "text" else None
            parts = {FAMILY.name: msgspec.Raw(raw)} if raw is not None else {}
            files[path] = FileFacts(kind, raw is not None or kind == "text", parts)
        target = TargetPython(version=(3, 0), source="")
        return Program(_PackageTree(self.site, paths), Config(), target, dict(sorted(files.items()))).linked(FAMILY)


def _collect(content: bytes, kind: str) -> bytes | None:
    """The module facts of a file's content, encoded; None for one that cannot be parsed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = parse(content, kind)
        if parsed.tree is None and parsed.text is not None:
            parsed = parse_newer(parsed)
        if parsed.tree is None:
            return None
        try:
            collector = ModuleCollector(parsed)
            with walking(parsed.tree, [collector]) as module:
                return bytes(pack(collector.finish(module)))
        except (RecursionError, MemoryError):
            return None


class _PackageTree(Tree):
    """The files of one installed package as a tree, for what the module table wants to read of it."""

    kind = "directory"

    def __init__(self, site: SitePackages, paths: list[str]) -> None:
        self._site = site
        self.label = site.label
        self.files = {path: SourceFile(path, REGULAR, "") for path in sorted(paths)}
        self.submodules = ()
        self.problems = ()

    def reader(self) -> Reader:
        """A reader of the environment."""
        return _PackageReader(self._site)


class _PackageReader(Reader):
    def __init__(self, site: SitePackages) -> None:
        self._site = site

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        """The bytes of a file. Raises `Unreadable`."""
        content = self._site.read(file.path)
        if content is None or (limit is not None and len(content) > limit):
            raise Unreadable(Problem(file.path, "unreadable", "it cannot be read"))
        return content
