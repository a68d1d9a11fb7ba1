"""YAML that starts containers: compose files, and manifests of Kubernetes, Knative and Cloud Run.

Only the node graph is made, never objects: nodes have their lines, and an alias is the node itself, so that a document
of aliases upon aliases stays as small as it is written.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.entrypoints.commands import starts_in, starts_of
from guard.entrypoints.files import Named

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_COMPOSE_FILE: Final = re.compile(r"(^|/)(docker-|podman-)?compose[^/]*\.ya?ml$")
_WORKLOAD: Final = re.compile(
    r"^kind:\s*[\"']?(Deployment|StatefulSet|DaemonSet|ReplicaSet|Pod|Job|CronJob|Service|WorkerPool|Rollout)\b",
    re.MULTILINE,
)
_COMMAND: Final = re.compile(r"\b(?:command|args)[\"']?\s*:")
_DOCUMENT: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_DEPTH: Final = 50
_POD: Final = (
    ("spec", "template", "spec"),
    ("spec",),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("spec", "template", "spec", "template", "spec"),
)
"""Where a pod's specification stands: of most workloads, a Pod, a CronJob, a Cloud Run job."""
_MERGES: Final = 3
"""How many `<<` are followed from one mapping to the next."""
_MERGED: Final = 8
"""How many mappings one `<<` may list."""


class ComposeBuild(msgspec.Struct, frozen=True):
    """What one service of a compose file builds."""

    context: str
    """The folder, as a path of the tree; empty for its top."""
    dockerfile: str
    """Relative to the context; empty for the usual name."""
    target: str
    mounts: tuple[str, ...]
    """Paths of the tree that are mounted into the running container; the empty one is all of it."""


def is_compose(path: str) -> bool:
    """Whether a file is a compose file, by its name."""
    return path.endswith((".yaml", ".yml")) and _COMPOSE_FILE.search(path) is not None


def compose_services(text: str, folder: str) -> Iterator[ComposeBuild]:
    """What the services of a compose file in `folder` build, as far as it is certain and in the tree."""
    if "build" not in text:
        return
    for service in _values(_get(_root(text), "services")):
        build = _get(service, "build")
        short = _scalar(build)
        context = short if short is not None else _scalar(_get(build, "context"))
        if build is None or (short is None and _get(build, "dockerfile_inline") is not None):
            continue
        if context is None and _pairs(build):
            context = "."  # the folder of the file, by the specification
        place = _in_tree(folder, context or "")
        dockerfile, target = (_scalar(_get(build, key)) or "" for key in ("dockerfile", "target"))
        if place is None or "$" in dockerfile + target or dockerfile.startswith("/"):
            continue
        # What comes from another context is not in this one.
        if _get(build, "additional_contexts") is None:
            yield ComposeBuild(place, dockerfile, target, tuple(_mounts(service, folder)))


def _mounts(service: Node, folder: str) -> Iterator[str]:
    """What of the tree a service mounts, or copies into the container while it runs."""
    for volume in _items(_get(service, "volumes")):
        short = _scalar(volume)
        source = short.partition(":")[0] if short is not None else _scalar(_get(volume, "source")) or ""
        if short is not None and ":" not in short:
            continue
        if source.startswith((".", "$")):
            # Of what nobody can tell, `${PWD}` for one, all may be mounted; an absolute path is one of the machine.
            yield _in_tree(folder, source) or ""
    for watch in _items(_get(_get(service, "develop"), "watch")):
        yield _in_tree(folder, _scalar(_get(watch, "path")) or ".") or ""


def _in_tree(folder: str, path: str) -> str | None:
    """A path that counts from a folder, as one of the tree; None for one outside, and where it is not certain."""
    if not path or "$" in path or ":" in path or path.startswith(("/", "~", "git@")):
        return None
    place = posixpath.normpath(posixpath.join(folder, path))
    if place == ".." or place.startswith("../"):
        return None
    return "" if place == "." else place


def is_manifest(path: str) -> bool:
    """Whether the file at `path` may be one, by its name."""
    return path.endswith((".yaml", ".yml"))


def in_manifest(path: str, text: str) -> Iterator[Named]:
    """What the containers of a manifest start; nothing for other YAML, and for what is malformed."""
    if _COMMAND.search(text) is None and "entrypoint" not in text:
        return
    if _COMPOSE_FILE.search(path):
        yield from _in_compose(_root(text))
        return
    if _WORKLOAD.search(text) is None:
        return
    first = 0
    for document in _DOCUMENT.split(text):
        if _WORKLOAD.search(document) and _COMMAND.search(document):
            for named in _in_workload(_root(document)):
                yield Named(named.line + first, named.starts, named.variables)
        first += document.count("\n")


def _root(text: str) -> Node | None:
    """The node graph of one document; None where there is none."""
    if _flow_depth(text) > _DEPTH:
        return None
    # Few trees need it, and it takes a twentieth of a second to import.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is used again, say, which is valid YAML
            root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, OverflowError, RecursionError):  # the middle two for escapes of no character
        return None
    return root


def _flow_depth(text: str) -> int:
    """How deep brackets and braces are nested; the parser takes seconds for what is only that."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _in_compose(root: Node | None) -> Iterator[Named]:
    for service in _values(_get(root, "services")):
        yield from _container(_get(service, "entrypoint"), _get(service, "command"))


def _in_workload(root: Node | None) -> Iterator[Named]:
    for way in _POD:
        pod = root
        for key in way:
            pod = _get(pod, key)
        for kind in ("containers", "initContainers"):
            for container in _items(_get(pod, kind)):
                yield from _container(_get(container, "command"), _get(container, "args"))


def _container(command: Node | None, arguments: Node | None) -> Iterator[Named]:
    """A container's two parts: each may start something by itself, and together they are one command."""
    parts = [part for part in (command, arguments) if part is not None]
    for part in parts:
        text = _scalar(part)
        words = [word for item in _items(part) if (word := _scalar(item)) is not None]
        starts = starts_in(text) if text is not None else starts_of(words)
        yield Named(_line(part), tuple(dict.fromkeys(starts)))
    if command is not None and arguments is not None:
        words = [*_words(command), *_words(arguments)]
        yield Named(_line(arguments), tuple(dict.fromkeys(starts_of(words))))


def _words(node: Node) -> list[str]:
    text = _scalar(node)
    if text is not None:
        return text.split()
    return [word for item in _items(node) if (word := _scalar(item)) is not None]


def _line(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1


def _scalar(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _items(node: Node | None) -> list[Node]:
    """The nodes of a sequence; none for anything else."""
    if node is None or not isinstance(node.value, list):
        return []
    return [item for item in node.value if not isinstance(item, tuple)]


def _pairs(node: Node | None) -> list[tuple[Node, Node]]:
    """The pairs of a mapping; none for anything else."""
    if node is None or not isinstance(node.value, list):
        return []
    return [item for item in node.value if isinstance(item, tuple)]


def _values(node: Node | None) -> list[Node]:
    return [value for _, value in _pairs(node)]


def _get(node: Node | None, key: str, merges: int = _MERGES) -> Node | None:
    """The value of a mapping's key, its own or one that `<<` brings in."""
    merged: list[Node] = []
    for name, value in _pairs(node):
        text = _scalar(name)
        if text == key:
            return value
        if text == "<<":
            merged += _items(value) or [value]
    if not merges:
        return None
    return next((found for other in merged[:_MERGED] if (found := _get(other, key, merges - 1)) is not None), None)
