"""The part of SARIF 2.1.0 (OASIS Standard, 27 March 2020) that guard writes, as types.

Keys are the standard's, in camel case. A field at its default is left out of the output.
"""

from __future__ import annotations

import msgspec


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A SARIF object."""


class Message(_Object, frozen=True, kw_only=True):
    """Text for a person."""

    text: str


class MultiformatMessage(_Object, frozen=True, kw_only=True):
    """Text for a person, in Markdown as well."""

    text: str
    markdown: str


class ArtifactLocation(_Object, frozen=True, kw_only=True):
    """A file: a percent-encoded URI, relative to the base."""

    uri: str
    uri_base_id: str


class Region(_Object, frozen=True, kw_only=True):
    """A stretch of a file. Lines and columns from 1; the end column is the one behind the last character."""

    start_line: int
    start_column: int | None = None
    end_line: int | None = None
    end_column: int | None = None


class PhysicalLocation(_Object, frozen=True, kw_only=True):
    """A place in a file."""

    artifact_location: ArtifactLocation
    region: Region | None = None


class LogicalLocation(_Object, frozen=True, kw_only=True):
    """A place in the code's own terms."""

    fully_qualified_name: str


class Location(_Object, frozen=True, kw_only=True):
    """A place, and what it has to do with the result."""

    id: int | None = None
    physical_location: PhysicalLocation
    logical_locations: tuple[LogicalLocation, ...] = ()
    message: Message | None = None


class Configuration(_Object, frozen=True, kw_only=True):
    """A rule's own level."""

    level: str


class RuleProperties(_Object, frozen=True, kw_only=True):
    """What GitHub reads of a rule beside the standard's own keys."""

    tags: tuple[str, ...]
    problem_severity: str = msgspec.field(name="problem.severity")


class Descriptor(_Object, frozen=True, kw_only=True):
    """A rule."""

    id: str
    name: str
    short_description: Message | None = None
    full_description: MultiformatMessage | None = None
    help: MultiformatMessage | None = None
    default_configuration: Configuration | None = None
    properties: RuleProperties | None = None


class Driver(_Object, frozen=True, kw_only=True):
    """The tool."""

    name: str
    semantic_version: str
    rules: tuple[Descriptor, ...]


class Tool(_Object, frozen=True, kw_only=True):
    """The tool, without extensions."""

    driver: Driver


class ResultProperties(_Object, frozen=True, kw_only=True):
    """What SARIF has no key for."""

    impact: str
    symbol: str
    fix: str = ""
    """`safe` or `unsafe`, where `--fix` can mend it."""
    omitted_related_locations: int = 0


class Fingerprints(_Object, frozen=True, kw_only=True):
    """What makes a result the same in two revisions."""

    guard_v1: str = msgspec.field(name="guardFingerprint/v1")


class Result(_Object, frozen=True, kw_only=True):
    """A finding."""

    rule_id: str
    rule_index: int
    level: str
    message: Message
    locations: tuple[Location, ...]
    related_locations: tuple[Location, ...] = ()
    partial_fingerprints: Fingerprints
    properties: ResultProperties


class DescriptorReference(_Object, frozen=True, kw_only=True):
    """What kind of notification."""

    id: str


class Notification(_Object, frozen=True, kw_only=True):
    """Something about the run itself."""

    descriptor: DescriptorReference
    level: str
    message: Message
    locations: tuple[Location, ...] = ()


class Invocation(_Object, frozen=True, kw_only=True):
    """How the run went."""

    execution_successful: bool
    exit_code: int
    tool_execution_notifications: tuple[Notification, ...] = ()


class BaseLocation(_Object, frozen=True, kw_only=True):
    """What the base of relative URIs is; where it lies is the reader's to say."""

    description: Message


class Bases(_Object, frozen=True, kw_only=True):
    """The bases of relative URIs."""

    root: BaseLocation = msgspec.field(name="%SRCROOT%")


class Run(_Object, frozen=True, kw_only=True):
    """One run of one tool."""

    tool: Tool
    invocations: tuple[Invocation, ...]
    original_uri_base_ids: Bases
    column_kind: str
    results: tuple[Result, ...]
    """Always given: an empty list says that nothing was found, a missing one that nothing was looked for."""


class Log(_Object, frozen=True, kw_only=True):
    """The document."""

    schema: str = msgspec.field(name="$schema")
    version: str
    runs: tuple[Run, ...]
