"""What an image lacks, because the build is not sent it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.dockerignore import Pattern
from guard.images.contents import Image
from guard.images.left_out import LostCopy, LostImport, LostStart, left_out_of, merged
from guard.impact import reach_of
from guard.model import Gate, Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule

_GATES: Final = (Gate.PRE_BUILD,)


@rule("IMG001", "missing-from-image", Severity.ERROR, gates=_GATES)
def missing_from_image(program: Program) -> Iterator[Violation]:
    """An import in an image, of a module of the tree that is not in it.

    ## What it does
    Follows the imports that certainly run from what an image's CMD and ENTRYPOINT start, through the files that its
    Dockerfile copies, and looks whether each module of the tree that they lead to is there too: whether the build is
    sent it, after `.dockerignore`, and anything copies it. Patterns mean what they mean to Docker: anchored at the top
    of the context, the last one that matches decides, and `app.Dockerfile.dockerignore` comes before `.dockerignore`.
    Which folder is the context is taken from compose files, or from what the Dockerfile copies, where only one folder
    has it.

    Imports that need not run at the start, in functions or in files that nothing certainly imports, are a warning: in
    production code of the package that is started, where no image that holds that code has the module, and the module
    is not among tests or tools.

    ## What breaks in production
    The build succeeds, and the container ends at its start with ModuleNotFoundError, although every test passes. Or it
    starts, is healthy, and every call of the function with the import fails.

    ## Bad
    `.dockerignore`:

    ```text
    **/models
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    WORKDIR /srv
    COPY app ./app
    CMD ["uvicorn", "app.main:app"]
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.models.user import User  # <- IMG001

    app = User
    ```

    `app/models/__init__.py`:

    ```python
    ```

    `app/models/user.py`:

    ```python
    class User: ...
    ```

    ## Good
    `.dockerignore`:

    ```text
    /models
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    WORKDIR /srv
    COPY app ./app
    CMD ["uvicorn", "app.main:app"]
    ```

    `app/__init__.py`:

    ```python
    ```

    `app/main.py`:

    ```python
    from app.models.user import User

    app = User
    ```

    `app/models/__init__.py`:

    ```python
    ```

    `app/models/user.py`:

    ```python
    class User: ...
    ```

    ## Configuration
    None.

    ## What it cannot see
    An image that may hold files from elsewhere is passed over: one that is built on an image of your own, unpacks an
    archive, clones a repository, or copies modules by wildcards or variables. What is outside of the context is passed
    over, since a requirement may bring it; so is a module whose name a command of the Dockerfile mentions, or that a
    compose file mounts. Imports in branches and in a `try` that catches their failure are not looked at, nor names in
    strings: what runs only in development is meant to be left out.
    """
    for losts in merged(left_out_of(program).imports):
        yield _missing_module(losts)


def _missing_module(losts: tuple[LostImport, ...]) -> Violation:
    first = losts[0]
    statement, asked = first.statement, first.asked
    place = asked.alias or statement
    module = "." * max(statement.level, 0) + ".".join(part for part in (asked.module, asked.name) if part)
    images = list(dict.fromkeys(lost.image.build.path for lost in losts))
    others = f", and of {len(images) - 1} more" if len(images) > 1 else ""
    related: tuple[Related, ...] = ()
    if first.pattern is not None:
        source, pattern = first.image.context.source, first.pattern
        why = f"{source}:{pattern.line} leaves out {first.file}"
        way_out = _way_out(first.image, pattern, first.file)
        related = (Related(source, pattern.line, f"leaves out {first.file}"),)
    else:
        why = f"nothing copies {first.file}"
        way_out = f"COPY it, or take the import out of what {images[0]} starts."
    return Violation(
        path=first.path,
        span=Span(place.line, place.column, place.end_line, place.end_column),
        message=f"{module} is not in the image of {images[0]}{others}: {why}",
        anchor=module,
        symbol=statement.symbol,
        cause="ModuleNotFoundError " + ("when the container starts." if first.line else "once this import runs."),
        help=way_out,
        related=(
            *related,
            *(Related(lost.image.build.path, lost.line, "starts what imports it") for lost in losts[:3] if lost.line),
        ),
        severity=None if first.line else Severity.WARNING,
        impact=Impact.STARTUP if first.line else Impact.RUNTIME,
        data={
            "module": module,
            "file": first.file,
            "images": images,
            "pattern": first.pattern.text if first.pattern is not None else "",
            "ignore_file": first.image.context.source if first.pattern is not None else "",
        },
    )


@rule("IMG002", "entrypoint-unresolved", Severity.ERROR, gates=_GATES)
def entrypoint_unresolved(program: Program) -> Iterator[Violation]:
    """A CMD or ENTRYPOINT that starts a file which `.dockerignore` leaves out of the image.

    ## What it does
    Takes the command of the stage that is built, and looks whether the script or the module of the tree that it starts
    is sent to the build.

    ## What breaks in production
    The build succeeds, and the container cannot start: no such file, or ModuleNotFoundError.

    ## Bad
    `.dockerignore`:

    ```text
    *.sh
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    WORKDIR /srv
    COPY . .
    ENTRYPOINT ["./start.sh"]
    ```

    ```expect
    Dockerfile:4 IMG002
    ```

    `start.sh`:

    ```sh
    exec python -m app
    ```

    ## Good
    `.dockerignore`:

    ```text
    *.sh
    !start.sh
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    WORKDIR /srv
    COPY . .
    ENTRYPOINT ["./start.sh"]
    ```

    `start.sh`:

    ```sh
    exec python -m app
    ```

    ## Configuration
    None.

    ## What it cannot see
    As IMG001. A command that an orchestrator gives in place of the image's own is not looked at.
    """
    for lost in left_out_of(program).starts:
        yield _missing_start(lost, program)


def _missing_start(lost: LostStart, program: Program) -> Violation:
    source, pattern = lost.image.context.source, lost.pattern
    return Violation(
        path=lost.image.build.path,
        span=Span(lost.line),
        message=f"{lost.named} is not in this image: {source}:{pattern.line} leaves out {lost.file}",
        anchor=lost.named,
        cause="The image is built, and the container ends at once: what it starts is not there.",
        help=_way_out(lost.image, pattern, lost.file),
        related=(
            Related(source, pattern.line, f"leaves out {lost.file}"),
            Related(lost.image.build.path, lost.copy.line, "copies what is sent of it"),
        ),
        impact=_impact(lost.image, program),
        data={"file": lost.file, "pattern": pattern.text, "ignore_file": source},
    )


@rule("IMG003", "excluded-by-ignore", Severity.ERROR, gates=_GATES)
def excluded_by_ignore(program: Program) -> Iterator[Violation]:
    """A COPY or ADD of a path that `.dockerignore` leaves out of the context.

    ## What it does
    Looks at each path that the stages of an image copy from the context: whether a pattern leaves it out, with all
    that is below it. It need not be in the tree.

    ## What breaks in production
    The build ends there: the file is "not found", although it is on the disk.

    ## Bad
    `.dockerignore`:

    ```text
    *
    !app
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    COPY requirements.txt .
    RUN pip install -r requirements.txt
    COPY app /srv/app
    ```

    ```expect
    Dockerfile:2 IMG003
    ```

    `app/main.py`:

    ```python
    ```

    `requirements.txt`:

    ```text
    fastapi
    ```

    ## Good
    `.dockerignore`:

    ```text
    *
    !app
    !requirements.txt
    ```

    `Dockerfile`:

    ```dockerfile
    FROM python:3.12-slim
    COPY requirements.txt .
    RUN pip install -r requirements.txt
    COPY app /srv/app
    ```

    `app/main.py`:

    ```python
    ```

    `requirements.txt`:

    ```text
    fastapi
    ```

    ## Configuration
    None.

    ## What it cannot see
    Paths with wildcards and variables. Stages that the image does not need are not looked at, as BuildKit does not make
    them. Where it is not certain which folder is the context, nothing is said.
    """
    for lost in left_out_of(program).copies:
        yield _missing_copy(lost, program)


def _missing_copy(lost: LostCopy, program: Program) -> Violation:
    source, pattern = lost.image.context.source, lost.pattern
    return Violation(
        path=lost.image.build.path,
        span=Span(lost.copy.line),
        message=f"{lost.source} cannot be copied: {source}:{pattern.line} leaves it out of the build",
        anchor=lost.source,
        cause=f"The build of this image ends here: {lost.source} is not found.",
        help=_way_out(lost.image, pattern, lost.image.build.place(lost.source)),
        related=(Related(source, pattern.line, f"leaves out {lost.source}"),),
        impact=_impact(lost.image, program),
        data={"file": lost.image.build.place(lost.source), "pattern": pattern.text, "ignore_file": source},
    )


def _impact(image: Image, program: Program) -> Impact:
    """What a finding in a Dockerfile hits: a service that does not start, or only tests or tools."""
    kind = reach_of(program).kind(image.build.path)
    return Impact.STARTUP if kind is Impact.RUNTIME else kind


def _way_out(image: Image, pattern: Pattern, file: str) -> str:
    inside = image.context.inside(file)
    return f"Narrow the pattern {pattern.text!r}, or add !{inside} below it in {image.context.source}."
