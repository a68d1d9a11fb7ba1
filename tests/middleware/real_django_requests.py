"""Sends requests through stacks of a real Django, and prints what comes of each.

Reads a JSON list of `[middleware, settings, [[cookies, headers], …]]` from standard input. Prints for each stack the
list of `[what, body, headers]`, where `what` is the status or the name of the exception. Each stack has a process of
its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import django
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils import translation

Outcome = tuple[str, str, dict[str, str]]


def greet(request: HttpRequest) -> HttpResponse:
    """A page that depends on the session and on the language, and is long enough to be compressed."""
    name = request.session.get("name", "") if hasattr(request, "session") else ""
    return HttpResponse(f"{name}/{translation.get_language()}/" + "x" * 500)


urlpatterns = [path("", greet)]


class Named:
    """A layer that gives each session the name that the request's header `X-Name` has."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "X-Name" in request.headers:
            request.session["name"] = request.headers["X-Name"]
        response: HttpResponse = self.get_response(request)
        return response


class Reader:
    """A layer that reads the session and the user, each in its own way."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen = hasattr(request, "session"), getattr(request, "user", None) is not None
        if "X-Read" in request.headers:
            request.session.get("name")
        response: HttpResponse = self.get_response(request)
        response["X-Seen"] = str(seen)
        return response


def run(middleware: Sequence[str], own: Mapping[str, Any], requests: Sequence[Any]) -> list[Outcome]:
    """Send the requests."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="secret",
        ROOT_URLCONF="__main__",
        MIDDLEWARE=list(middleware),
        INSTALLED_APPS=["django.contrib.sessions", "django.contrib.auth", "django.contrib.contenttypes"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        LANGUAGES=[("en", "English"), ("de", "German")],
        DEBUG_PROPAGATE_EXCEPTIONS=True,
        **own,
    )
    django.setup()
    handler = BaseHandler()
    handler.load_middleware()
    outcomes: list[Outcome] = []
    jar: dict[str, str] = {}
    for cookies, headers in requests:
        request = RequestFactory().get("/", headers=headers)
        request.COOKIES.update({**jar, **cookies} if cookies is not None else {})
        try:
            response = handler.get_response(request)
        except Exception as error:  # what kind it is, is what the test asks for
            outcomes.append((type(error).__name__, str(error), {}))
            continue
        body = "" if response.has_header("Content-Encoding") else response.content.decode()
        outcomes.append((str(response.status_code), body, dict(response.items())))
        if headers.get("X-Keep"):
            jar = {name: morsel.value for name, morsel in response.cookies.items()}
        else:
            jar = {}
    return outcomes


def in_a_fork(job: Any) -> list[Outcome]:
    """`run`, in a process of its own."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        status = 1
        try:
            with os.fdopen(writing, "w") as stream:
                json.dump(run(*job), stream)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    found: list[Outcome] = json.loads(text)
    return found


if __name__ == "__main__":
    json.dump([in_a_fork(job) for job in json.load(sys.stdin)], sys.stdout)
