"""The environment that is a project's, and what is installed in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from guard.checks.distributions import could_provide, known
from guard.checks.projects import Projects, View, projects_of
from guard.checks.requirements import Kind, normal
from guard.environment import Environment
from guard.program import Program
from guard.sources.site_packages import FILE, FOLDER, Distribution, SitePackages

_GUARD: Final = "deploy-guard"
_NEEDS: Final = re.compile(r"^Requires-Dist: *([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_MODULE_FILE: Final = re.compile(r"^(?P<name>[^.]+)(?:\.[\w-]+)*\.(?:py|pyi|so|pyd|pyc|dll|dylib)$")


class Installed:
    """The environments of one program, by project."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._projects: Projects = projects_of(program)
        self._chosen: dict[View, Environment | None] = {}
        self._tops: dict[SitePackages, frozenset[str]] = {}
        self._owners: dict[tuple[SitePackages, str], tuple[Distribution, ...]] = {}

    def environment_of(self, path: str) -> Environment | None:
        """The environment that a file of the tree runs in; None where none is known to be its project's."""
        view = self._projects.view_of(path)
        if view not in self._chosen:
            environments = self._program.environments
            candidates = environments.found if environments is not None else ()
            self._chosen[view] = next((one for one in candidates if self._is_of(one, view)), None)
        return self._chosen[view]

    def has(self, path: str, module: str) -> bool:
        """Whether the top-level module of a dotted name is installed where a file of the tree runs."""
        environment = self.environment_of(path)
        return environment is not None and module.partition(".")[0] in self.tops_of(environment.packages)

    def tops_of(self, packages: SitePackages) -> frozenset[str]:
        """The top-level modules that are installed, whatever brought them."""
        if packages not in self._tops:
            found = set()
            for name, kind in packages.entries().items():
                match = _MODULE_FILE.match(name)
                if kind != FOLDER and match:
                    found.add(match["name"])
                elif kind != FILE and name.isidentifier():
                    found.add(name)
            self._tops[packages] = frozenset(found)
        return self._tops[packages]

    def owners_of(self, packages: SitePackages, path: str) -> tuple[Distribution, ...]:
        """The distributions that a file of an environment belongs to, by their own lists of files."""
        key = (packages, path)
        if key not in self._owners:
            likely, others = _by_likelihood(packages.distributions, path)
            found = [one for one in likely if path in packages.files_of(one)]
            if not found:
                found = [one for one in others if path in packages.files_of(one)]
            self._owners[key] = tuple(found)
        return self._owners[key]

    def _is_of(self, environment: Environment, view: View) -> bool:
        """Whether an environment is that of a project: the configuration or its place says so, or all that the project
        asks for is installed there, and not only because guard needs it too."""
        if environment.named:
            return True
        if environment.project is not None:
            place = environment.project
            return not place or view.folder == place or view.folder.startswith(f"{place}/")
        asked = [
            one
            for asked in view.asked.values()
            for one in asked
            if one.kind is Kind.RUNTIME and one.name not in self._projects.own
        ]
        if not view.told or view.is_open or not asked:
            return False
        versions = {one.name: one.version for one in environment.packages.distributions}
        if not all(one.name in versions or one.conditional for one in asked):
            return False
        if {one.name for one in asked} <= _needs_of_guard(environment.packages):
            return False
        return all(
            one.name not in versions or bool(one.versions is not None and satisfies(versions[one.name], one.versions))
            for one in asked
        )


def _needs_of_guard(packages: SitePackages) -> frozenset[str]:
    """What is in an environment because guard is."""
    by_name = {one.name: one for one in packages.distributions}
    found = {_GUARD}
    waiting = [_GUARD]
    while waiting:
        one = by_name.get(waiting.pop())
        text = packages.text_of(one, "METADATA") if one is not None else ""
        for name in map(normal, _NEEDS.findall(text.partition("\n\n")[0])):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


def _by_likelihood(distributions: Iterable[Distribution], path: str) -> tuple[list[Distribution], list[Distribution]]:
    """The distributions that are named as a file's modules are, and the others."""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    named = {*known().providers_of(module)}
    likely: list[Distribution] = []
    others: list[Distribution] = []
    for one in distributions:
        (likely if one.name in named or could_provide(one.name, module) else others).append(one)
    return likely, others


def satisfies(version: str, versions: str) -> bool:
    """Whether an installed version is one of those that are asked for; False where one of the two cannot be read."""
    if not versions:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # slow to import, and seldom needed
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) in SpecifierSet(versions, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def is_what_is_deployed(view: View, distribution: Distribution) -> bool:
    """Whether a project asks for the very version of a distribution that is installed, or has it locked."""
    locked = view.locked.get(distribution.name, ())
    if locked:
        return any(one.version == distribution.version for one in locked)
    asked = view.asked.get(distribution.name, ())
    return bool(asked) and all(
        one.versions is not None and satisfies(distribution.version, one.versions) for one in asked
    )


def installed(program: Program) -> Installed:
    """The program's environments."""
    found = program.remembered.get("installed")
    if not isinstance(found, Installed):
        found = program.remembered["installed"] = Installed(program)
    return found


def modules_below(packages: SitePackages, folder: str, limit: int) -> Iterator[str]:
    """The paths of the Python files and stubs below a folder of an environment, at most `limit`."""
    waiting = [folder]
    while waiting and limit > 0:
        here = waiting.pop()
        for name, kind in packages.entries(here).items():
            path = f"{here}/{name}"
            if kind == FOLDER:
                waiting.append(path)
            elif kind == FILE and limit > 0:
                limit -= 1
                yield path
