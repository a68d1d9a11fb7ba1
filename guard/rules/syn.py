"""SYN: modules that do not compile on the deployed Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.syntax import FAMILY, Fault, LateImport
from guard.checks.text import unreadable_paths
from guard.model import Fix, Related, Severity, Violation
from guard.registry import Depends, rule

if TYPE_CHECKING:
    from guard.program import Program

_DATA: Final = re.compile(
    r"(?:^|/)tests?(?:ing)?/(?:.*/)?(?:\w*data|fixtures?|cases|snippets|samples|snapshots?|golden|resources|bad\w*|invalid\w*|broken\w*)/"
)
_TEST_DATA: Final = re.compile(r"(?:^|/)test[_-]?data/")
_COLLECTED: Final = re.compile(r"^(?:test_.*|.*_test|conftest|__init__)\.py$")
TEMPLATE_PATH: Final = re.compile(r"\{\{|\{%")
_FOR: Final = re.compile(r"(?:^|[_-])py(?:thon)?_?3_?(\d{1,2})(?:plus|\+)?(?=$|[_.-])")
"""What names of files and folders say of the Python that they are for."""
_SHOWN: Final = 8
"""Lines that a message names before it says how many more there are."""


@rule("SYN001", "syntax-error", Severity.ERROR, depends=Depends.FILE)
def syntax_error(program: Program) -> Iterator[Violation]:
    """A file that does not compile.

    ## What it does
    Reports the first place at which a Python file stops compiling on the deployed Python and every newer one: what
    the grammar forbids, and what only the compiler finds, such as `await` in a plain function, `return` with a value
    in an async generator, or two parameters of one name. Further lines are named in the message, and the line that is
    likely to have caused it is named beside it: the statement that a bulk edit put at column 0 into a method, the
    bracket or string that was never closed, the colon that slipped into a comment.

    Every `.py` file is looked at, and scripts without a suffix that have a Python shebang.

    ## What breaks in production
    Importing the module raises SyntaxError. A service that imports it at start-up does not start; tests that import it
    cannot be collected.

    ## Bad
    `app/agent.py`:

    ```python
    class Agent:
        def run(self, request):
            log = self.log
    from app.tools import Dispatcher
            dispatcher = Dispatcher(log)  # <- SYN001
            return dispatcher.run(request)
    ```

    `app/auth.py`:

    ```python
    def verify(token):
        return await check(token)  # <- SYN001


    async def check(token):
        return bool(token)
    ```

    ## Good
    `app/auth.py`:

    ```python
    async def verify(token):
        return await check(token)


    async def check(token):
        return bool(token)
    ```

    ## Configuration
    `target-python` sets the deployed Python where it is not found in a Dockerfile or in `requires-python`. Files that
    are broken on purpose belong under `exclude`. In a folder of test data (`tests/data`, `testdata`,
    `tests/fixtures`) a broken file is a warning, and a file that is broken at a Jinja tag, or that is a script of Zope,
    is told as information.

    ## What it cannot see
    Whether anything ever imports the file: Python 2 code that a package carries along does not compile, and is
    reported. A file with conflict markers, of an unknown encoding, or indented by tabs and blanks is told by the TXT
    rules. The few limits that depend on a version's own parser, such as how deep expressions may nest, are those of
    the Python that runs guard. Markup that a tool expands before Python sees it is not known, Jinja's apart.
    """
    told = unreadable_paths(program)
    for path, facts in program.linked(FAMILY).files.items():
        fault = facts.broken
        if fault is None or path in told:
            continue
        template = facts.template or bool(TEMPLATE_PATH.search(path))
        yield Violation(
            path=path,
            span=fault.span,
            message=_template_message(fault) if template else f"does not compile: {fault.message}{_and_more(fault)}",
            anchor=f"{fault.message}: {fault.code}",
            symbol=fault.symbol,
            severity=Severity.INFO if template else Severity.WARNING if is_data(path) else None,
            cause="" if template else "Importing this module raises SyntaxError, whatever imports it.",
            help="" if template else _way_out(fault),
            related=tuple(Related(path, hint.line, hint.message) for hint in fault.hints),
            raises="" if template or is_data(path) else "SyntaxError",
            data={"python": str(program.target), "lines": [fault.span.line, *fault.more]},
        )


def _template_message(fault: Fault) -> str:
    if "outside" in fault.message:
        return f"a script that its host makes a function of; not checked ({fault.message} in line {fault.span.line})"
    return f"a template that becomes Python when it is rendered; not checked (line {fault.span.line} holds a tag)"


def is_data(path: str) -> bool:
    """Whether a path is that of an input to tests, which nothing imports."""
    found = _DATA.search(path) or _TEST_DATA.search(path)
    if found is None:
        return False
    # What lies below a folder that no package can be called cannot be imported.
    *folders, name = path[found.end() :].split("/")
    return not _COLLECTED.match(name) or not all(folder.isidentifier() for folder in folders)


def is_for(path: str, oldest: tuple[int, int]) -> bool:
    """Whether a file, or a folder that it is in, is called after that Python or a newer one: `test_match_py310.py`."""
    return any((3, int(found[1])) >= oldest for part in path.split("/") for found in _FOR.finditer(part))


def _and_more(fault: Fault) -> str:
    if not fault.more:
        return ""
    shown = ", ".join(str(line) for line in fault.more[:_SHOWN])
    more = "" if len(fault.more) <= _SHOWN else " and more"
    return f" (also line{'s' if len(fault.more) > 1 else ''} {shown}{more})"


def _way_out(fault: Fault) -> str:
    if fault.hints:
        return f"Look at line {fault.hints[0].line} first."
    return ""


@rule("SYN002", "late-future-import", Severity.ERROR, fixable="safe", depends=Depends.FILE)
def late_future_import(program: Program) -> Iterator[Violation]:
    """A `from __future__` import that does not stand at the beginning of the file.

    ## What it does
    Reports each `from __future__ import …` behind a statement that is neither the docstring nor another such import.

    ## What breaks in production
    Importing the module raises SyntaxError: "from __future__ imports must occur at the beginning of the file".

    ## Bad
    `app/models.py`:

    ```python
    import os
    from __future__ import annotations  # <- SYN002

    HOME = os.environ["HOME"]
    ```

    ## Good
    `app/models.py`:

    ```python
    # A comment and a docstring may stand above it.
    \"\"\"Models.\"\"\"

    from __future__ import annotations

    import os

    HOME = os.environ["HOME"]
    ```

    ## Configuration
    The fix moves the import behind the docstring, or drops it where the same feature is imported there already. It
    leaves alone an import that shares its line with other code, or stands inside a block.

    ## What it cannot see
    Nothing that matters here: Python's own rule is as strict as this one.
    """
    told = unreadable_paths(program)
    for path, facts in program.linked(FAMILY).files.items():
        if path in told:
            continue
        for late in facts.late:
            yield Violation(
                path=path,
                span=late.span,
                message="does not compile: a `__future__` import must stand at the beginning of the file",
                anchor=late.code,
                severity=Severity.WARNING if is_data(path) else None,
                cause="Importing this module raises SyntaxError, whatever imports it.",
                help="Move it above every other statement, right behind the docstring.",
                fix=Fix("safe", "move the import to the beginning of the file") if _stands_alone(late) else None,
                raises="" if is_data(path) else "SyntaxError",
            )


def _stands_alone(late: LateImport) -> bool:
    """Whether lines can be moved: the import stands in no block, and with no other statement on its line."""
    return late.span.column == 1 and ";" not in late.code


@rule("SYN003", "newer-syntax", Severity.ERROR, depends=Depends.FILE)
def newer_syntax(program: Program) -> Iterator[Violation]:
    """Syntax that a newer Python reads and the deployed one does not.

    ## What it does
    Reports the first place in a file whose syntax came with a later Python than the one that is deployed: quotes of the
    same kind nested in an f-string (3.12), `type X = …` and type parameters (3.12), `except A, B:` without parentheses
    (3.14), `match` (3.10), and so on. Further places are named in the message.

    ## What breaks in production
    The module compiles on the developer's machine and raises SyntaxError in the image.

    ## Bad
    `Dockerfile`:

    ```dockerfile
    FROM python:3.11-slim
    COPY app /app
    CMD ["python", "/app/names.py"]
    ```

    `app/names.py`:

    ```python
    row = {"name": "guard"}
    print(f"the name is {row["name"]}")  # <- SYN003
    ```

    ## Good
    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    COPY app /app
    CMD ["python", "/app/names.py"]
    ```

    `app/names.py`:

    ```python
    row = {"name": "guard"}
    print(f"the name is {row["name"]}")
    ```

    ## Configuration
    The deployed Python is read from `target-python` in the configuration, from the `FROM` lines of the Dockerfiles and
    the conda environment that they make, from `requires-python`, Pipfile, environment.yml, .python-version or
    runtime.txt; else the oldest counts that ruff, black, mypy or pyright are told of. Where none of them names one, the
    Python that runs guard is taken for it, and the finding is a warning. The message says which.

    ## What it cannot see
    A file that only a newer service of the same tree uses: of several deployed Pythons the oldest counts, but for that
    of an image which takes no more than a file or two of the tree. What a newer
    standard library has, and the deployed one has not, is no syntax. Nothing is said of tests that a `conftest.py`
    leaves out under a condition (`collect_ignore`), nor of files that are called after the Python that they are for
    (`test_match_py310.py`).
    """
    told = unreadable_paths(program)
    target = program.target
    deployed = (Related(target.path, target.line, f"{target} is deployed"),) if target.path and target.line else ()
    told_how = ", and say so (`target-python`)" if target.assumed else ""
    for path, facts in program.linked(FAMILY).files.items():
        fault = facts.newer
        if fault is None or fault.added_in is None or path in told or TEMPLATE_PATH.search(path):
            continue
        if program.linked(COLLECTING).depends(path) or is_for(path, fault.added_in):
            continue
        needed = "%d.%d" % fault.added_in
        said = fault.message[:1].lower() + fault.message[1:]
        yield Violation(
            path=path,
            span=fault.span,
            message=f"needs Python {needed}, and {target.deployed}: {said}{_and_more(fault)}",
            anchor=f"{fault.message}: {fault.code}",
            symbol=fault.symbol,
            severity=Severity.WARNING if is_data(path) or target.assumed else None,
            cause=f"It compiles on Python {needed} and raises SyntaxError on import on {target}.",
            help=f"Write it in a form that {target} reads, or deploy on Python {needed}{told_how}.",
            related=deployed,
            raises="" if is_data(path) or target.assumed else "SyntaxError",
            data={"needs": needed, "python": str(target), "lines": [fault.span.line, *fault.more]},
        )
