"""The distributions that a tree's projects ask for by name, in the files that say so.

Each kind of file has a reader that gives what it states, as far as it can be read: `guard.checks.requirement_tables`
reads TOML, `guard.checks.requirement_setup` setup.py and setup.cfg, `guard.checks.requirement_locks` lock files. How
the statements of several files make a project's requirements is `guard.checks.projects`'s to say.
"""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec


class Kind(enum.IntEnum):
    """When a requirement is installed."""

    RUNTIME = 0
    """With the project itself."""
    EXTRA = 1
    """With an extra or a group that is no development group: whoever deploys may have asked for it."""
    DEV = 2
    """For the project's developers: a development group or extra, requirements of tests, docs and tools."""
    BUILD = 3
    """To build the project."""


class Requirement(msgspec.Struct, frozen=True):
    """One distribution that is asked for."""

    name: str
    """Normalised."""
    kind: Kind = Kind.RUNTIME
    versions: str | None = ""
    """The versions that will do, as PEP 440 writes it; None where that cannot be told."""
    conditional: bool = False
    """A marker says where it is wanted."""
    extras: tuple[str, ...] = ()
    """The extras of it that are asked for too. Normalised."""


class Locked(msgspec.Struct, frozen=True):
    """One distribution of a lock file."""

    name: str
    version: str
    needs: tuple[str, ...] = ()
    """Normalised names of the distributions that it depends on."""
    kind: Kind | None = None
    """Where the lock file says what the distribution is there for."""


class Include(msgspec.Struct, frozen=True):
    """Another file whose requirements count too."""

    path: str
    """Relative to the including file's folder, as it is written."""
    kind: Kind | None = None
    """None: the same as the including file's."""


class Stated(msgspec.Struct, frozen=True):
    """What one file says of the distributions that its project needs."""

    requirements: tuple[Requirement, ...] = ()
    own: frozenset[str] = frozenset()
    """Normalised names of the project itself."""
    includes: tuple[Include, ...] = ()
    locked: tuple[Locked, ...] = ()
    computed: bool = False
    """More may be asked for than can be read: the list is computed, or the file is broken."""
    left_to_setup: bool = False
    """The list is said to stand in setup.py or setup.cfg."""
    unnamed: bool = False
    """Something is asked for by an address that does not tell the distribution's name."""
    complete: bool = False
    """The file is one that lists all that the project needs at run time, even where that is nothing."""
    published: bool = False
    """The project describes itself to those who would install it: it is a library or a tool for others."""
    mentioned: frozenset[str] = frozenset()
    """Normalised names that may be asked for, of a file that cannot be read as what it is."""


NOTHING: Final = Stated()

_NAME: Final = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)$", re.DOTALL)
_LINE: Final = re.compile(r"^\s*-?\s*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_METADATA: Final = re.compile(r"^(Requires-Dist|Name): *(.+)$", re.MULTILINE)
_EXTRA: Final = re.compile(r"\bextra\s*==\s*[\"']([^\"']+)")
_LOCKS: Final = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"})
_CONDA: Final = re.compile(r"^(conda[-_.]?)?env(ironment)?([-_.][\w.-]*)?\.ya?ml$", re.IGNORECASE)
_TABLES: Final = frozenset({"pyproject.toml", "Pipfile", "pixi.toml", "hatch.toml"})
_FILES: Final = _TABLES | {"setup.py", "setup.cfg", "METADATA", "PKG-INFO"}
PUBLISHING: Final = frozenset(
    {
        *("classifiers", "urls", "keywords", "readme", "repository", "homepage", "documentation", "license-files"),
        *(
            "url",
            "project_urls",
            "long_description",
            "download_url",
            "home-page",
            "long-description",
            "description-file",
        ),
        *("classifier", "project-urls"),
    }
)
"""What only a project says of itself that is made for others: keys of pyproject.toml, setup.py and setup.cfg."""
_DEVELOPMENT: Final = frozenset(
    {
        *("dev", "devel", "develop", "development", "developer", "contributing", "precommit", "hooks"),
        *("test", "tests", "testing", "unittest", "e2e", "pytest", "tox", "nox", "coverage", "cov", "bdd", "smoke"),
        *("doc", "docs", "documentation", "sphinx", "mkdocs", "rtd", "readthedocs", "lint", "linting", "linters"),
        *("typecheck", "mypy", "pyright", "qa", "ci", "bench", "benchmark", "benchmarks"),
        *("example", "examples", "tutorial", "tutorials", "notebook", "notebooks"),
    }
)
"""Words in the name of an extra, a group, a file or a folder that is for developers."""
_LIKELY_DEVELOPMENT: Final = _DEVELOPMENT | {
    *("local", "debug", "contrib", "style", "format", "formatting", "typing", "types", "quality", "static", "analysis"),
    *("check", "checks", "ide", "build", "release", "publish", "packaging", "profile", "profiling"),
    *("tool", "tools", "tooling"),
}
"""The same for files and groups only: an extra called `format` may well be one for users."""
_WORDS: Final = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """A distribution's name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_for_developers(name: str, *, extra: bool = False) -> bool:
    """Whether a group, a file or an extra is named as one for the project's developers: `dev`, `requirements-test`."""
    known = _DEVELOPMENT if extra else _LIKELY_DEVELOPMENT
    return any(word.rstrip("0123456789") in known for word in _WORDS.split(name.lower()))


def kind_of_extra(name: str) -> Kind:
    """What an extra or an optional dependency is for, by its name."""
    return Kind.DEV if is_for_developers(name, extra=True) else Kind.EXTRA


def is_requirements_file(path: str) -> bool:
    """Whether a path, by its name, lists distributions. Lock files are not among them."""
    name = path.rpartition("/")[2]
    if "." not in name:
        return path.endswith(f"/requirements/{name}") or path == f"requirements/{name}" or name in _FILES
    if name.endswith((".txt", ".in", ".pip")):
        return "require" in path.lower() and ".egg-info/" not in path
    return name in _FILES or (name.endswith((".yml", ".yaml")) and _CONDA.match(name) is not None)


def is_lock_file(path: str) -> bool:
    """Whether a path, by its name, is a lock file."""
    return path.rpartition("/")[2] in _LOCKS


def kind_of_file(path: str) -> Kind:
    """What a list of requirements is for, by its place: `requirements-dev.txt`, `docs/requirements.txt`."""
    folder, _, name = path.rpartition("/")
    stem = re.sub(r"require\w*", "", (name.rpartition(".")[0] or name).lower())
    words = [word for word in _WORDS.split(folder.rpartition("/")[2].lower()) if not word.startswith("require")]
    # A name of several words is one of its own: `deterministic-build/requirements.txt` may lock what is deployed.
    in_folder = bool(words) and all(map(is_for_developers, words))
    return Kind.DEV if is_for_developers(stem) or in_folder else Kind.RUNTIME


def stated_in(path: str, content: bytes) -> Stated:
    """What the file at `path` says; never fails, and says so where the file cannot be read as what it is."""
    text = _text(content)
    name = posixpath.basename(path)
    if name in _LOCKS:
        from guard.checks.requirement_locks import locked_in

        return Stated(locked=locked_in(name, text))
    if name in _TABLES:
        from guard.checks.requirement_tables import in_table

        return in_table(name, text)
    if name == "setup.py":
        from guard.checks.requirement_setup import in_setup

        return in_setup(text)
    if name == "setup.cfg":
        from guard.checks.requirement_setup import in_setup_cfg

        return in_setup_cfg(text)
    if name in ("METADATA", "PKG-INFO"):
        return _in_metadata(text)
    if name.endswith((".yml", ".yaml")):
        return _in_conda(text, kind_of_file(path))
    return in_lines(text, kind_of_file(path))


def _text(content: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    return content.decode("utf-8", "replace")


def names_in(text: str) -> frozenset[str]:
    """Every name that may be a distribution's, of text that cannot be read as what it is."""
    return frozenset(normal(name) for name in _LINE.findall(text))


def requirement_of(text: str, kind: Kind) -> Requirement | None:
    """One requirement of PEP 508; None for what is none. Its marker says when, and is not looked at."""
    match = _NAME.match(text)
    if match is None:
        return None
    extras = tuple(sorted({normal(extra) for extra in re.findall(r"[\w.-]+", match[2] or "")}))
    rest, _, marker = match[3].partition(";")
    rest = rest.strip()
    conditional = bool(marker.strip())
    if rest.startswith("@"):
        return Requirement(normal(match[1]), kind, None, conditional, extras)
    versions = rest.strip("()").strip()
    if versions and versions[0] not in "<>=!~":
        return None
    return Requirement(normal(match[1]), kind, versions, conditional, extras)


# requirements.txt


_OPTION: Final = re.compile(r"^(-r|--requirement|-c|--constraint|-e|--editable)(?:[ =]\s*|(?=\S))(.+)$")
_EGG: Final = re.compile(r"#(?:.*&)?egg=([A-Za-z0-9._-]+)")
_WHEEL: Final = re.compile(r"(?:^|/)([A-Za-z0-9_.]+)-[^/]*\.whl\b")
_SDIST: Final = re.compile(r"(?:^|/)([A-Za-z0-9_.-]+?)-\d[^/]*\.(?:tar\.gz|zip)\b")


def in_lines(text: str, kind: Kind) -> Stated:
    """A requirements file, as pip reads it."""
    requirements: list[Requirement] = []
    includes: list[Include] = []
    computed = unnamed = False
    strange = 0
    lines = list(_logical_lines(text))
    for line in lines:
        option = _OPTION.match(line)
        if option and option[1] in ("-r", "--requirement"):
            includes.append(Include(option[2].strip("\"' ")))
            continue
        if option and option[1] in ("-c", "--constraint"):
            continue  # what a constraint names is not asked for
        asked = option[2].strip() if option else line
        if asked.startswith("-"):
            continue
        if "{{" in asked or "{%" in asked or "${" in asked:
            computed = True
            continue
        found = requirement_of(asked.partition(" --")[0], kind)
        if found is not None and not _is_address(asked):
            requirements.append(found)
        elif named := named_by_address(asked):
            requirements.append(Requirement(named, kind, None))
            unnamed = unnamed or "egg=" not in asked
        elif asked.startswith((".", "/")):
            includes.append(Include(re.sub(r"\[.*", "", asked)))
        else:
            strange += 1
    if strange * 4 > len(lines):
        return NOTHING  # prose, or a list of something else: pip would refuse it
    return Stated(tuple(requirements), includes=tuple(includes), computed=computed, unnamed=unnamed)


def _logical_lines(text: str) -> Iterator[str]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped:
            yield stripped


def _is_address(text: str) -> bool:
    head = text.partition("@")[0] if " @ " in text else text
    return "://" in head or head.startswith((".", "/", "git@")) or head.endswith((".whl", ".zip", ".tar.gz"))


def named_by_address(text: str) -> str:
    """The distribution that an address is likely to lead to; empty for a folder of the tree, or one that tells
    nothing."""
    egg = _EGG.search(text)
    if egg:
        return normal(egg[1])
    for pattern in (_WHEEL, _SDIST):
        match = pattern.search(text)
        if match:
            return normal(match[1])
    if "://" in text or text.startswith("git@"):
        last = re.sub(r"(\.git)?(@[^/]*)?([#?].*)?$", "", text.rstrip("/")).rpartition("/")[2]
        return normal(last) if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", last) else ""
    return ""


# Metadata and conda


def _in_metadata(text: str) -> Stated:
    head = text.partition("\n\n")[0]
    requirements: list[Requirement] = []
    own: set[str] = set()
    for field, value in _METADATA.findall(head):
        if field == "Name":
            own.add(normal(value.strip()))
            continue
        extra = _EXTRA.search(value)
        kind = Kind.RUNTIME
        if extra:
            kind = kind_of_extra(extra[1])
        found = requirement_of(value, kind)
        if found is not None:
            requirements.append(found)
    return Stated(tuple(requirements), own=frozenset(own), published=True)


_CONDA_ITEM: Final = re.compile(r"^\s*-\s+[\"']?(?:[\w-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)(.*)$")


def _in_conda(text: str, kind: Kind) -> Stated:
    """`dependencies:` of environment.yml, those for pip too. Conda's versions are not PEP 440's."""
    requirements: list[Requirement] = []
    includes: list[Include] = []
    inside = False
    for line in text.splitlines():
        if re.match(r"^\S", line) and not line.startswith(("-", "#")):
            inside = line.startswith("dependencies:")
            continue
        option = re.match(r"^\s*-\s+-r\s+(\S+)", line) if inside else None
        if option:
            includes.append(Include(option[1]))
            continue
        item = _CONDA_ITEM.match(line) if inside else None
        if item and not item[2].startswith(":") and item[1] not in ("python", "pip"):
            requirements.append(Requirement(normal(item[1]), kind, None))
    return Stated(tuple(requirements), includes=tuple(includes))
