"""Where deployed processes start: found in the files that start them, never configured by need.

Known are Dockerfile `CMD` and `ENTRYPOINT`, compose files, Kubernetes and Cloud Run manifests, Procfiles, supervisor's
and systemd's files, the shell scripts that those start, the console scripts of pyproject.toml, setup.cfg and setup.py,
and `manage.py`, `wsgi.py` and `asgi.py`.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.entrypoints.commands import Start, is_shell
from guard.entrypoints.declared import DECLARES
from guard.entrypoints.files import Named, in_shell_script, other_reader_of, reader_of, served_in
from guard.entrypoints.manifests import in_manifest, is_manifest

if TYPE_CHECKING:
    from guard.sources.tree import Tree

__all__ = ["EntryPoint", "declared_in", "ending_with", "find_entry_points", "may_start", "named_elsewhere", "served_by"]

_READ_LIMIT: Final = 1 << 20
"""Bytes of a file that names entry points; a larger one is not such a file."""
_YAML_LIMIT: Final = 128 * 1024
"""Bytes. Manifests that people write are small, and the YAML parser takes seconds for a megabyte."""
_BY_NAME: Final = ("manage.py", "wsgi.py", "asgi.py")
_IS_ONE: Final = {
    "manage.py": re.compile(rb"__main__|execute_from_command_line"),
    "wsgi.py": re.compile(
        rb"^(?:async )?(?:def |class )?app(?:lication)?\b|^from .* import .*\bapp(?:lication)?\b", re.MULTILINE
    ),
}
"""What a file of that name says that is run, or served. A module of a package may have the name for another reason."""
_IS_ONE["asgi.py"] = _IS_ONE["wsgi.py"]


class EntryPoint(msgspec.Struct, frozen=True, order=True):
    """One way in. Exactly one of `module` and `script` is set."""

    path: str
    """The file that names it."""
    line: int
    module: str = ""
    """Dotted, without the attribute."""
    script: str = ""
    """A path as the command line has it."""
    attribute: str = ""
    """What of the module is served or called, dotted, where the file says so."""
    executed: bool = False
    """Whether the module is run as `python -m` does it: of a package, its `__main__`."""


def find_entry_points(tree: Tree, configured: tuple[str, ...] = ()) -> tuple[EntryPoint, ...]:
    """Every entry point that the tree's own files name, and the configured ones, in order."""
    found = {_configured(value) for value in configured}
    waiting = deque(_named(tree))
    followed: set[str] = set()
    while waiting:
        path, named = waiting.popleft()
        found.update(_entry(path, named.line, start) for start in named.starts)
        for script in _shell_scripts(tree, path, named):
            if script not in followed:
                followed.add(script)
                for _, content in tree.read_many([script], _READ_LIMIT):
                    text = content.decode("utf-8", "replace")
                    waiting.extend((script, inner) for inner in in_shell_script(text, named.variables))
    found.update(EntryPoint(path, 1, script=path) for path in _named_as_one(tree))
    return tuple(sorted(found))


def _named_as_one(tree: Tree) -> Iterator[str]:
    """The files that are run or served by their names: those that stand in no package, or look like it inside."""
    paths = tree.named(_BY_NAME)
    packaged = [path for path in paths if f"{posixpath.dirname(path)}/__init__.py" in tree.files]
    yield from (path for path in paths if path not in packaged)
    for path, content in tree.read_many(packaged, _READ_LIMIT):
        if _IS_ONE[posixpath.basename(path)].search(content):
            yield path


def named_elsewhere(tree: Tree) -> tuple[EntryPoint, ...]:
    """What the tree's files name that start no deployed process, in order: the commands of a build, those of shell
    scripts that nobody is known to start, and the entry points that other distributions look for."""
    found: set[EntryPoint] = set()
    wanted = [path for path in tree.files if other_reader_of(path) is not None]
    for path, content in tree.read_many(wanted, _READ_LIMIT):
        reader = other_reader_of(path)
        for named in reader(content.decode("utf-8", "replace")) if reader is not None else ():
            found.update(_entry(path, named.line, start) for start in named.starts if start.module)
    return tuple(sorted(found))


def declared_in(tree: Tree, group: str) -> tuple[EntryPoint, ...]:
    """The modules that the tree's own distributions offer to others below the name of a group, in order."""
    found: set[EntryPoint] = set()
    for path, content in tree.read_many(tree.named(DECLARES), _READ_LIMIT):
        if group.encode() in content:
            text = content.decode("utf-8", "replace")
            declared = DECLARES[posixpath.basename(path)](text)
            found.update(_entry(path, one.line, one.start) for one in declared if one.group == group)
    return tuple(sorted(found))


def may_start(path: str) -> bool:
    """Whether a file may name what a process starts, or others load by name, as its own name says."""
    return reader_of(path) is not None or other_reader_of(path) is not None or is_manifest(path)


def _entry(path: str, line: int, start: Start) -> EntryPoint:
    return EntryPoint(path, line, start.module, start.script, start.attribute, start.executed)


def served_by(tree: Tree, paths: Iterable[str]) -> Iterator[EntryPoint]:
    """The modules that the Python files at `paths` hand to a server by name: `uvicorn.run("app.main:app")`."""
    for path, content in tree.read_many(paths, _READ_LIMIT):
        if b".run(" in content or b"Granian(" in content or b".Config(" in content:
            text = content.decode("utf-8", "replace")
            yield from (EntryPoint(path, 1, module=module) for module in served_in(text))


def ending_with(paths: Iterable[str], tail: str) -> str | None:
    """The one path that ends with `tail`, or with as much of its end as any path has; None for several.

    An image's folders are not the tree's, but their ends agree.
    """
    paths = tuple(paths)
    parts = tail.split("/")
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        found = [path for path in paths if path == end or path.endswith("/" + end)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _configured(value: str) -> EntryPoint:
    if value.endswith((".py", ".sh")):
        return EntryPoint("", 0, script=value)
    module, _, attribute = value.partition(":")
    return EntryPoint("", 0, module=module, attribute=attribute)


def _named(tree: Tree) -> Iterator[tuple[str, Named]]:
    """What the files name that start processes by their nature, with their paths."""
    plain = [path for path in tree.files if reader_of(path) is not None]
    for path, content in tree.read_many(plain, _READ_LIMIT):
        reader = reader_of(path)
        if reader is not None:
            yield from ((path, named) for named in reader(content.decode("utf-8", "replace")))
    for path, content in tree.read_many(filter(is_manifest, tree.files), _YAML_LIMIT):
        yield from ((path, named) for named in in_manifest(path, content.decode("utf-8", "replace")))


def _shell_scripts(tree: Tree, path: str, named: Named) -> Iterator[str]:
    """The shell scripts of the tree that are started: beside the file that names them, at the top, or by their end."""
    for start in named.starts:
        if is_shell(start.script):
            script = posixpath.normpath(start.script).lstrip("/")
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), script))
            place = beside if beside in tree.files else ending_with(tree.files, script)
            if place is not None:
                yield place
