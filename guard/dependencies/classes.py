"""Classes of installed packages that first-party ones inherit from: read from their files, never imported.

Only the files on the way to a class are read: the module that an import names, those that it takes the name from, and
those of the bases. What such a class is counts only where the installed distribution is the one that is deployed.
"""

from __future__ import annotations

import hashlib
import warnings
from typing import Final

import msgspec

from guard.checks.classes import FAMILY, Classes
from guard.checks.classes_collect import ClassCollector
from guard.checks.classes_facts import ClassesFacts
from guard.checks.classes_lineage import INSTALLED
from guard.checks.module_facts import REBOUND, SOLID, UNBOUND
from guard.checks.modules import Definition, External
from guard.checks.packing import pack
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.dependencies.environments import installed, is_what_is_deployed
from guard.dependencies.imports import imports_out
from guard.dependencies.installed import Packages
from guard.environment import Environment
from guard.parse import parse, parse_newer
from guard.program import Program
from guard.sources.site_packages import SitePackages
from guard.walk import walking

_FARTHEST: Final = 20
"""Imports followed for one class."""


def classes_of(program: Program) -> Classes:
    """The linked classes of a program, those that it inherits from installed packages included."""
    linked = program.linked(FAMILY)
    if linked.table.outside is None and program.environments is not None and program.environments.found:
        linked.table.outside = _Outside(program)
    return linked


class _Outside:
    """The classes of the environments that the files of a program run in."""

    def __init__(self, program: Program) -> None:
        self._installed = installed(program)
        self._environments = program.environments
        self._projects = imports_out(program).projects
        self._packages: dict[SitePackages, tuple[str, Packages]] = {}
        self._by_number: dict[str, Packages] = {}
        self._facts: dict[str, ClassesFacts | None] = {}

    def definition(self, path: str, found: External) -> Definition | None:
        """Where something is defined that a file of the tree, or an installed one, takes from a package."""
        if path.startswith(INSTALLED):
            number, packages = self._of(path)
            return self._find(number, packages, found.module, found.name, 0)
        environment = self._installed.environment_of(path)
        if environment is None or found.module.partition(".")[0] not in self._installed.tops_of(environment.packages):
            return None
        number, packages = self._packages_of(environment)
        file = packages.nearest_file(found.module)
        owners = self._installed.owners_of(environment.packages, file) if file else ()
        view = self._projects.view_of(path)
        if len(owners) != 1 or not (
            is_what_is_deployed(view, owners[0]) or (environment.named and owners[0].name not in view.asked)
        ):
            return None
        return self._find(number, packages, found.module, found.name, 0)

    def follow(self, path: str, ref: Ref) -> Definition | External | None:
        """`Modules.follow` for a file of a package."""
        number, packages = self._of(path)
        if ref.is_local:
            return self._in_file(number, packages, path.partition("/")[2], ref.name, 0)
        module = self._absolute(path.partition("/")[2], ref.level, ref.module)
        external = External(module, ref.name)
        if packages.find(module)[0].path == "":
            return external  # of the standard library, or not installed
        return self._find(number, packages, module, ref.name, 0) or (None if ref.level else external)

    def facts(self, path: str) -> ClassesFacts | None:
        """What is known of the classes of an installed file."""
        if path not in self._facts:
            raw = self._collected(path)
            self._facts[path] = None if raw is None else msgspec.msgpack.decode(raw, type=ClassesFacts)
        return self._facts[path]

    def _packages_of(self, environment: Environment) -> tuple[str, Packages]:
        known = self._packages.get(environment.packages)
        if known is None:
            assert self._environments is not None
            number = str(len(self._packages))
            known = self._packages[environment.packages] = (number, Packages(environment.packages, self._environments))
            self._by_number[number] = known[1]
        return known

    def _of(self, path: str) -> tuple[str, Packages]:
        number = path.removeprefix(INSTALLED).partition("/")[0]
        return number, self._by_number[number]

    @staticmethod
    def _absolute(path: str, level: int, module: str) -> str:
        folder = path
        for _ in range(level):
            folder = parent_of(folder)
        return ".".join(part for part in (folder.replace("/", ".") if level else "", module) if part)

    def _find(self, number: str, packages: Packages, module: str, name: str, depth: int) -> Definition | None:
        """Where `name` of a module is defined, through what the module imports."""
        target, parts = packages.find(module)
        if parts != len(module.split(".")) or target.kind not in ("module", "package") or depth > _FARTHEST:
            return None
        first, _, rest = name.partition(".")
        facts = packages.facts(target.path)
        if facts is None or not first:
            return None
        if first in facts.names:
            return self._in_file(number, packages, target.path, name, depth)
        if target.kind == "package" and rest:
            return self._find(number, packages, f"{module}.{first}", rest, depth + 1)
        found = [
            one
            for star in facts.stars
            if (
                one := self._find(
                    number, packages, self._absolute(target.path, star.level, star.module), name, depth + 1
                )
            )
        ]
        return found[0] if len(found) == 1 else None

    def _in_file(self, number: str, packages: Packages, path: str, name: str, depth: int) -> Definition | None:
        facts = packages.facts(path)
        first, _, rest = name.partition(".")
        found = facts.names.get(first) if facts is not None else None
        if found is None or found.flags & (UNBOUND | REBOUND) or depth > _FARTHEST:
            return None
        if found.flags & SOLID:
            return None if found.origins else Definition(f"{INSTALLED}{number}/{path}", name)
        if len({(o.level, o.module, o.name) for o in found.origins}) != 1:
            return None
        origin = found.origins[0]
        taken = ".".join(part for part in (origin.name, rest) if part)
        return self._find(number, packages, self._absolute(path, origin.level, origin.module), taken, depth + 1)

    def _collected(self, path: str) -> bytes | None:
        number, packages = self._of(path)
        content = packages.site.read(path.removeprefix(f"{INSTALLED}{number}/"))
        if content is None or self._environments is None:
            return None
        digest = hashlib.sha256(content).hexdigest()[:32]
        key = f"{self._environments.salt}:installed-classes:{digest}"
        remembered = self._environments.cache.get(key)
        if remembered is not None:
            return remembered
        found = _collect(content)
        if found is not None:
            self._environments.cache.put_many([(key, found)])
        return found


def _collect(content: bytes) -> bytes | None:
    """The classes of a file, encoded, without what the file does with them; None for one that cannot be parsed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = parse(content, "python")
        if parsed.tree is None and parsed.text is not None:
            parsed = parse_newer(parsed)
        if parsed.tree is None:
            return None
        try:
            collector = ClassCollector(parsed)
            with walking(parsed.tree, [collector]) as module:
                facts = collector.finish(module) or ClassesFacts()
        except (RecursionError, MemoryError):
            return None
    return bytes(
        pack(ClassesFacts(facts.refs, facts.scopes, facts.classes, writes=facts.writes, returns=facts.returns))
    )
