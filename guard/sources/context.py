"""A Docker context: what `docker build` would send of a folder, after its `.dockerignore`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from guard.dockerignore import Ignore, Pattern, parse
from guard.sources.tree import PartOfTree, Tree, Unreadable

if TYPE_CHECKING:
    from guard.sources.ignored import Ignored

IGNORE_FILE: Final = ".dockerignore"


class Context(msgspec.Struct, frozen=True):
    """A folder, and what of it is not sent."""

    folder: str
    """As a path of the tree; empty for its top."""
    source: str
    """The file that says what is left out, as a path of the tree; empty where there is none."""
    ignore: Ignore

    def leaves_out(self, path: str) -> Pattern | None:
        """The pattern for which a path of the tree, in the folder, is not sent; None for one that is."""
        return self.ignore.leaves_out(self.inside(path))

    def leaves_out_all_of(self, path: str) -> Pattern | None:
        """As `leaves_out`, of a path with all that may be below it, where nothing could bring any of it back."""
        return self.ignore.leaves_out_all_of(self.inside(path))

    def holds(self, path: str) -> bool:
        """Whether a path of the tree is in the folder."""
        return not self.folder or path.startswith(f"{self.folder}/")

    def inside(self, path: str) -> str:
        """A path of the tree as one of the folder, which it is in."""
        return path[len(self.folder) + 1 :] if self.folder else path


def find_context(
    tree: Tree, folder: str, dockerfile: str = "", is_beside: Callable[[str], bool] | None = None
) -> Context | None:
    """The context of a build with the Dockerfile at `dockerfile`, if that is known; None where nobody can tell what
    Docker would make of its ignore file.

    BuildKit prefers the one that is called as the Dockerfile, with `.dockerignore` behind it. `is_beside` is asked in
    place of the tree, where somebody remembers what was asked.
    """
    own = [f"{dockerfile}{IGNORE_FILE}"] if dockerfile else []
    for path in (*own, posixpath.join(folder, IGNORE_FILE)):
        if path in tree.files:
            try:
                content = tree.read(path)
            except Unreadable:
                return None
            ignore = parse(content) if content is not None else None
            return None if ignore is None else Context(folder, path, ignore)
        if (is_beside or tree.is_beside)(path):
            return None  # one that git ignores, so that it is another one on every machine
    return Context(folder, "", Ignore(()))


class ContextTree(PartOfTree):
    """The files of another tree that are sent. Paths stay those of that tree.

    A context is a folder without git. What git ignores and lies on disk is sent too: it is not judged, as it is not in
    the tree that the context is taken of, but imports may lead there.
    """

    def __init__(self, base: Tree, context: Context, dockerfile: str = "", keep: str = "") -> None:
        """The Dockerfile and the ignore file are always there for the build, whatever the patterns say; so is the file
        `keep`, for guard's own use."""
        always = {dockerfile, context.source, keep}

        def is_sent(path: str) -> bool:
            return context.holds(path) and (path in always or context.leaves_out(path) is None)

        super().__init__(base, {path: file for path, file in base.files.items() if path in always or is_sent(path)})
        self.kind = "context"  # type: ignore[misc]  # of the class it is what the tree below is
        self.label = context.folder or base.label
        self.context = f"{base.context}\0{context.folder}\0{context.source}\0{dockerfile}"
        self.git = None
        self.submodules = tuple(path for path in base.submodules if is_sent(path))
        self.problems = tuple(problem for problem in base.problems if is_sent(problem.path))
        self.untracked = base.untracked & self.files.keys()
        self.ignored = tuple(path for path in base.ignored if context.holds(path))
        self._is_sent = is_sent

    def is_beside(self, path: str) -> bool:
        """Whether a file that git ignores is on disk at `path`, and sent."""
        return self._is_sent(path) and self._base.is_beside(path)

    def ignoring(self, paths: Iterable[str]) -> Mapping[str, Ignored]:
        """As the tree below says."""
        return self._base.ignoring(paths)
