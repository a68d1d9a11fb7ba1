"""What can be configured: the one description that the loader, the JSON Schema and the docs are made from.

A setting's text is its `Meta.description`. `Meta.extra` holds what the loader wants to know and JSON Schema has no
word for: `expected` says in an error what should have stood there, and `role` what a string means:

    rule      a rule's code, family or slug, or ALL
    pattern   a gitignore-style pattern; `glob` is one that cannot be negated
    folder    a folder of the tree
    entry     a module, module:attr or file of the tree
    environment  a folder of the tree, or `none`; from the command line, any folder
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from guard.configuration.loop import Plan
from guard.model import Gate

_SIZE: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})? ?(B|KB|MB|GB|KiB|MiB|GiB)$"
_UNITS: Final = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}

RuleName = Annotated[
    str,
    Meta(
        min_length=1,
        extra={"role": "rule", "expected": 'a rule\'s code, family or slug, such as "IMP002" or "IMP"'},
    ),
]
Pattern = Annotated[
    str,
    Meta(min_length=1, extra={"role": "pattern", "expected": 'a gitignore-style pattern, such as "generated/"'}),
]
Glob = Annotated[
    str,
    Meta(min_length=1, extra={"role": "glob", "expected": 'a gitignore-style pattern, such as "tests/**"'}),
]
Folder = Annotated[str, Meta(min_length=1, extra={"role": "folder", "expected": 'a folder, such as "services/api"'})]
Entry = Annotated[
    str,
    Meta(
        min_length=1,
        extra={"role": "entry", "expected": 'a module, module:attr or file, such as "app.main:app"'},
    ),
]
Version = Annotated[str, Meta(pattern=r"^[0-9]\.[0-9]{1,2}$", extra={"expected": 'a Python version, such as "3.11"'})]
SizeText = Annotated[str, Meta(pattern=_SIZE, extra={"expected": 'a number of bytes, or a size such as "5MB"'})]
SizeBytes = Annotated[int, Meta(ge=1, le=10**15)]
Level = Literal["error", "warning", "info", "off"]


class Middleware(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What the middleware stacks must look like."""

    order: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(
            description="Names or patterns of middleware, outermost first. A stack that has two of them in the "
            "other order is MID001."
        ),
    ] = ()
    required: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="Names or patterns of middleware that every served application must have."),
    ] = ()


class Ssot(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Which of several places is the one source of truth."""

    canonical: Annotated[
        Mapping[Annotated[str, Meta(min_length=1)], Annotated[str, Meta(min_length=1)]],
        Meta(
            description="By the name of a class, function or constant, the module that it is to be imported from. An "
            "import of it from elsewhere is SSOT002, as an error.",
        ),
    ] = {}
    deprecated: Annotated[
        Mapping[Annotated[str, Meta(min_length=1)], str],
        Meta(
            description="Modules, or `MODULE:NAME`, that are not to be used any more, with what to use in their stead: "
            "SSOT003, beside those that say so in the code.",
        ),
    ] = {}


Weight = Annotated[int, Meta(ge=0, le=1000, extra={"expected": "a whole number from 0 to 1000"})]
CategoryName = Literal["compiles", "imports", "text", "middleware", "data-classes", "ssot", "image"]
AreaName = Literal["production", "tests", "tooling"]


class Scoring(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """How `guard report` makes one figure of many."""

    weights: Annotated[
        Mapping[CategoryName, Weight],
        Meta(
            description="What each category weighs in the score; 0 leaves it out. Those not given keep their weights: "
            "compiles 25, imports 25, text 10, middleware 10, data-classes 10, ssot 20, image 10."
        ),
    ] = {}
    areas: Annotated[
        Mapping[AreaName, Weight],
        Meta(
            description="What a line weighs by what its file is for. Those not given keep their weights: production 4, "
            "tests 2, tooling 1."
        ),
    ] = {}
    fail_under: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="The least score with which `guard report` succeeds, unless `--fail-under` says otherwise; 0 "
            "for any.",
            extra={"expected": "a number from 0 to 100"},
        ),
    ] = 0


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The settings of guard: `[tool.guard]` in pyproject.toml, or the top level of guard.toml."""

    extend: Annotated[
        str,
        Meta(
            min_length=1,
            description="Another configuration file of the repository, relative to this one. What stands here wins; "
            "tables are merged entry by entry.",
            extra={"expected": 'a file, such as "../guard.toml"'},
        ),
    ] = ""
    select: Annotated[
        tuple[RuleName, ...],
        Meta(
            min_length=1,
            description="Rules to run: codes, families, slugs, or ALL. The default is ALL, which leaves out the "
            "rules of the gate `ci` alone: these are named here, or selected on the command line.",
        ),
    ] = ("ALL",)
    ignore: Annotated[
        tuple[RuleName, ...],
        Meta(
            description="Rules not to run. Wins over `select`, except where `select` is more specific: a code or slug "
            "beats a family, a family beats ALL."
        ),
    ] = ()
    per_file_ignores: Annotated[
        Mapping[Glob, tuple[RuleName, ...]],
        Meta(description="Rules whose findings are left out, by gitignore-style pattern of the file's path."),
    ] = {}
    severity: Annotated[
        Mapping[RuleName, Level],
        Meta(
            description="Severities other than the rules' own, by code, family or slug. `off` is the same as `ignore`."
        ),
    ] = {}
    exclude: Annotated[
        tuple[Pattern, ...],
        Meta(description="Files that are not looked at, as gitignore-style patterns."),
    ] = ()
    roots: Annotated[
        tuple[Folder, ...],
        Meta(description="Folders that modules are imported from, beside those that are found."),
    ] = ()
    entry_points: Annotated[
        tuple[Entry, ...],
        Meta(description="Where deployed processes start, beside those that are found: a module, module:attr or file."),
    ] = ()
    tests: Annotated[
        tuple[Pattern, ...],
        Meta(description="Files whose findings have the impact `tests`, beside those that are recognised."),
    ] = ()
    tooling: Annotated[
        tuple[Pattern, ...],
        Meta(description="Files whose findings have the impact `tooling`, beside those that are recognised."),
    ] = ()
    baseline: Annotated[
        str,
        Meta(
            description="A file of the repository with the findings that are known, which are left out. "
            "`guard baseline write` makes it.",
            extra={"expected": 'a file of the repository, such as "guard-baseline.jsonl"'},
        ),
    ] = ""
    target_python: Annotated[
        Version,
        Meta(
            description="The Python that is deployed. Where it is not given it is found: Dockerfiles and the conda "
            "environment that they make, requires-python (pyproject.toml, setup.cfg, setup.py), Pipfile, "
            "environment.yml, .python-version, runtime.txt, the oldest that ruff, black, mypy or pyright are told of."
        ),
    ] = ""
    environment: Annotated[
        str,
        Meta(
            min_length=1,
            description="The virtual environment whose packages the code runs with: a folder of the repository, or on "
            "the command line any folder; `none` for none. Where it is not given it is found: `.venv` or `venv` in a "
            "project's folder, or the active environment where all is installed that the project asks for.",
            extra={"role": "environment", "expected": 'a folder, such as ".venv"'},
        ),
    ] = ""
    max_file_size: Annotated[
        SizeBytes | SizeText,
        Meta(
            description="Python files above this size are a problem on the report, not analysed: bytes, or a text such "
            "as 5MB (powers of 1000) or 5MiB (powers of 1024).",
            extra={"expected": 'a number of bytes, or a size such as "5MB"'},
        ),
    ] = "5MB"
    middleware: Annotated[
        Middleware,
        Meta(description="What the middleware stacks must look like."),
    ] = Middleware()
    ssot: Annotated[Ssot, Meta(description="Which of several places is the one source of truth.")] = Ssot()
    report: Annotated[Scoring, Meta(description="How `guard report` makes one figure of many.")] = Scoring()
    loop: Annotated[Plan, Meta(description="The staging loop, `guard loop`.")] = Plan()


class Config(Settings, frozen=True, kw_only=True):
    """The configuration of one run, complete and checked. Patterns and paths are relative to the tree's root."""

    sources: tuple[str, ...] = ()
    """The files it came from, the one that wins first; `--config` for settings of the command line."""
    gate: Gate | None = None
    """Where guard runs, as the command line says; None for nowhere in particular."""

    @property
    def python_limit(self) -> int:
        """`max_file_size` in bytes."""
        return size_in_bytes(self.max_file_size)

    @property
    def target_version(self) -> tuple[int, int] | None:
        """`target_python` as numbers; None where it is to be found."""
        if not self.target_python:
            return None
        major, _, minor = self.target_python.partition(".")
        return int(major), int(minor)

    @property
    def digest(self) -> str:
        """16 hex digits that change whenever findings could; where a setting came from does not count."""
        values = {
            field.encode_name: getattr(self, field.name)
            for field in msgspec.structs.fields(Settings)
            if field.name not in ("extend", "report", "loop")
        }
        encoded = msgspec.json.encode([values, self.gate], order="deterministic")
        return hashlib.sha256(encoded).hexdigest()[:16]


def size_in_bytes(size: int | str) -> int:
    """Bytes of a number, or of a text such as `5MB`, that has been checked against the setting's form."""
    if isinstance(size, int):
        return size
    found = re.match(r"([\d.]+) ?(\w+)", size)
    if found is None:
        raise ValueError(f"not a size: {size!r}")
    return int(float(found[1]) * _UNITS[found[2]])
