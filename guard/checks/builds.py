"""What the builds of a tree make: modules that are not in it, and are not missing either."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cached_property
from typing import TYPE_CHECKING, Final

from guard.checks.roots import PROJECT_FILES, parent_of

if TYPE_CHECKING:
    from guard.sources.tree import Tree

_LIMIT: Final = 1 << 20
_BUILD_FILES: Final = frozenset({"meson.build", "CMakeLists.txt", "Cargo.toml", "build.rs", "SConstruct", "wscript"})
_EXTENSION_WORDS: Final = re.compile(
    rb"ext_modules|Extension\(|cythonize|cffi_modules|maturin|setuptools_rust|setuptools-rust|mypycify|meson-python|"
    rb"scikit-build|hatch-cython|mypyc"
)
_CRATE_WORDS: Final = re.compile(rb"\bcdylib\b|\bpyo3\b")
"""A crate that has one of them can be a module of Python, whatever it is built by."""
_MENTIONS: Final = re.compile(rb"([\w-]+)\.pyi?\b")
_WRITES: Final = re.compile(rb"""(?<![->])>>?\s*["']?(?:[^\s"'|;&<>]*/)?([\w-]+)\.py\b""")
"""A shell's redirection into a Python file."""
_PIPELINES: Final = frozenset({".gitlab-ci.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", "Jenkinsfile"})
_BUILDING: Final = PROJECT_FILES | _BUILD_FILES | {"MANIFEST.in", "Makefile", "hatch_build.py", "build.py"}
_MENTIONING: Final = _BUILDING | {".gitignore"}


class Builds:
    """What is built in one tree. Nothing is read before it is asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Module names that a build file names."""
        return self._named_in(_BUILDING)

    def may_make(self, name: str) -> bool:
        """Whether a build, or a person, may make a module of this name."""
        return name in self._made_later or name.endswith(("_pb2", "_pb2_grpc"))

    @cached_property
    def compiled(self) -> frozenset[str]:
        """Folders with compiled modules in them: another platform's build, or other options, may put more there."""
        return frozenset(parent_of(path) for path in self._tree.files if path.endswith((".so", ".pyd", ".dylib")))

    @property
    def makes_extensions(self) -> bool:
        """Whether some project of the tree compiles modules, so that there may be ones of any name."""
        return bool(self._with_extensions)

    def makes_extensions_in(self, folder: str) -> bool:
        """Whether the project that a folder is in compiles modules."""
        return any(not built or folder == built or folder.startswith(f"{built}/") for built in self._with_extensions)

    @cached_property
    def _made_later(self) -> Set[str]:
        """Module names that a build file or an ignore file names, or that a pipeline or an image writes."""
        pipelines = [path for path in self._tree.files if _is_pipeline(path)]
        written = {
            name.decode("ascii", "replace")
            for _, content in self._tree.read_many(pipelines, _LIMIT)
            for name in _WRITES.findall(content)
        }
        return self._named_in(_MENTIONING) | written

    def _named_in(self, by: frozenset[str]) -> frozenset[str]:
        names: set[str] = set()
        for _, content in self._tree.read_many(self._tree.named(by), _LIMIT):
            names.update(name.decode("ascii", "replace") for name in _MENTIONS.findall(content))
        return frozenset(names)

    @cached_property
    def _with_extensions(self) -> frozenset[str]:
        """Folders of projects whose build compiles extension modules."""
        found = {parent_of(path) for path in self._tree.named(("meson.build", "CMakeLists.txt"))}
        for wanted, words in ((PROJECT_FILES, _EXTENSION_WORDS), (("Cargo.toml",), _CRATE_WORDS)):
            contents = self._tree.read_many(self._tree.named(wanted), _LIMIT)
            found.update(parent_of(path) for path, content in contents if words.search(content))
        return frozenset(found)


def _is_pipeline(path: str) -> bool:
    """Whether a file says how the tree is built, by commands of a shell."""
    name = path.rpartition("/")[2]
    in_workflows = path.startswith(".github/workflows/") and name.endswith((".yml", ".yaml"))
    return in_workflows or name in _PIPELINES or name.startswith("Dockerfile")
