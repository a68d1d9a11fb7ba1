"""What Django's own middleware needs and provides, as its sources and its documentation have it.

Checked against the installed Django by `tests/middleware/test_django_truth.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from guard.model import Severity

SESSION: Final = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
REMOTE_USER: Final = "django.contrib.auth.middleware.RemoteUserMiddleware"
PERSISTENT_REMOTE_USER: Final = "django.contrib.auth.middleware.PersistentRemoteUserMiddleware"
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
GZIP: Final = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL_GET: Final = "django.middleware.http.ConditionalGetMiddleware"
LOCALE: Final = "django.middleware.locale.LocaleMiddleware"
UPDATE_CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_FROM_CACHE: Final = "django.middleware.cache.FetchFromCacheMiddleware"

PROVIDES: Final[Mapping[str, frozenset[str]]] = {
    SESSION: frozenset({"session"}),
    AUTHENTICATION: frozenset({"user"}),
    REMOTE_USER: frozenset({"user"}),
    PERSISTENT_REMOTE_USER: frozenset({"user"}),
}
"""The parts of the request that Django's own layers set."""


class Need(msgspec.Struct, frozen=True):
    """What one of Django's layers needs to stand inside of.

    `unless` is a setting that, where it has another value than `value`, or is not known, lifts the need.
    """

    inner: str
    outer: str
    effect: str
    part: str = ""
    """The part of the request that it is about: another layer that sets it serves as well."""
    severity: Severity | None = None
    setting: str = ""
    value: object = None
    """What the setting has to be; None: it has to be left alone."""


_CONFIGURATION: Final = "Django raises ImproperlyConfigured on every request."

NEEDS: Final = (
    # contrib/auth/middleware.py: process_request raises ImproperlyConfigured without `request.session`.
    Need(AUTHENTICATION, SESSION, _CONFIGURATION, "session"),
    # contrib/messages/storage/session.py: __init__ raises ImproperlyConfigured without `request.session`, and the
    # storage that is used by default makes one for every request.
    Need(MESSAGES, SESSION, _CONFIGURATION, "session", setting="MESSAGE_STORAGE"),
    # contrib/auth/middleware.py: process_request of both raises ImproperlyConfigured without `request.user`.
    Need(REMOTE_USER, AUTHENTICATION, _CONFIGURATION, "user"),
    Need(PERSISTENT_REMOTE_USER, AUTHENTICATION, _CONFIGURATION, "user"),
    # middleware/csrf.py: _get_secret raises ImproperlyConfigured without `request.session` under CSRF_USE_SESSIONS.
    Need(CSRF, SESSION, _CONFIGURATION, "session", setting="CSRF_USE_SESSIONS", value=True),
    # docs/ref/middleware.txt, "Middleware ordering", of UpdateCacheMiddleware: "Before those that modify the Vary
    # header". A page that is stored before `Vary: Cookie` is set is served to whoever asks next.
    Need(
        SESSION,
        UPDATE_CACHE,
        "A page is stored before SessionMiddleware has marked it with `Vary: Cookie`, so what one user was shown is "
        "served to others.",
    ),
    # The same page, of FetchFromCacheMiddleware: "After any middleware that modifies the Vary header". It looks a page
    # up by the language that LocaleMiddleware activates.
    Need(
        FETCH_FROM_CACHE,
        LOCALE,
        "Pages are looked up before LocaleMiddleware has found the language, so visitors get pages in another one.",
        severity=Severity.WARNING,
    ),
    # The same page, of ConditionalGetMiddleware: "After GZipMiddleware so it won't calculate an ETag header on gzipped
    # contents". Since Django 4.2 what is compressed differs each time.
    Need(
        CONDITIONAL_GET,
        GZIP,
        "The ETag is that of the compressed response, which differs each time: no request is answered with 304.",
        severity=Severity.WARNING,
    ),
)
"""Pairs of Django's documented order that break something the other way round. The rest of that order
(SecurityMiddleware and CommonMiddleware near the top, LocaleMiddleware inside SessionMiddleware) changes nothing that
could be told."""

REQUIRED_TOGETHER: Final = tuple(need for need in NEEDS if need.part)
"""Those where the outer one has to be there at all."""

ADMIN: Final = "django.contrib.admin"
ADMIN_APPS: Final = frozenset({ADMIN, "django.contrib.admin.apps.AdminConfig"})
ADMIN_NEEDS: Final = (AUTHENTICATION, MESSAGES, SESSION)
"""What `manage.py check` demands where the admin is installed: admin.E408, admin.E409, admin.E410."""
ADMIN_CHECKS: Final[Mapping[str, str]] = {AUTHENTICATION: "E408", MESSAGES: "E409", SESSION: "E410"}
