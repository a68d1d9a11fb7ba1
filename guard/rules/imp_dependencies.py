"""Imports that lead out of the tree, to what may not be installed where the code runs."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.elsewhere import leads_elsewhere
from guard.checks.module_facts import LAZY, Alias, Import
from guard.checks.requirements import Kind
from guard.dependencies.installed import NotInstalled, missing_in_dependencies
from guard.dependencies.test_code import test_imports
from guard.dependencies.undeclared import Undeclared, undeclared
from guard.model import Gate, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Depends, rule


def _span(statement: Import, alias: Alias | None) -> Span:
    place = alias or statement
    return Span(place.line, place.column, place.end_line, place.end_column)


def _fails(path: str, statement: Import) -> str:
    if statement.flags & LAZY:
        return f"{statement.symbol} raises ModuleNotFoundError whenever it is called."
    return f"Importing {path} raises ModuleNotFoundError."


def _undeclared_message(one: Undeclared, program: Program) -> tuple[str, str]:
    """The message and the help."""
    module = one.found.module
    if one.change is not None:
        how, (major, minor) = one.change
        deployed = program.target.deployed
        if how == "removed":
            message = f"{one.found.top} was removed from the standard library in Python {major}.{minor}; {deployed}"
            return message, "Use what took its place, or require a distribution that brings the module back."
        message = f"{one.found.top} came into the standard library with Python {major}.{minor}; {deployed}"
        return message, "Deploy a newer Python, or fall back to a backport under `except ImportError`."
    if one.kind is Kind.BUILD:
        message = f"{module} is asked for only to build the project, not where it runs"
        return message, f"Add {one.distribution} to the project's dependencies."
    message = f"{module} is not in this tree or the standard library, and no requirement asks for it"
    return message, f"Add what provides it ({one.distribution}?) to the requirements, or remove the import."


@rule("IMP003", "undeclared-dependency", Severity.WARNING, errors_at=(Gate.PRE_BUILD, Gate.IMAGE))
def undeclared_dependency(program: Program) -> Iterator[Violation]:
    """An import of a third-party module that no requirement brings.

    ## What it does
    Reads what the project asks for: pyproject.toml (PEP 621, PEP 735, Poetry, PDM, uv, Hatch, Flit, Pixi), requirements
    files with `-r`, setup.cfg, literal lists in setup.py, Pipfile, environment.yml, lock files, and the `pip install`
    of Dockerfiles. Requirements have locality: a file may count on those of its project's folder, of the folders above
    and of those below. Tests and tools may count on development groups too. Distribution names are joined with import
    names by what is installed, by a list of well-known packages, and by names that are alike. It also finds modules
    that the deployed Python's standard library has no more, or not yet.

    ## What breaks in production
    ModuleNotFoundError, in the image only: on the developer's machine the package is there, for it was installed by
    hand or for something else.

    ## Bad
    `requirements.txt`:

    ```text
    fastapi
    ```

    `app/main.py`:

    ```python
    import fastapi
    import redis  # <- IMP003
    ```

    ## Good
    `requirements.txt`:

    ```text
    fastapi
    redis>=5
    ```

    `app/main.py`:

    ```python
    import fastapi
    import redis
    ```

    ## Configuration
    `environment` names the environment whose packages count as installed.

    ## What it cannot see
    Nothing is reported where the requirements cannot be read as a whole (a setup.py that computes them, a base image
    that may bring packages along), in branches, under handlers of ImportError, for what the operating system installs,
    and for a module that an unknown distribution on the list could have. In a library that is published, only what runs
    whenever it is imported is looked at: the rest is for users who want that feature. What comes along with another
    package counts as asked for where that is known. What is installed, even by hand, counts as installed.
    """
    for one in undeclared(program):
        if one.kind is Kind.DEV and one.change is None:
            continue
        found = one.found
        if leads_elsewhere(program, found.path, found.statement, found.module):
            continue  # IMP008 tells of it
        message, way_out = _undeclared_message(one, program)
        yield Violation(
            path=found.path,
            span=_span(found.statement, found.alias),
            message=message,
            anchor=f"import {found.module}",
            symbol=found.statement.symbol,
            cause=_fails(found.path, found.statement),
            help=way_out,
            lazy=found.lazy,
            data={"module": found.module, "name": "", "distribution": one.distribution},
        )


def _nearest(one: NotInstalled) -> str:
    """What is there that is written most like what is missing; empty for nothing alike."""
    from rapidfuzz import fuzz, process

    wanted = one.name or one.module.rpartition(".")[2]
    found = process.extractOne(wanted, one.names, scorer=fuzz.ratio, score_cutoff=80)
    return found[0] if found is not None else ""


@rule("IMP004", "missing-in-dependency", Severity.WARNING, errors_at=(Gate.IMAGE,), depends=Depends.NAMES)
def missing_in_dependency(program: Program) -> Iterator[Violation]:
    """An import of a module or name that the installed distribution does not have.

    ## What it does
    Looks for the environment that the project's code runs with: the configured one, a `.venv` or `venv` in the
    project's folder, the active one or the one that guard runs in where it holds all that the project asks for. There
    it reads the files of what is imported (never importing them) and computes what they bind, as for first-party
    modules. Only versions are judged that the project's requirements or lock file let in.

    ## What breaks in production
    ImportError or ModuleNotFoundError where the module is loaded: after an upgrade that moved or removed something, or
    because the name was never there.

    ## Bad
    `requirements.txt`:

    ```text
    shoplib>=2
    ```

    `.venv/pyvenv.cfg`:

    ```text
    version = 3.11
    ```

    `.venv/lib/python3.11/site-packages/shoplib-2.1.dist-info/RECORD`:

    ```text
    shoplib/__init__.py,,
    ```

    `.venv/lib/python3.11/site-packages/shoplib/__init__.py`:

    ```python
    class Error(Exception): ...
    ```

    `app.py`:

    ```python
    from shoplib import ServerError  # <- IMP004
    import shoplib.errors  # <- IMP004
    ```

    ## Good
    `requirements.txt`:

    ```text
    shoplib>=2
    ```

    `.venv/pyvenv.cfg`:

    ```text
    version = 3.11
    ```

    `.venv/lib/python3.11/site-packages/shoplib-2.1.dist-info/RECORD`:

    ```text
    shoplib/__init__.py,,
    ```

    `.venv/lib/python3.11/site-packages/shoplib/__init__.py`:

    ```python
    class Error(Exception): ...
    ```

    `app.py`:

    ```python
    from shoplib import Error
    ```

    ## Configuration
    `environment` names the environment; `none` looks at none.

    ## What it cannot see
    Compiled modules, modules with a `__getattr__`, lazy loaders, star imports of what is not installed: they may have
    any name. Imports under handlers of ImportError. Distributions that the project does not ask for, or of which
    another version is installed than it asks for.
    """
    for one in missing_in_dependencies(program):
        found = one.found
        source = f"{one.distribution.name} {one.distribution.version}"
        message = (
            f"{one.module} of {source} does not define {one.name}"
            if one.name
            else f"{source} has no module {one.module}"
        )
        error = "ImportError" if one.name else "ModuleNotFoundError"
        where = f"{found.statement.symbol} raises {error} whenever it is called."
        nearest = _nearest(one)
        yield Violation(
            path=found.path,
            span=_span(found.statement, one.alias),
            message=message,
            anchor=f"from {one.module} import {one.name}" if one.name else f"import {one.module}",
            symbol=found.statement.symbol,
            cause=where if found.lazy else f"Importing {found.path} raises {error}.",
            help=f"{nearest} is there." if nearest else f"Import what {source} has, or require a version that has it.",
            lazy=found.lazy,
            data={"module": one.module, "name": one.name, "distribution": one.distribution.name},
        )


@rule("IMP009", "test-code-in-production", Severity.ERROR)
def test_code_in_production(program: Program) -> Iterator[Violation]:
    """Production code that imports test code, or a package that only developers have.

    ## What it does
    Looks at imports of production code that lead into folders for tests (`tests/`, `conftest.py`, a package of test
    helpers), and at imports of distributions that only a development group, a development extra or a requirements file
    for developers asks for. Where something is deployed, only what it executes or may call is production code, with the
    folders that this stands in: plugins of linters, benchmarks and hooks of a build beside them are none. Neither are
    modules that only tests import, and what Django's management commands alone need.

    ## What breaks in production
    ModuleNotFoundError when the service starts: images and wheels leave tests and development packages out. Every test
    passes, for there they are installed.

    ## Bad
    `requirements.txt`:

    ```text
    fastapi
    ```

    `requirements-dev.txt`:

    ```text
    faker
    ```

    `app/main.py`:

    ```python
    import fastapi
    import faker  # <- IMP009
    from tests.helpers import make_user  # <- IMP009
    ```

    `tests/helpers.py`:

    ```python
    def make_user(): ...
    ```

    ## Good
    `requirements.txt`:

    ```text
    fastapi
    ```

    `requirements-dev.txt`:

    ```text
    faker
    ```

    `app/main.py`:

    ```python
    import fastapi
    from app.users import make_user
    ```

    `app/users.py`:

    ```python
    def make_user(): ...
    ```

    `tests/test_users.py`:

    ```python
    import faker
    from app.users import make_user
    ```

    ## Configuration
    `tests` and `tooling` tell files of which this cannot be seen.

    ## What it cannot see
    Imports in branches and under handlers of ImportError; of development packages, also those that only a call of some
    function carries out, as the commands for developers do. Helpers that are shipped for users' tests (`pkg.testing`),
    and tests that a library ships inside its package, unless they need a test framework. Images that install
    development packages too: then these are there.
    """
    for one in undeclared(program):
        if one.kind is not Kind.DEV or one.change is not None:
            continue
        found = one.found
        said = f": only {one.asked.path} asks for it" if one.asked is not None else ""
        yield Violation(
            path=found.path,
            span=_span(found.statement, found.alias),
            message=f"production code imports {found.module}, which is there for developers only{said}",
            anchor=f"import {found.module}",
            symbol=found.statement.symbol,
            cause=_fails(found.path, found.statement),
            help=f"Ask for {one.distribution} where the project's own dependencies stand, or do without it.",
            related=(Related(one.asked.path, 1, "the only requirements that bring it"),) if one.asked else (),
            lazy=found.lazy,
            data={"module": found.module, "name": "", "distribution": one.distribution},
        )
    for test in test_imports(program):
        yield Violation(
            path=test.path,
            span=_span(test.statement, test.alias),
            message=f"production code imports {test.module}, which is test code: it stands in {test.place}",
            anchor=f"import {test.module}",
            symbol=test.statement.symbol,
            cause="Where tests are left out of the image or the wheel, this raises ModuleNotFoundError.",
            help="Move what production needs out of the tests, and import it from there in both.",
            related=(Related(test.target, 1, "the test code"),),
            lazy=bool(test.statement.flags & LAZY),
            data={"module": test.module, "name": ""},
        )
