"""Loads settings with a real Django, sends a request through the stack, and prints which layers it passed.

Reads a JSON list of `[folders for sys.path, settings module, environments]` from standard input, and prints for each
the list of stacks: one for each environment, as the dotted names in the order in which a request passed them. Each one
is run in a process of its own, forked from this one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

import django.conf
from django.core.handlers import base
from django.test import RequestFactory
from django.utils.module_loading import import_string

Job = tuple[list[str], str, list[dict[str, str]]]


def passed(folders: Sequence[str], module: str, environment: Mapping[str, str]) -> list[str]:
    """The layers that a request passes."""
    sys.path[:0] = folders
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    seen: list[str] = []

    def traced(path: str) -> object:
        """The layer, with a note of each request that comes to it."""
        made_by = import_string(path)

        class Traced:
            sync_capable, async_capable = True, False

            def __init__(self, get_response: object) -> None:
                self.inner = made_by(get_response)

            def __call__(self, request: object) -> object:
                seen.append(path)
                return self.inner(request)

        return Traced

    base.import_string = traced  # type: ignore[attr-defined]
    django.setup()
    django.conf.settings.ALLOWED_HOSTS = ["*"]
    handler = base.BaseHandler()
    handler.load_middleware()
    response = handler.get_response(RequestFactory().get("/"))
    assert response.status_code == 200, response.content
    return seen


def in_a_fork(folders: Sequence[str], module: str, environment: Mapping[str, str]) -> list[str]:
    """`passed`, in a process of its own: a process has one set of settings."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                json.dump(passed(folders, module, environment), stream)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, (module, environment)
    found: list[str] = json.loads(text)
    return found


def main() -> None:
    """Print the stacks of each job."""
    jobs: list[Job] = json.load(sys.stdin)
    json.dump([[in_a_fork(folders, module, one) for one in ways] for folders, module, ways in jobs], sys.stdout)


main()
