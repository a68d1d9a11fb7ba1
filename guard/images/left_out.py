"""What the images of the tree cannot do without, and do not hold."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from guard.checks.elsewhere import Asked
from guard.checks.module_facts import Import
from guard.checks.modules import FAMILY as MODULES
from guard.dockerignore import Pattern
from guard.images.contents import Image
from guard.images.dockerfile import Copy
from guard.images.found import images_of
from guard.images.needs import Need, Step, Steps
from guard.impact import Reach, reach_of
from guard.model import Impact
from guard.program import Program


class LostCopy(msgspec.Struct, frozen=True):
    """A `COPY` or `ADD` of a path that is not sent: the build fails there."""

    image: Image
    copy: Copy
    source: str
    """The path of the context."""
    pattern: Pattern


class LostStart(msgspec.Struct, frozen=True):
    """What the image starts, and is not sent."""

    image: Image
    line: int
    named: str
    """As the command has it."""
    file: str
    pattern: Pattern
    copy: Copy
    """What would have brought it into the image."""


class LostImport(msgspec.Struct, frozen=True):
    """An import in an image, of a module that is not in it."""

    image: Image
    line: int
    """The CMD or ENTRYPOINT that has it run; 0 where it need not run when the image starts."""
    path: str
    statement: Import
    asked: Asked
    file: str
    pattern: Pattern | None
    """What leaves it out; None where no `COPY` takes it either."""


class LeftOut(msgspec.Struct, frozen=True):
    """All of it, in the order of the builds."""

    copies: tuple[LostCopy, ...] = ()
    starts: tuple[LostStart, ...] = ()
    imports: tuple[LostImport, ...] = ()


def left_out_of(program: Program) -> LeftOut:
    """What the builds of the tree lack, found once."""
    found = program.remembered.get("left out of images")
    if not isinstance(found, LeftOut):
        found = program.remembered["left out of images"] = _find(program)
    return found


def _find(program: Program) -> LeftOut:
    images = images_of(program).images
    copies = [lost for image in images for lost in _lost_copies(image)]
    known = [image for image in images if image.is_known]
    starts = [lost for image in known for lost in _lost_starts(image)]
    modules = program.linked(MODULES) if known else None
    if modules is None:
        return LeftOut(tuple(copies))
    steps = {image.roots: Steps(modules, image.roots) for image in known}
    imports = [lost for image in known for lost in _lost_at_start(image, steps[image.roots])]
    told = {_key(lost) for lost in imports}
    later = _lost_later(program, images, steps)
    return LeftOut(tuple(copies), tuple(starts), (*imports, *(lost for lost in later if _key(lost) not in told)))


def _lost_copies(image: Image) -> Iterator[LostCopy]:
    build = image.build
    for stage in build.dockerfile.needed(build.target):
        for copy in stage.copies:
            for source in copy.sources:
                place = build.place(source)
                pattern = image.context.leaves_out_all_of(place) if source else None
                if pattern is not None and place not in (build.path, image.context.source):
                    yield LostCopy(image, copy, source, pattern)


def _lost_starts(image: Image) -> Iterator[LostStart]:
    for entry in image.entries:
        for file in image.files_of(entry):
            # Without its __init__.py a package is one without.
            lost = image.lost(file.removesuffix("/__init__.py"))
            if lost is not None:
                yield LostStart(image, entry.line, entry.script or entry.module, file, *lost)
                break


def _lost_at_start(image: Image, steps: Steps) -> Iterator[LostImport]:
    """The imports that certainly run when an image starts, of modules that are not in it."""
    waiting: deque[tuple[str, int]] = deque()
    for entry in image.entries:
        files = image.files_of(entry)
        if all(map(image.holds, files)):
            waiting.extend((file, entry.line) for file in files)
    seen = {path for path, _ in waiting}
    while waiting:
        path, line = waiting.popleft()
        for step in steps.of(path):
            if step.is_lazy:
                continue
            lost = next(_lacking(image, path, step, line), None)
            if lost is not None:
                yield lost
                continue
            for file in step.executed:
                if file not in seen and image.holds(file):
                    seen.add(file)
                    waiting.append((file, line))


def _lacking(image: Image, path: str, step: Step, line: int) -> Iterator[LostImport]:
    """What an import of a file that an image holds lacks in it."""
    for need in step.needs:
        if image.holds(need.file):
            continue
        lost = image.lost(need.place)
        if lost is not None:
            yield LostImport(image, line, path, step.statement, need.asked, need.file, lost[0])
        elif image.is_not_copied(need.place, need.asked):
            yield LostImport(image, line, path, step.statement, need.asked, need.file, None)


def _lost_later(
    program: Program, images: Sequence[Image], steps: Mapping[frozenset[str], Steps]
) -> Iterator[LostImport]:
    """The imports that need not run at the start of images, in the package that one of them starts, of modules that are
    in none of the images which hold that code. What lies among tests or tools is left out on purpose."""
    reach = reach_of(program)
    starting = [image for image in images if image.is_known and any(map(image.files_of, image.entries))]
    if not starting:
        return
    others = [image for image in images if not image.is_known]
    for path in program.linked(MODULES).facts:
        if not path.endswith(".py") or reach.kind(path) is not Impact.RUNTIME:
            continue
        holding = [image for image in starting if image.holds(path)]
        if not any(path.startswith(image.packages) for image in holding):
            continue
        roots = {image.roots for image in holding}
        for step in steps[holding[0].roots].of(path) if len(roots) == 1 else ():
            for need in step.needs:
                if any(image.holds(need.file) for image in holding) or not _is_production(need, reach):
                    continue
                if any(image.may_hold(path) and image.may_hold(need.file) for image in others):
                    continue
                found = [next(_lacking(image, path, step, 0), None) for image in holding]
                if all(found):
                    yield from filter(None, found)
                    break


def _is_production(need: Need, reach: Reach) -> bool:
    """Whether the folder that a module lies in is one of production code, whatever the module is called."""
    return reach.kind(posixpath.join(posixpath.dirname(need.file), "_.py")) is Impact.RUNTIME


def _key(lost: LostImport) -> tuple[str, int, int, str, str]:
    statement = lost.statement
    return lost.path, statement.line, statement.column, lost.asked.module, lost.asked.name


def merged(losts: Iterable[LostImport]) -> Iterator[tuple[LostImport, ...]]:
    """What several images lack for one import, together."""
    found: dict[tuple[str, int, int, str, str], list[LostImport]] = {}
    for lost in losts:
        found.setdefault(_key(lost), []).append(lost)
    yield from (tuple(found[key]) for key in sorted(found))
