"""Which Dockerfile is built with which folder: as a compose file says, or as the files that it copies fit."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guard.entrypoints.files import is_dockerfile
from guard.entrypoints.manifests import compose_services, is_compose
from guard.images.dockerfile import Dockerfile, read_dockerfile

if TYPE_CHECKING:
    from guard.entrypoints.manifests import ComposeBuild
    from guard.sources.tree import Tree

_READ_LIMIT: Final = 1 << 20
_MOST: Final = 300
"""Builds that are looked at in one tree."""
_YAML_LIMIT: Final = 128 * 1024
_NAMES: Final = ("Dockerfile", "dockerfile")
"""What a build takes where no file is named."""


class Build(msgspec.Struct, frozen=True):
    """One image that is made of one folder."""

    path: str
    """The Dockerfile."""
    dockerfile: Dockerfile
    context: str
    """The folder that is sent to the build; empty for the top of the tree."""
    target: str = ""
    """The stage that is built; empty for the last."""
    mounts: tuple[str, ...] = ()
    """Folders and files of the tree that lie over the image's own while it runs, as far as a compose file says so."""

    def place(self, source: str) -> str:
        """The path in the tree of a path of the context."""
        return posixpath.join(self.context, source) if source else self.context

    def is_mounted(self, path: str) -> bool:
        """Whether a file of the tree is mounted into the running container."""
        return any(not mount or f"{path}/".startswith(f"{mount}/") for mount in self.mounts)


class Builds(msgspec.Struct, frozen=True):
    """What a tree builds."""

    builds: tuple[Build, ...]
    """Those of compose files and those of Dockerfiles that none of these names, in order."""
    dockerfiles: frozenset[str]
    """All Dockerfiles, those of which it is not known which folder they are built with too."""
    passed_over: frozenset[str]
    """Those of them that have builds which are not looked at: they are too long, or too many, or a compose file is too
    long that may name them, so that no person has written it."""


def find_builds(tree: Tree) -> Builds:
    """The builds of a tree."""
    named = [path for path in tree.files if is_dockerfile(posixpath.basename(path))]
    texts = {
        path: content.decode("utf-8", "replace").removeprefix("\ufeff")
        for path, content in tree.read_many(named, _READ_LIMIT)
    }
    # A template is no Dockerfile yet: it may be written to another place, and says less than what it becomes.
    files = {path: read_dockerfile(text) for path, text in texts.items() if not re.search(r"\{\{|\{%", text)}
    places = _Places(tree)
    builds: dict[Build, None] = {}
    composes = dict(tree.read_many(filter(is_compose, tree.files), _YAML_LIMIT))
    for path, dockerfile, context, one in _composed(composes, files):
        if places.fits(dockerfile, context, _candidates(path, context), stated=True):
            builds[Build(path, dockerfile, context, one.target, tuple(sorted(set(one.mounts))))] = None
    composed = {build.path for build in builds}
    for path, dockerfile in files.items():
        if path not in composed:
            found = _likely(path, dockerfile, places, tree)
            if found is not None:
                builds[Build(path, dockerfile, found)] = None
    known = sorted(builds, key=lambda build: (build.path, build.context, build.target, build.mounts))
    too_long = {path for path in named if path not in texts and not tree.files[path].is_link}
    too_long |= {path for path, dockerfile in files.items() if dockerfile.is_too_long}
    dockerfiles = too_long | {path for path, dockerfile in files.items() if dockerfile.stages}
    passed_over = too_long | {build.path for build in known[_MOST:]}
    if any(is_compose(path) and path not in composes and not file.is_link for path, file in tree.files.items()):
        passed_over = dockerfiles
    return Builds(tuple(known[:_MOST]), frozenset(dockerfiles), frozenset(passed_over))


def _composed(
    composes: Mapping[str, bytes], files: Mapping[str, Dockerfile]
) -> Iterator[tuple[str, Dockerfile, str, ComposeBuild]]:
    """What compose files build: the Dockerfile with its path, the context, and what the service says beside that."""
    for path, content in composes.items():
        folder = posixpath.dirname(path)
        for one in compose_services(content.decode("utf-8", "replace"), folder):
            for name in (one.dockerfile,) if one.dockerfile else _NAMES:
                place = posixpath.normpath(posixpath.join(one.context, name))
                if place in files:
                    yield place, files[place], one.context, one
                    break


def _candidates(path: str, *others: str) -> list[str]:
    """The folders that a Dockerfile may be built with: its own, those above it, and `others`."""
    found = [*others]
    folder = path
    while folder:
        folder = posixpath.dirname(folder)
        found.append(folder)
    return list(dict.fromkeys(found))


def _likely(path: str, dockerfile: Dockerfile, places: _Places, tree: Tree) -> str | None:
    """The folder that has what a Dockerfile copies, where that is certain: its own, or the top of the tree."""
    own = posixpath.dirname(path)
    candidates = _candidates(path)
    fitting = [folder for folder in candidates if places.fits(dockerfile, folder, candidates)]
    if len(fitting) > 1 and own in fitting:
        # A .dockerignore is read at the top of a context only: of several folders, the one that has it is meant.
        having = [folder for folder in fitting if posixpath.join(folder, ".dockerignore") in tree.files]
        fitting = having if having == [own] else fitting
    return fitting[0] if len(fitting) == 1 and fitting[0] in (own, "") else None


class _Places:
    """The files and folders of a tree, to be asked for by their paths."""

    def __init__(self, tree: Tree) -> None:
        self._files = tree.files
        self._folders: set[str] = {""}
        for path in tree.files:
            folder = posixpath.dirname(path)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                folder = posixpath.dirname(folder)

    def fits(self, dockerfile: Dockerfile, context: str, candidates: Sequence[str], *, stated: bool = False) -> bool:
        """Whether what a Dockerfile copies is in a folder, as far as it is in any of the candidates. Where nothing that
        it names is in any of them, only if there is no other candidate, or the folder is `stated` somewhere."""
        if context not in self._folders:
            return False
        sources = set(_sources(dockerfile))
        there = {source for source in sources if self._has(context, source)}
        anywhere = {source for source in sources if any(self._has(folder, source) for folder in candidates)}
        return there == anywhere and (stated or bool(there) or len(candidates) == 1)

    def _has(self, folder: str, source: str) -> bool:
        path = posixpath.join(folder, source)
        return path in self._files or path in self._folders


def _sources(dockerfile: Dockerfile) -> Iterable[str]:
    for stage in dockerfile.stages:
        for copy in stage.copies:
            yield from (source for source in copy.sources if source)
