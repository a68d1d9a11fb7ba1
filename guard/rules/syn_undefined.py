"""SYN004: names that nothing binds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Final

from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.syntax import FAMILY
from guard.checks.undefined import ANNOTATION, CHECKERS, RUNS, Undefined
from guard.model import Severity, Violation
from guard.program import Program
from guard.registry import Depends, rule
from guard.rules.syn import TEMPLATE_PATH, is_data, is_for

_FRAGMENT: Final = re.compile(
    r"(?:^|/)(?:docs?_src|docs?/(?:[^/]+/)*(?:src|snippets?|examples?|tutorials?|samples?|code))/"
)
"""Folders of what documentation shows. It need not be whole: what a page has said before is left out."""
_SNIPPETS: Final = re.compile(r"(?:^|/)snippets?/")
"""The same, unless it is a package: there it is an application's."""
_NEW_BUILTINS: Final = frozenset(
    {
        *("aiter", "anext", "EncodingWarning", "BaseExceptionGroup", "ExceptionGroup", "PythonFinalizationError"),
    }
)
"""What has become a builtin since Python 3.10."""
_TYPING: Final = (
    *("Annotated", "Any", "AsyncGenerator", "AsyncIterator", "Awaitable", "Callable", "ClassVar", "Coroutine", "Dict"),
    *("Final", "Generator", "Generic", "Iterable", "Iterator", "List", "Literal", "Mapping", "NamedTuple", "Optional"),
    *("Protocol", "Sequence", "Set", "TYPE_CHECKING", "Tuple", "Type", "TypeVar", "TypedDict", "Union", "cast"),
)
_KNOWN_HOMES: Final = {
    **dict.fromkeys(_TYPING, "typing"),
    **dict.fromkeys(("Mock", "MagicMock", "AsyncMock", "patch", "call", "PropertyMock"), "unittest.mock"),
    **dict.fromkeys(("dataclass", "field", "asdict"), "dataclasses"),
    **dict.fromkeys(("defaultdict", "Counter", "OrderedDict", "deque", "namedtuple"), "collections"),
    **dict.fromkeys(("datetime", "timedelta", "timezone"), "datetime"),
    **dict.fromkeys(("partial", "wraps", "lru_cache"), "functools"),
    **dict.fromkeys(("contextmanager", "asynccontextmanager", "suppress"), "contextlib"),
    **dict.fromkeys(("ABC", "abstractmethod"), "abc"),
    "Decimal": "decimal",
    "Enum": "enum",
    "Path": "pathlib",
    "UUID": "uuid",
}


@rule("SYN004", "undefined-name", Severity.ERROR, depends=Depends.FILE)
def undefined_name(program: Program) -> Iterator[Violation]:
    """A name that nothing binds.

    ## What it does
    Reports each place that reads a name which is bound nowhere: not in the scopes around it, not as a builtin of the
    deployed Python. A name that stands only in an annotation which Python does not evaluate by itself, or under
    `TYPE_CHECKING`, is a warning: it fails only when a framework resolves the annotation.

    What a string in an annotation means is for whoever reads it to say: to dbus-fast `-> "s"` is a signature, to
    jaxtyping `Float[Array, "batch"]` a dimension. So a name in a string is told of only where it looks like a type that
    was misspelled or has lost its import: it begins with a capital, or is that of a well-known class; and not inside
    the brackets of what is not known to take types there (SQLAlchemy's `Mapped["User"]` finds the class by itself). A
    dotted name in a string (`"app.models.User"`) says itself where the type is. Nor is a name told of that the
    annotated function imports in its own body, where no decorator may look at the annotation: that is the usual way
    round a circle of imports.

    ## What breaks in production
    NameError as soon as the line is reached; often on a failure path that no test takes, where it hides the error that
    was to be handled.

    ## Bad
    `app/metrics.py`:

    ```python
    class Factory:
        def __init__(self):
            self.failures = 0


    async def create(connect):
        try:
            return await connect()
        except OSError:
            self.failures += 1  # <- SYN004
            raise
    ```

    ## Good
    `app/metrics.py`:

    ```python
    class Factory:
        def __init__(self):
            self.failures = 0

        async def create(self, connect):
            try:
                return await connect()
            except OSError:
                self.failures += 1
                raise
    ```

    ## Configuration
    `# noqa: F821` on the line is respected as well as guard's own comments, `# ruff: noqa: F821` or `# flake8: noqa`
    for the file, and so is what pylint, mypy, pyright and ty have in their place. A name is known that ruff's or
    flake8's `builtins`, pylint's `additional-builtins` or pyright's stub `__builtins__.pyi` declares, for the files in
    and below the folder where that stands. In a folder of test data (`tests/data`, `testdata`, `tests/fixtures`) a
    finding is a warning.

    ## What it cannot see
    Modules with a star import, with `exec`, or that write through `globals()` may bind any name, so nothing is said of
    them. Neither of fragments that documentation shows (`docs_src`, `docs/…/examples`, `snippets`), of tests of
    semgrep's rules, scripts of Zope and files whose name begins with a dot. Neither of names that are deleted somewhere
    in the file, bound further down in a loop, guarded by `except NameError`, read in a branch that the platform or the
    version of Python decides, or put into builtins by any file of the tree. Neither of names that some file gives to
    modules that it loads by a computed name, as a host of plugins does (`module = load(path); module.logger = …`):
    which file is loaded is not known, so it may be any; what tests give counts for tests alone. Nor of `__names__` with
    two underscores at both ends, which hosts such as Salt give. Other names that a host hands to a script it executes
    are known for gettext, IPython, Snakemake and Databricks notebooks only. Whether the line is ever reached is not
    known, except in tests that are skipped on the deployed Python (`collect_ignore` under a condition,
    `skipif(sys.version_info < (3, 14))`): there nothing is said.
    """
    truth, (major, minor) = program.linked(FAMILY), program.target.version
    for path, facts in truth.files.items():
        if not facts.undefined or TEMPLATE_PATH.search(path) or program.linked(COLLECTING).depends(path):
            continue
        # What stands in a package is there to be imported, in a folder `tests/fixtures` too.
        alone = f"{path.rpartition('/')[0]}/__init__.py" not in program.tree.files
        if _FRAGMENT.search(path) or (alone and _SNIPPETS.search(path)):
            continue
        data = alone and is_data(path)
        newer = is_for(path, (major, minor + 1))
        for found in facts.undefined:
            if (data and found.use != RUNS) or (newer and found.name in _NEW_BUILTINS):
                continue
            if truth.may_be_there(path, found) or _is_configuration(path, found):
                continue
            yield _undefined(path, found, is_told_mildly=data or found.use != RUNS)


def _is_configuration(path: str, found: Undefined) -> bool:
    """What Jupyter and Sphinx hand to their configuration files, and hosts to what no statement can import."""
    name = path.rpartition("/")[2]
    return (
        name.startswith(".")
        or (name == "conf.py" and found.name == "tags")
        or (name.endswith("_config.py") and found.name == "get_config")
    )


def _undefined(path: str, found: Undefined, *, is_told_mildly: bool) -> Violation:
    if found.use == ANNOTATION:
        message = f"undefined name `{found.name}` in an annotation that Python does not evaluate by itself"
        cause = "It fails when something resolves the annotation: pydantic, FastAPI, `typing.get_type_hints`."
    elif found.use == CHECKERS:
        message = f"undefined name `{found.name}`, which only a type checker reads"
        cause = ""
    else:
        message = f"undefined name `{found.name}`"
        cause = f"NameError {'when' if found.lazy else 'at import, as soon as'} this line is reached."
    return Violation(
        path=path,
        span=found.span,
        message=message,
        anchor=f"undefined {found.name}",
        symbol=found.symbol,
        severity=Severity.WARNING if is_told_mildly else None,
        cause=cause,
        help=_import_help(found.name),
        lazy=found.lazy or found.use in (ANNOTATION, CHECKERS),
        raises="NameError" if found.stops else "",
        data={"name": found.name},
    )


def _import_help(name: str) -> str:
    """The import that is likely to be missing."""
    home = _KNOWN_HOMES.get(name)
    if home is not None:
        return f"Is `from {home} import {name}` missing?"
    if name in sys.stdlib_module_names and not name.startswith("_"):
        return f"Is `import {name}` missing?"
    if name in ("self", "cls"):
        return f"This function is no method, so it has no `{name}`."
    return ""
