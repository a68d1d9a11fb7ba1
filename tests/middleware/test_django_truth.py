"""What guard says of Django's middleware, against what a real Django does with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guard.checks import django_known as known

HERE = Path(__file__).parent
NAMED = "__main__.Named"
READER = "__main__.Reader"
PLAIN: list[Any] = [[{}, {}]]
TWO_USERS: list[Any] = [
    [{}, {"X-Name": "ada", "X-Keep": "1"}],
    [{}, {"X-Name": "ada"}],
    [{"sessionid": "x"}, {}],
]
TWO_LANGUAGES: list[Any] = [[{}, {"Accept-Language": "en"}], [{"django_language": "de"}, {"Accept-Language": "en"}]]
COMPRESSED: list[Any] = [[{}, {"Accept-Encoding": "gzip"}], [{}, {"Accept-Encoding": "gzip"}]]
REMOTE = {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.RemoteUserBackend"]}


def outcomes(*jobs: Any) -> list[list[tuple[str, str, dict[str, str]]]]:
    """What a real Django makes of the requests of each job: middleware, settings, requests."""
    child = subprocess.run(
        [sys.executable, str(HERE / "real_django_requests.py")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    found: list[list[tuple[str, str, dict[str, str]]]] = json.loads(child.stdout)
    return found


FAILING = {
    "authentication outside the session": ([known.AUTHENTICATION, known.SESSION], {}),
    "messages outside the session": ([known.MESSAGES, known.SESSION], {}),
    "remote user outside authentication": ([known.SESSION, known.REMOTE_USER, known.AUTHENTICATION], REMOTE),
    "persistent remote user": ([known.SESSION, known.PERSISTENT_REMOTE_USER, known.AUTHENTICATION], REMOTE),
    "csrf in the session": ([known.CSRF, known.SESSION], {"CSRF_USE_SESSIONS": True}),
}


@pytest.fixture(scope="module")
def failing() -> dict[str, list[list[tuple[str, str, dict[str, str]]]]]:
    jobs: list[Any] = []
    for middleware, settings in FAILING.values():
        right = [middleware[-1], *middleware[:-1]] if len(middleware) == 2 else [known.SESSION, *middleware[:0:-1]]
        without = [name for name in middleware if name != middleware[-1]]
        jobs += [[middleware, settings, PLAIN], [right, settings, PLAIN], [without, settings, PLAIN]]
    found = outcomes(*jobs)
    return {name: found[number * 3 : number * 3 + 3] for number, name in enumerate(FAILING)}


@pytest.mark.parametrize("name", FAILING)
def test_what_is_not_configured_properly(name: str, failing: Any) -> None:
    wrong, right, without = failing[name]
    assert [wrong[0][0], right[0][0], without[0][0]] == ["ImproperlyConfigured", "200", "ImproperlyConfigured"]
    middleware, _ = FAILING[name]
    pair = middleware[-2], middleware[-1]
    (need,) = [one for one in known.NEEDS if (one.inner, one.outer) == pair]
    assert need.severity is None


def test_other_storage_for_messages_needs_no_session() -> None:
    storage = {"MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage"}
    ((found,),) = outcomes([[known.MESSAGES], storage, PLAIN])
    assert found[0] == "200"


def test_csrf_in_a_cookie_needs_no_session() -> None:
    ((found,),) = outcomes([[known.CSRF], {}, PLAIN])
    assert found[0] == "200"


def test_a_page_that_is_stored_inside_of_the_session_is_served_to_others() -> None:
    inner = [NAMED, known.FETCH_FROM_CACHE]
    wrong, right = outcomes(
        [[known.SESSION, known.UPDATE_CACHE, *inner], {}, TWO_USERS],
        [[known.UPDATE_CACHE, known.SESSION, *inner], {}, TWO_USERS],
    )
    assert wrong[1][1].startswith("ada/")
    assert wrong[2][1].startswith("ada/")  # to another user
    assert right[2][1].startswith("/")


def test_a_page_that_is_looked_up_outside_of_the_locale_is_in_another_language() -> None:
    i18n = {"USE_I18N": True}
    wrong, right = outcomes(
        [[known.UPDATE_CACHE, known.FETCH_FROM_CACHE, known.LOCALE], i18n, TWO_LANGUAGES],
        [[known.UPDATE_CACHE, known.LOCALE, known.FETCH_FROM_CACHE], i18n, TWO_LANGUAGES],
    )
    assert [body.split("/")[1] for _, body, _ in wrong] == ["en", "en"]
    assert [body.split("/")[1] for _, body, _ in right] == ["en", "de"]


def test_the_tag_of_what_is_compressed_differs_each_time() -> None:
    wrong, right = outcomes(
        [[known.CONDITIONAL_GET, known.GZIP], {}, COMPRESSED],
        [[known.GZIP, known.CONDITIONAL_GET], {}, COMPRESSED],
    )
    assert wrong[0][2]["ETag"] != wrong[1][2]["ETag"]
    assert right[0][2]["ETag"] == right[1][2]["ETag"]


def test_reading_too_early() -> None:
    outside, inside = outcomes(
        [[READER, known.SESSION, known.AUTHENTICATION], {}, [[{}, {}], [{}, {"X-Read": "1"}]]],
        [[known.SESSION, known.AUTHENTICATION, READER], {}, [[{}, {}], [{}, {"X-Read": "1"}]]],
    )
    assert outside[0][2]["X-Seen"] == "(False, False)"  # `hasattr` works, and is never true
    assert (outside[1][0], inside[1][0]) == ("AttributeError", "200")
    assert inside[0][2]["X-Seen"] == "(True, True)"


def test_the_order_that_guard_does_not_ask_for_changes_nothing() -> None:
    """Documented too, and harmless: the locale outside of the session, `CommonMiddleware` inside of everything."""
    first, second = outcomes(
        [[known.LOCALE, known.SESSION, NAMED], {"USE_I18N": True}, TWO_LANGUAGES],
        [[known.SESSION, known.LOCALE, NAMED], {"USE_I18N": True}, TWO_LANGUAGES],
    )
    assert [body for _, body, _ in first] == [body for _, body, _ in second]


ADMIN = """
import json, sys
from django.conf import settings
settings.configure(
    SECRET_KEY="x", MIDDLEWARE=json.loads(sys.argv[1]),
    INSTALLED_APPS=["django.contrib." + name for name in ("admin", "auth", "contenttypes", "sessions", "messages")],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}],
)
import django
django.setup()
from django.core.checks import run_checks
print(json.dumps(sorted(one.id for one in run_checks() if one.id.startswith("admin.E4"))))
"""


def test_what_the_admin_needs() -> None:
    def found(middleware: list[str]) -> list[str]:
        child = subprocess.run([sys.executable, "-c", ADMIN, json.dumps(middleware)], capture_output=True, check=True)
        ids: list[str] = json.loads(child.stdout)
        return ids

    assert found(list(known.ADMIN_NEEDS)) == []
    for name in known.ADMIN_NEEDS:
        assert found([one for one in known.ADMIN_NEEDS if one != name]) == [f"admin.{known.ADMIN_CHECKS[name]}"]


NAMES = """
import sys
import django.conf
django.conf.settings.configure(SECRET_KEY="x", INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
django.setup()
from django.utils.module_loading import import_string
for name in sys.argv[1:]:
    import_string(name)
"""


def test_the_names_are_those_of_django() -> None:
    names = {need.inner for need in known.NEEDS} | {need.outer for need in known.NEEDS} | set(known.PROVIDES)
    subprocess.run([sys.executable, "-c", NAMES, *sorted(names)], check=True)
