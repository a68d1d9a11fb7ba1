"""The images of a tree, and of which of them not all can be seen."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final

import msgspec

from guard.images.builds import Build, find_builds
from guard.images.contents import Image
from guard.impact import reach_of
from guard.model import Impact
from guard.program import Program
from guard.sources.context import IGNORE_FILE, find_context


class Images(msgspec.Struct, frozen=True):
    """All of them."""

    images: tuple[Image, ...]
    """In the order of the builds."""
    dockerfiles: frozenset[str]
    """All Dockerfiles, those of which it is not known which folder they are built with too."""
    passed_over: frozenset[str]
    """Those of them that nothing, or not all, is known of although they were read."""


def images_of(program: Program) -> Images:
    """The images of the tree, found once."""
    found = program.remembered.get("images")
    if not isinstance(found, Images):
        found = program.remembered["images"] = _find(program)
    return found


def _find(program: Program) -> Images:
    tree = program.tree
    found = find_builds(tree)
    images = []
    passed_over = set(found.passed_over)
    for build in found.builds:
        context = find_context(tree, build.context, build.path, program.is_beside)
        if context is not None and build.dockerfile.chain(build.target):
            images.append(Image(program, build, context))
        elif context is None and any(path in tree.files for path in _ignore_files(build)):
            passed_over.add(build.path)
    return Images(tuple(images), found.dockerfiles, frozenset(passed_over))


def _ignore_files(build: Build) -> tuple[str, ...]:
    return f"{build.path}{IGNORE_FILE}", posixpath.join(build.context, IGNORE_FILE)


def unparsed_in_images(program: Program) -> Mapping[str, tuple[str, ...]]:
    """The production code that does not parse, so that nobody knows what it imports, by the Dockerfiles whose images
    hold it."""
    images = [image for image in images_of(program).images if image.is_known]
    if not images:
        return {}
    reach = reach_of(program)
    unparsed = [
        path
        for path, facts in program.files.items()
        if not facts.parsed and facts.problem is None and facts.kind == "python" and reach.kind(path) is Impact.RUNTIME
    ]
    held: dict[str, dict[str, None]] = {}
    for image in images:
        held.setdefault(image.build.path, {}).update(dict.fromkeys(filter(image.holds, unparsed)))
    return {path: tuple(files) for path, files in held.items()}


_SAYS_NOTHING: Final = frozenset(
    {
        *("bmp", "css", "csv", "gif", "htm", "html", "ico", "ipynb", "jpeg", "jpg", "js", "jsonl", "jsx", "log", "map"),
        *("md", "mdx", "mp3", "mp4", "ndjson", "parquet", "pdf", "png", "po", "rst", "sql", "svg", "ts", "tsv", "tsx"),
        *("webp", "xml", "zip"),
    }
)
"""Extensions of data, of documents, and of code for browsers."""


def may_say_what_is_built(path: str) -> bool:
    """Whether what images are made of, and start, may hang on what is in a file, by its name. That may be nearly any:
    Dockerfiles, what names these, scripts, Python, and what says where Python finds modules, or that some are made."""
    return path.rpartition(".")[2].lower() not in _SAYS_NOTHING
