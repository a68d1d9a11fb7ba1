"""A server on this machine that keeps issues, comments, refs and pull requests as GitHub does.

What it answers is made from githubkit's own models, so that it has every key that they require.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import re
import threading
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import githubkit
from pydantic import BaseModel, TypeAdapter, ValidationError

_CLIENT = githubkit.GitHub("x")
MODELS = importlib.import_module(type(_CLIENT.rest.issues).__module__.rpartition(".rest.")[0] + ".models")
"""Those of the version of the API that githubkit asks for."""
FIRST = "c0" * 20
"""The only commit at first."""
ROUTES: list[tuple[str, re.Pattern[str], str]] = [
    ("GET", re.compile(r"/repos/acme/chat"), "repository"),
    ("GET", re.compile(r"/repos/acme/chat/issues"), "issues"),
    ("POST", re.compile(r"/repos/acme/chat/issues"), "new_issue"),
    ("GET", re.compile(r"/repos/acme/chat/issues/(\d+)"), "issue"),
    ("PATCH", re.compile(r"/repos/acme/chat/issues/(\d+)"), "change_issue"),
    ("POST", re.compile(r"/repos/acme/chat/issues/(\d+)/labels"), "add_labels"),
    ("GET", re.compile(r"/repos/acme/chat/issues/(\d+)/comments"), "comments"),
    ("POST", re.compile(r"/repos/acme/chat/issues/(\d+)/comments"), "new_comment"),
    ("PATCH", re.compile(r"/repos/acme/chat/issues/comments/(\d+)"), "change_comment"),
    ("GET", re.compile(r"/repos/acme/chat/git/ref/(.+)"), "ref"),
    ("POST", re.compile(r"/repos/acme/chat/git/refs"), "new_ref"),
    ("PATCH", re.compile(r"/repos/acme/chat/git/refs/(.+)"), "change_ref"),
    ("GET", re.compile(r"/repos/acme/chat/git/commits/(\w+)"), "commit"),
    ("POST", re.compile(r"/repos/acme/chat/git/commits"), "new_commit"),
    ("POST", re.compile(r"/repos/acme/chat/git/trees"), "new_tree"),
    ("GET", re.compile(r"/repos/acme/chat/contents/(.+)"), "content"),
    ("GET", re.compile(r"/repos/acme/chat/pulls"), "pulls"),
    ("POST", re.compile(r"/repos/acme/chat/pulls"), "new_pull"),
    ("PATCH", re.compile(r"/repos/acme/chat/pulls/(\d+)"), "change_pull"),
]


def sample(model: type[BaseModel], **given: Any) -> dict[str, Any]:
    """JSON that `model` takes: `given` by the keys of the JSON, and of the rest no more than it requires."""
    fields = {field.alias or name for name, field in model.model_fields.items()}
    assert given.keys() <= fields
    return _required(model) | given


@functools.cache
def _required(model: type[BaseModel]) -> dict[str, Any]:
    fields = [(field.alias or name, field) for name, field in model.model_fields.items() if field.is_required()]
    return {key: _value(field.rebuild_annotation()) for key, field in fields}


def _value(kind: Any) -> Any:
    """The plainest value that a type takes."""
    for value in (
        None,
        "x",
        1,
        True,
        "2026-09-21T14:13:20Z",
        "https://github.example/x",
        [],
        {},
        "open",
        "OWNER",
        "User",
    ):
        try:
            TypeAdapter(kind).validate_python(value)
        except ValidationError:
            continue
        return value
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return arguments[0]
    for one in (kind, *arguments):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return sample(one)
        if typing.get_origin(one) in (typing.Annotated, typing.Union):
            return _value(typing.get_args(one)[0])
        if typing.get_origin(one) is typing.Literal:
            return typing.get_args(one)[0]
    raise AssertionError(f"no sample of {kind}")


class GitHub:
    """The repository acme/chat, and what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: set[str] = set()
        self.issues_: list[dict[str, Any]] = []
        self.comments_: dict[int, list[dict[str, Any]]] = {}
        self.pulls_: list[dict[str, Any]] = []
        self.trees: dict[str, dict[str, str]] = {"t0": {"README.md": "read me"}}
        self.commits: dict[str, tuple[str, list[str]]] = {FIRST: ("t0", [])}
        self.refs = {"heads/main": FIRST}
        self.faults: list[Callable[[str, str], tuple[int, dict[str, str], dict[str, Any], bool] | None]] = []
        """Asked with method and path, each may give a status, headers, a body, and whether to do it all the same."""
        self._lock = threading.Lock()

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [f"{method} {path}" for method, path, _ in self.asked if method != "GET"]

    def answer(self, method: str, target: str, token: str, body: Any, accept: str) -> tuple[int, dict[str, str], bytes]:
        """What is said to a request."""
        with self._lock:
            parts = urlsplit(target)
            self.asked.append((method, parts.path, body))
            self.tokens.add(token)
            for fault in self.faults:
                found = fault(method, parts.path)
                if found is not None:
                    status, headers, said, done = found
                    if done:
                        self._do(method, parts.path, parse_qs(parts.query), body, accept)
                    return status, headers, json.dumps(said).encode()
            return self._do(method, parts.path, parse_qs(parts.query), body, accept)

    def _do(self, method: str, path: str, query: Any, body: Any, accept: str) -> tuple[int, dict[str, str], bytes]:
        for verb, pattern, name in ROUTES:
            match = pattern.fullmatch(path)
            if verb == method and match is not None:
                status, said = getattr(self, name)(query, body, *match.groups())
                return status, {}, said if isinstance(said, bytes) else json.dumps(said).encode()
        return 404, {}, b'{"message": "Not Found"}'

    # Issues

    def issues(self, query: Any, _body: Any) -> tuple[int, Any]:
        """By label, page by page; the newest first; pull requests among them, as GitHub has it."""
        wanted = set(query.get("labels", [""])[0].split(",")) - {""}
        pulls = [
            sample(MODELS.Issue, **{k: pull[k] for k in ("number", "title", "body", "html_url")}, labels=[],
                   pull_request=sample(MODELS.IssuePropPullRequest))
            for pull in self.pulls_
        ]  # fmt: skip
        found = [one for one in pulls + self.issues_ if wanted <= set(one["labels"])][::-1]
        assert query["state"] == ["all"]
        return 200, self._page(found, query)

    def _page(self, found: list[Any], query: Any) -> list[Any]:
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        return found[(page - 1) * size : page * size]

    def add_issue(self, title: str, body: str, labels: list[str]) -> dict[str, Any]:
        """An issue that is there."""
        number = len(self.issues_) + len(self.pulls_) + 1
        url = f"https://github.example/acme/chat/issues/{number}"
        issue = sample(MODELS.Issue, number=number, title=title, body=body, labels=labels, html_url=url)
        self.issues_.append(issue)
        return issue

    def new_issue(self, _query: Any, body: Any) -> tuple[int, Any]:
        """Made."""
        return 201, self.add_issue(body["title"], body["body"], body["labels"])

    def _issue(self, number: str) -> dict[str, Any] | None:
        return next((one for one in self.issues_ if one["number"] == int(number)), None)

    def issue(self, _query: Any, _body: Any, number: str) -> tuple[int, Any]:
        """One."""
        found = self._issue(number)
        return (200, found) if found is not None else (404, {"message": "Not Found"})

    def change_issue(self, _query: Any, body: Any, number: str) -> tuple[int, Any]:
        """Changed."""
        found = self._issue(number)
        assert found is not None
        found.update(body)
        return 200, found

    def add_labels(self, _query: Any, body: Any, number: str) -> tuple[int, Any]:
        """More labels."""
        found = self._issue(number)
        assert found is not None
        found["labels"] += body["labels"]
        return 200, [sample(MODELS.Label, name=name) for name in found["labels"]]

    def comments(self, query: Any, _body: Any, number: str) -> tuple[int, Any]:
        """Of one issue, the oldest first."""
        return 200, self._page(self.comments_.get(int(number), []), query)

    def new_comment(self, _query: Any, body: Any, number: str) -> tuple[int, Any]:
        """Made."""
        there = self.comments_.setdefault(int(number), [])
        made = sample(MODELS.IssueComment, id=1000 + len(there), body=body["body"])
        there.append(made)
        return 201, made

    def change_comment(self, _query: Any, body: Any, number: str) -> tuple[int, Any]:
        """Changed."""
        (found,) = [one for there in self.comments_.values() for one in there if one["id"] == int(number)]
        found.update(body)
        return 200, found

    # Git

    def repository(self, _query: Any, _body: Any) -> tuple[int, Any]:
        """Its default branch."""
        return 200, sample(MODELS.FullRepository, default_branch="main", full_name="acme/chat")

    def ref(self, _query: Any, _body: Any, name: str) -> tuple[int, Any]:
        """Where a branch stands."""
        return self._ref(name) if name in self.refs else (404, {"message": "Not Found"})

    def _ref(self, name: str) -> tuple[int, Any]:
        target = sample(MODELS.GitRefPropObject, sha=self.refs[name], type="commit")
        return 200, sample(MODELS.GitRef, ref=f"refs/{name}", object=target)

    def new_ref(self, _query: Any, body: Any) -> tuple[int, Any]:
        """A new branch."""
        name = body["ref"].removeprefix("refs/")
        if name in self.refs:
            return 422, {"message": "Reference already exists"}
        self.refs[name] = body["sha"]
        return 201, self._ref(name)[1]

    def change_ref(self, _query: Any, body: Any, name: str) -> tuple[int, Any]:
        """A branch goes on; never by force."""
        assert body["force"] is False
        assert self.refs[name] in self.commits[body["sha"]][1]
        self.refs[name] = body["sha"]
        return self._ref(name)

    def commit(self, _query: Any, _body: Any, sha: str) -> tuple[int, Any]:
        """One commit."""
        return 200, self._commit(sha)

    def _commit(self, sha: str) -> Any:
        tree = sample(MODELS.GitCommitPropTree, sha=self.commits[sha][0])
        return sample(MODELS.GitCommit, sha=sha, tree=tree, parents=[], message="m")

    def new_tree(self, _query: Any, body: Any) -> tuple[int, Any]:
        """A tree over another."""
        files = self.trees[body["base_tree"]] | {one["path"]: one["content"] for one in body["tree"]}
        sha = hashlib.sha1(json.dumps(files).encode()).hexdigest()
        self.trees[sha] = files
        return 201, sample(MODELS.GitTree, sha=sha, tree=[], truncated=False)

    def new_commit(self, _query: Any, body: Any) -> tuple[int, Any]:
        """A commit."""
        parents = body["parents"]
        sha = hashlib.sha1(json.dumps([body["tree"], parents]).encode()).hexdigest()
        self.commits[sha] = (body["tree"], parents)
        return 201, self._commit(sha)

    def content(self, query: Any, _body: Any, path: str) -> tuple[int, Any]:
        """The raw content of a file."""
        files = self.trees[self.commits[query["ref"][0]][0]]
        return (200, files[path].encode()) if path in files else (404, {"message": "Not Found"})

    # Pull requests

    def pulls(self, query: Any, _body: Any) -> tuple[int, Any]:
        """By head."""
        assert query["state"] == ["all"]
        head = query["head"][0].removeprefix("acme:")
        return 200, [self._simple(one) for one in self.pulls_ if one["head"]["ref"] == head]

    def _simple(self, pull: dict[str, Any]) -> Any:
        head = sample(MODELS.PullRequestSimplePropHead, ref=pull["head"]["ref"])
        kept = {key: pull[key] for key in ("number", "title", "body", "state", "html_url")}
        return sample(MODELS.PullRequestSimple, head=head, **kept)

    def new_pull(self, _query: Any, body: Any) -> tuple[int, Any]:
        """Made."""
        number = len(self.issues_) + len(self.pulls_) + 1
        url = f"https://github.example/acme/chat/pull/{number}"
        head, base = ({"ref": body[key]} for key in ("head", "base"))
        kept = {"title": body["title"], "body": body["body"], "number": number, "state": "open", "html_url": url}
        self.pulls_.append({"head": head, "base": base, **kept})
        return 201, sample(MODELS.PullRequest, head=sample(MODELS.PullRequestPropHead, **head), **kept)

    def change_pull(self, _query: Any, body: Any, number: str) -> tuple[int, Any]:
        """Changed."""
        (found,) = [one for one in self.pulls_ if one["number"] == int(number)]
        found.update(body)
        kept = {key: found[key] for key in ("number", "title", "body", "state", "html_url")}
        return 200, sample(MODELS.PullRequest, head=sample(MODELS.PullRequestPropHead, **found["head"]), **kept)


@contextmanager
def serving(github: GitHub) -> Iterator[str]:
    """The base URL of the server while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: in two, the second waits for the first to be acknowledged

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            given = self.rfile.read(length)
            token, accept = self.headers.get("Authorization", ""), self.headers.get("Accept", "")
            body = json.loads(given) if given else None
            status, headers, said = github.answer(self.command, self.path, token, body, accept)
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(said)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_PATCH = do_GET  # noqa: N815 - http.server has these names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
