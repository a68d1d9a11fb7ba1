"""Which environments hold the packages that a tree's code runs with.

In this order: the one that the configuration names; a `.venv` or `venv` in a project's folder; the one that is active
(VIRTUAL_ENV); the one that guard itself runs in. The last two may be anybody's: guard is often installed apart from
what it checks. So they count only as far as the project's own requirements are installed there, which
`guard.dependencies.environments` finds out.
"""

# ruff: noqa: PTH112, PTH113, PTH114, PTH117 - as in guard.sources: places are text, joined as the tree's paths are

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guard.sources.site_packages import SitePackages, site_packages_in

if TYPE_CHECKING:
    from guard.cache import Cache
    from guard.config import Config
    from guard.sources.tree import Tree

NONE: Final = "none"
"""The setting's value for looking at no environment."""
_FOLDERS: Final = (".venv", "venv")
_PROJECT: Final = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "requirements.txt", "uv.lock"})


class Environment(msgspec.Struct, frozen=True, eq=False):
    """One environment that may be a project's."""

    packages: SitePackages
    project: str | None
    """The folder of the project that it is in; None for one that is elsewhere."""
    named: bool
    """The configuration names it, so it is the project's whatever it holds."""


class Environments:
    """The environments of one run, nearest first, and where facts of their files are remembered."""

    def __init__(self, tree: Tree, config: Config, version: tuple[int, int], cache: Cache, salt: str) -> None:
        self.cache: Final = cache
        self.salt: Final = salt
        self.found: Final[tuple[Environment, ...]] = tuple(_found(tree, config, version))

    @property
    def identity(self) -> str:
        """Which environments there are; what they hold is told by `looks`."""
        return "\0".join(f"{one.packages.label}:{one.project}" for one in self.found)

    @property
    def looks(self) -> Mapping[str, str]:
        """What was looked at in them, with digests of what was seen."""
        return {
            f"{number}:{key}": digest
            for number, one in enumerate(self.found)
            for key, digest in sorted(one.packages.looks.items())
        }

    def see_the_same(self, looks: Mapping[str, str]) -> bool:
        """Whether looking again shows what `looks` says."""
        by_number: dict[int, dict[str, str]] = {}
        for key, digest in looks.items():
            number, _, rest = key.partition(":")
            by_number.setdefault(int(number), {})[rest] = digest
        return all(
            number < len(self.found) and self.found[number].packages.sees_the_same(wanted)
            for number, wanted in by_number.items()
        )


def _found(tree: Tree, config: Config, version: tuple[int, int]) -> Iterator[Environment]:
    # A revision and the index have no folder of their own: their code runs with what the work tree's does.
    root = tree.root or (tree.git.work_tree if tree.git is not None else None)
    if config.environment == NONE:
        return
    if config.environment:
        # A folder that the tree names is below its root; an absolute one comes from the command line.
        place = os.path.join(root or os.curdir, config.environment)
        folder = site_packages_in(place, version)
        if folder is not None:
            yield Environment(SitePackages(folder, "the environment that is configured"), None, named=True)
        return
    for project in _projects(tree) if root is not None else ():
        for name in _FOLDERS:
            place = os.path.join(root or "", project, name)
            if os.path.islink(place) or not os.path.isfile(os.path.join(place, "pyvenv.cfg")):
                continue
            folder = site_packages_in(place, version)
            if folder is not None:
                yield Environment(SitePackages(folder, f"{project}/{name}".lstrip("/")), project, named=False)
                break
    active = os.environ.get("VIRTUAL_ENV", "")
    folder = site_packages_in(active, version) if os.path.isabs(active) else None
    if folder is not None:
        yield Environment(SitePackages(folder, "the active environment"), None, named=False)
    own = running_packages(version)
    if own is not None:
        yield Environment(SitePackages(own, "the environment of guard"), None, named=False)


def running_packages(version: tuple[int, int]) -> str | None:
    """The folder of the packages that guard itself runs with, where its Python is the deployed one."""
    own = sysconfig.get_path("purelib")
    return own if sys.version_info[:2] == version and os.path.isdir(own) else None


def _projects(tree: Tree) -> Sequence[str]:
    """The folders that hold a project's file, the deepest first; the top always."""
    found = {""}
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if name in _PROJECT:
            found.add(folder)
    return sorted(found, key=lambda folder: (-folder.count("/") - bool(folder), folder))
