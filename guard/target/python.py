"""Which Python is deployed.

In this order: the config, the Dockerfiles with the conda environment that they make, requires-python (pyproject.toml,
setup.cfg, setup.py), Pipfile, environment.yml, .python-version, runtime.txt, the oldest that linters are told of, the
running Python. Of several Dockerfiles that are deployed the lowest Python counts: code that does not compile there
stops that service. Dockerfiles of tests, examples and development are not deployed, and beside one that takes the code
of the tree, those do not count that take a file or two of it, as the image of a mock or of a proxy does.
"""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from guard.configuration.convert import printable
from guard.configuration.discover import Broken, parse_toml
from guard.configuration.patterns import matcher
from guard.configuration.settings import Config
from guard.sources.tree import Tree
from guard.target import conda, linters
from guard.target.base_image import Version, base_image, copied_from_context
from guard.target.specifiers import lowest_minor

OLDEST: Final = (3, 7)
NEWEST: Final = (3, 15)
"""What the syntax oracle can be asked about: ruff's `--target-version py37` to `py315`."""

_READ_LIMIT: Final = 1024 * 1024
_DOCKERFILE: Final = re.compile(
    r"^(?:(?:docker|container)file(?:[.-][\w.-]+)?|[\w.-]+\.(?:docker|container)file)$", re.IGNORECASE
)
_NO_DOCKERFILE: Final = (".dockerignore", ".md", ".txt", ".py", ".rst", ".sh")
_SPECIFIER_KEYS: Final = (
    ("project", "requires-python"),
    ("tool", "poetry", "dependencies", "python"),
    ("tool", "pixi", "dependencies", "python"),
)
_NOT_DEPLOYED_FOLDER: Final = re.compile(
    r"(?:^|/)(?:tests?|testing|testdata|fixtures?|examples?|samples?|demos?|docs?|archived?|benchmarks?|vendor|"
    r"third_party|node_modules|site-packages|\.?venv|\.?devcontainer)(?:/|$)",
    re.IGNORECASE,
)
_NOT_DEPLOYED_NAME: Final = re.compile(
    r"(?:^|[._-])(?:tests?|testing|dev|develop|development|devcontainer|debug|local|ci|e2e|lint|bench|docs)(?:[._-]|$)",
    re.IGNORECASE,
)


class Candidate(NamedTuple):
    """One place that names a Python."""

    version: Version
    path: str
    """Empty where it is not a file."""
    line: int
    """0 where it is not a line."""
    said: str
    """What stands there."""

    @property
    def source(self) -> str:
        """The place and what stands there, for a person: `Dockerfile:1 FROM python:3.11-slim`."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return printable(f"{place} {self.said}".strip())


class TargetPython(msgspec.Struct, frozen=True, kw_only=True):
    """The deployed Python, and how that is known."""

    version: Version
    """What is checked against; within `OLDEST` and `NEWEST`."""
    source: str
    """Where it was found, and what stands there."""
    path: str = ""
    line: int = 0
    note: str = ""
    """What a person should know: that the version had to be replaced by the nearest that can be checked."""
    others: tuple[str, ...] = ()
    """The other places of the same rank, which name the same Python or a newer one."""
    assumed: bool = False
    """Nothing says which Python is deployed, so it is taken to be the running one."""

    @property
    def deployed(self) -> str:
        """That it is deployed, and how that is known, for a message."""
        if self.assumed:
            return f"{self}, which guard runs on, is taken for the deployed one, since nothing here names one"
        return f"{self} is deployed ({self.source})"

    def __str__(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


def target_python(tree: Tree, config: Config) -> TargetPython:
    """The Python that the code of `tree` is deployed on; never fails, since the running Python is the last resort."""
    if config.target_version:
        return _target([Candidate(config.target_version, "", 0, f"target-python of {_origin(config)}")])
    for rank in (_dockerfiles, _requires_python, _pipfile, _conda, _python_version, _runtime_txt, _linters):
        candidates = sorted(rank(tree, config), key=lambda candidate: (candidate.version, candidate.path))
        if candidates:
            return _target(candidates)
    return msgspec.structs.replace(
        _target([Candidate(sys.version_info[:2], "", 0, "the Python that guard runs on")]),
        assumed=True,
        note="nothing here says which Python is deployed; target-python in the configuration can",
    )


def _origin(config: Config) -> str:
    return config.sources[0] if config.sources else "the configuration"


def _target(candidates: list[Candidate]) -> TargetPython:
    lowest, *others = candidates
    version = min(max(lowest.version, OLDEST), NEWEST)
    note = ""
    if version != lowest.version:
        note = "Python %d.%d cannot be checked for; %d.%d, the nearest that can, is" % (*lowest.version, *version)
    return TargetPython(
        version=version,
        source=lowest.source,
        path=lowest.path,
        line=lowest.line,
        note=note,
        others=tuple(candidate.source for candidate in others),
    )


def _dockerfiles(tree: Tree, config: Config) -> list[Candidate]:
    contents = dict(tree.read_many(list(deployed_dockerfiles(tree, config)), _READ_LIMIT))
    found = [candidate for path, content in contents.items() for candidate in _in_dockerfile(tree, path, content)]
    if len({candidate.version for candidate in found}) < 2:
        return found
    little = {path for path, content in contents.items() if _takes_little(tree, path, content)}
    return [candidate for candidate in found if candidate.path not in little] or found


def _takes_little(tree: Tree, path: str, content: bytes) -> bool:
    """Whether a Dockerfile certainly takes less than a tenth of the tree's Python, built with the top of the tree or
    with its own folder. Where it takes none, the code comes otherwise, or it is the base of another one."""
    sources = copied_from_context(content)
    if sources is None:
        return False
    taken: set[str] = set()
    for source in sources:
        places = {
            posixpath.normpath(posixpath.join(above, source.lstrip("/"))) for above in ("", posixpath.dirname(path))
        }
        there = [place for place in places if _is_there(tree, place)]
        if not there:
            return False  # it is built with another folder
        taken.update(there)
    every = [file for file in tree.files if file.endswith(".py")]
    inside = tuple(f"{place}/" for place in taken)
    among = every if "." in taken else [file for file in every if file in taken or file.startswith(inside)]
    return 0 < len(among) * 10 < len(every)


def _is_there(tree: Tree, place: str) -> bool:
    return place == "." or place in tree.files or any(file.startswith(f"{place}/") for file in tree.files)


def _in_dockerfile(tree: Tree, path: str, content: bytes) -> Iterator[Candidate]:
    image = base_image(content)
    asked = conda.in_dockerfile(content) if image is None or image.python is None else None
    if image is not None and image.python is not None:
        yield Candidate(image.python, path, image.line, image.statement)
    elif asked is not None:
        yield Candidate(asked.version, path, asked.line, asked.said)
    else:
        made_from = _environments(tree, _environments_of(tree, path, content))
        yield from (found for found, pinned in made_from if pinned)


def _environments_of(tree: Tree, path: str, content: bytes) -> list[str]:
    """The files that a Dockerfile may make a conda environment from. Its context is the tree, or its own folder."""
    folder = posixpath.dirname(path)
    found = [
        posixpath.normpath(posixpath.join(above, name)).lstrip("/")
        for name in conda.named_in(content)
        for above in ("", folder)
    ]
    return [name for name in dict.fromkeys(found) if name in tree.files]


def _environments(tree: Tree, paths: list[str]) -> Iterator[tuple[Candidate, bool]]:
    """What each environment asks for, and whether it is one minor version."""
    for path, content in tree.read_many(paths, _READ_LIMIT):
        asked = conda.in_environment(content)
        if asked is not None:
            yield Candidate(asked.version, path, asked.line, asked.said), asked.pinned


def _conda(tree: Tree, config: Config) -> Iterator[Candidate]:
    paths = [name for name in conda.NAMES if name in tree.files]
    for path, content in tree.read_many(list(deployed_dockerfiles(tree, config)), _READ_LIMIT):
        paths += _environments_of(tree, path, content)
    yield from (found for found, _ in _environments(tree, list(dict.fromkeys(paths))))


def deployed_dockerfiles(tree: Tree, config: Config) -> Iterator[str]:
    """The paths of Dockerfiles, by name and place, without those of tests, examples and development."""
    left_out = [matcher(patterns) for patterns in (config.exclude, config.tests, config.tooling)]
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if "file" not in name.lower() or not _DOCKERFILE.match(name) or name.lower().endswith(_NO_DOCKERFILE):
            continue
        if _NOT_DEPLOYED_NAME.search(name) or _NOT_DEPLOYED_FOLDER.search(folder):
            continue
        if not any(matches(path) for matches in left_out):
            yield path


def _requires_python(tree: Tree, _config: Config) -> Iterator[Candidate]:
    for stated_in in (_pyproject, _setup_cfg, _setup_py):
        found = list(stated_in(tree))
        if found:
            yield from found
            return


def _pyproject(tree: Tree) -> Iterator[Candidate]:
    for path, content in tree.read_many(["pyproject.toml"], _READ_LIMIT):
        project = _toml(content, path)
        for keys in _SPECIFIER_KEYS:
            found = list(_specified(_at(project, keys), path, content, keys[-1]))
            if found:
                yield from found
                return


def _toml(content: bytes, path: str) -> object:
    try:
        return parse_toml(content, path)
    except Broken:
        return None


def _setup_cfg(tree: Tree) -> Iterator[Candidate]:
    for path, content in tree.read_many(["setup.cfg"], _READ_LIMIT):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(content.decode("utf-8", "replace"))
        except configparser.Error:
            continue
        yield from _specified(parser.get("options", "python_requires", fallback=None), path, content, "python_requires")


def _setup_py(tree: Tree) -> Iterator[Candidate]:
    """What a setup.py hands to `setup` as it is written, or by the name of a constant."""
    for path, content in tree.read_many(["setup.py"], _READ_LIMIT):
        if b"python_requires" not in content:
            continue
        try:
            module = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        constants = {
            target.id: statement.value
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "python_requires":
                value = constants.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
                if isinstance(value, ast.Constant):
                    yield from _specified(value.value, path, content, "python_requires")


def _pipfile(tree: Tree, _config: Config) -> Iterator[Candidate]:
    for path, content in tree.read_many(["Pipfile"], _READ_LIMIT):
        wanted = _toml(content, path)
        for key in ("python_full_version", "python_version"):
            found = list(_specified(_at(wanted, ("requires", key)), path, content, key))
            if found:
                yield from found
                return


def _at(table: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _specified(specifier: object, path: str, content: bytes, key: str) -> Iterator[Candidate]:
    if isinstance(specifier, dict):  # Poetry: python = { version = "^3.11" }
        specifier = specifier.get("version")
    if not isinstance(specifier, str):
        return
    version = lowest_minor(specifier)
    if version:
        yield Candidate(version, path, _line_of(content, key), f"{key} = {specifier.strip()}")


def _line_of(content: bytes, key: str) -> int:
    found = re.search(rb"^[ \t]*[\"']?%s[\"']?[ \t]*=" % re.escape(key.encode()), content, re.MULTILINE)
    return content.count(b"\n", 0, found.end()) + 1 if found else 0


def _python_version(tree: Tree, _config: Config) -> Iterator[Candidate]:
    yield from _first_line(tree, ".python-version", r"(?:[a-z]+[-@])?(\d)\.(\d{1,2})(?![0-9])")


def _runtime_txt(tree: Tree, _config: Config) -> Iterator[Candidate]:
    yield from _first_line(tree, "runtime.txt", r"python-(\d)\.(\d{1,2})(?![0-9])")


def _linters(tree: Tree, _config: Config) -> Iterator[Candidate]:
    for path, content in tree.read_many(["pyproject.toml", *linters.RUFF], _READ_LIMIT):
        settings = _toml(content, path)
        told = linters.in_ruff(settings) if path in linters.RUFF else linters.in_pyproject(settings)
        for version, key, said in told:
            yield Candidate(version, path, _line_of(content, key), said)


def _first_line(tree: Tree, name: str, pattern: str) -> Iterator[Candidate]:
    for path, content in tree.read_many([name], _READ_LIMIT):
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            found = re.match(pattern, line.strip())
            if found:
                yield Candidate((int(found[1]), int(found[2])), path, number, line.strip())
                return
