"""What a session of the staging loop is to do: the table `[tool.guard.loop]`, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Command = Annotated[
    tuple[Text, ...], Meta(min_length=1, extra={"expected": "a list of texts, a program and its arguments"})
]
"""A program and its arguments; no shell is involved."""
Seconds = Annotated[
    float, Meta(gt=0, le=86_400, extra={"expected": "a number of seconds, more than 0 and at most a day"})
]
Words = Annotated[str, Meta(extra={"expected": "a text"})]
"""A text that may be empty."""
JsonValue = Annotated[object, Meta(extra_json_schema={"description": "Any value."})]
Texts = Mapping[str, Words]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the plan. Keys are spelled with underscores, other than those of the checks."""


class Target(_Table, frozen=True):
    """What is deployed to, and what tests are told of it."""

    name: Annotated[Text, Meta(description="The target's name; two sessions never run on one name at once.")] = "local"
    base_url: Annotated[
        Words, Meta(description="Where the service answers. With kind `local` a free port is taken.")
    ] = ""
    websocket_path: Annotated[Words, Meta(description="The path of the WebSocket, from which its URL is made.")] = ""
    websocket_url: Annotated[Words, Meta(description="The WebSocket's URL where it is not under `base_url`.")] = ""
    revision: Annotated[Words, Meta(description="The revision that must answer, where deploying does not tell.")] = ""
    env: Annotated[
        Texts,
        Meta(description="Environment variables for the tests; `${NAME}` is taken from guard's own environment."),
    ] = {}


class Deploy(_Table, frozen=True):
    """How the service gets there, and back."""

    kind: Annotated[
        Literal["local", "compose", "cloud-run", "kubernetes", "command"], Meta(description="The deployer.")
    ] = "local"
    timeout_s: Annotated[Seconds, Meta(description="For the deploy as a whole.")] = 600
    env: Annotated[Texts, Meta(description="Environment variables for the service or the commands.")] = {}
    # local
    app: Annotated[Words, Meta(description="local: what uvicorn serves, as `module:attribute`.")] = ""
    folder: Annotated[Words, Meta(description="local: the folder that the app is imported from.")] = "."
    python: Annotated[Words, Meta(description="local: the Python that has uvicorn; guard's own unless given.")] = ""
    port: Annotated[
        int, Meta(ge=0, le=65_535, description="local: the port to listen on; that of `base_url` unless given.")
    ] = 0
    keep: Annotated[bool, Meta(description="local, compose: leave the service running when the session ends.")] = False
    # compose
    file: Annotated[Words, Meta(description="compose: the compose file.")] = ""
    project: Annotated[Words, Meta(description="compose: the project's name. cloud-run: the Google Cloud project.")] = (
        ""
    )
    # cloud-run
    service: Annotated[Words, Meta(description="cloud-run, compose: the service.")] = ""
    region: Annotated[Words, Meta(description="cloud-run: the region.")] = ""
    image: Annotated[Words, Meta(description="cloud-run, kubernetes: the image to deploy.")] = ""
    source: Annotated[Words, Meta(description="cloud-run: the folder to build from, in place of an image.")] = ""
    # kubernetes
    context: Annotated[Words, Meta(description="kubernetes: the context of the kubeconfig.")] = ""
    namespace: Annotated[Words, Meta(description="kubernetes: the namespace.")] = ""
    deployment: Annotated[Words, Meta(description="kubernetes: the deployment.")] = ""
    container: Annotated[
        Words, Meta(description="kubernetes: the container that gets the image; `env` goes to all.")
    ] = ""
    manifests: Annotated[tuple[Text, ...], Meta(description="kubernetes: files or folders to apply.")] = ()
    # command
    deploy: Annotated[Command | None, Meta(description="command: deploys.")] = None
    revision: Annotated[Command | None, Meta(description="command: prints the id of the revision that serves.")] = None
    rollback: Annotated[
        Command | None, Meta(description="command: goes back; `{revision}` in it is the revision to go back to.")
    ] = None
    logs: Annotated[Command | None, Meta(description="command: prints the service's log.")] = None


class Probe(_Table, frozen=True):
    """One question to the deployed service, asked until it is answered well or the time is over."""

    kind: Annotated[Literal["http", "websocket"], Meta(description="What is asked.")] = "http"
    path: Annotated[Words, Meta(description="Below the base URL; for a websocket, the plan's path unless given.")] = ""
    status: Annotated[int, Meta(ge=100, le=599, description="http: the status that is healthy.")] = 200
    json: Annotated[
        Mapping[str, JsonValue],
        Meta(description="http: fields of the JSON answer and their values; dots lead into objects."),
    ] = {}
    revision: Annotated[
        str,
        Meta(
            pattern=r"^(json|header):.+$|^$",
            description="Where the answer says which revision it is: `json:field` or `header:name`.",
            extra={"expected": "`json:field` or `header:name`"},
        ),
    ] = ""
    max_ms: Annotated[float, Meta(ge=0, description="The slowest healthy answer, in milliseconds; 0 for any.")] = 0
    headers: Annotated[Texts, Meta(description="Sent along; `${NAME}` is taken from the environment.")] = {}
    subprotocols: Annotated[tuple[Text, ...], Meta(description="websocket: the subprotocols that are offered.")] = ()
    send: Annotated[Words, Meta(description="websocket: a message to send once it is open.")] = ""
    expect: Annotated[Words, Meta(description="websocket: a piece of text that an answer must hold.")] = ""
    cold_start_s: Annotated[
        Seconds, Meta(description="How long the service may take to answer well the first time.")
    ] = 60
    timeout_s: Annotated[Seconds, Meta(description="For one attempt.")] = 10


class Phase(_Table, frozen=True):
    """A group of tests, and what has to hold after them."""

    name: Annotated[Text, Meta(description="The phase's name.")]
    tests: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="Files, folders, globs or node ids of tests, as pytest has them."),
    ]
    markers: Annotated[Words, Meta(description="A marker expression, as for `pytest -m`.")] = ""
    priority: Annotated[Literal["P0", "P1", "P2", "P3"], Meta(description="What `--priority` selects by.")] = "P1"
    at_risk: Annotated[Words, Meta(description="What is lost while this phase fails, as the team writes it.")] = ""
    real: Annotated[bool, Meta(description="Whether a test that passes without reaching the target is unproven.")] = (
        True
    )
    fail_fast: Annotated[bool, Meta(description="Stop the session at the first failure.")] = False
    test_timeout_s: Annotated[Seconds, Meta(description="For each test.")] = 60
    timeout_s: Annotated[Seconds, Meta(description="For the phase as a whole.")] = 600
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes that the tests are spread over.")] = 1
    criteria: Annotated[tuple[Text, ...], Meta(description="Expressions over what was measured.")] = ()


class Publish(_Table, frozen=True):
    """Where a session is published."""

    repository: Annotated[Words, Meta(description="The GitHub repository, as `owner/name`.")] = ""
    api_url: Annotated[Words, Meta(description="GitHub's REST API.")] = "https://api.github.com"
    token_env: Annotated[Text, Meta(description="The environment variable that holds the token.")] = "GITHUB_TOKEN"
    labels: Annotated[tuple[Text, ...], Meta(description="Labels of the issue.")] = ("guard-loop",)
    base: Annotated[
        Words, Meta(description="The branch that a pull request is for; the default branch unless given.")
    ] = ""
    pull_request: Annotated[bool, Meta(description="Whether a branch and a pull request are made.")] = True


class Plan(_Table, frozen=True):
    """Everything that a session is to do."""

    goal: Annotated[
        int | str,
        Meta(
            description='`all`, a number of distinct tests that must pass, or a rate such as "pass_rate >= 0.99".',
            extra={"expected": '"all", a whole number, or a rate such as "pass_rate >= 0.99"'},
        ),
    ] = "all"
    cycles: Annotated[int, Meta(ge=1, le=1000, description="How many times to go round at the most.")] = 1
    mission: Annotated[Words, Meta(description="One sentence on what the session is for, for its log.")] = ""
    on_failure: Annotated[
        Command | None, Meta(description="A command that is given the failure's JSON on standard input.")
    ] = None
    on_failure_timeout_s: Annotated[Seconds, Meta(description="For that command.")] = 3600
    target: Annotated[Target, Meta(description="What is deployed to.")] = Target()
    deploy: Annotated[Deploy, Meta(description="How the service gets there.")] = Deploy()
    health: Annotated[tuple[Probe, ...], Meta(description="What is asked of the service before any test runs.")] = ()
    phases: Annotated[tuple[Phase, ...], Meta(description="The groups of tests, in their order.")] = ()
    publish: Annotated[Publish, Meta(description="Where the session is told of.")] = Publish()
