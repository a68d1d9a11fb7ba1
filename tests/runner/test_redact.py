"""Secrets do not get into a record: each kind, in the places where it is met."""

from __future__ import annotations

import base64
import time

import pytest

from guard.runner.redact import MARK, Redactor, is_secret_name

NOTHING = Redactor({})
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\nabc+/=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("abc.def-123", "Authorization: Bearer abc.def-123"),
        ("abc.def-123", "{'Authorization': 'Bearer abc.def-123'}"),
        ("dXNlcjpwYXNz", "authorization: Basic dXNlcjpwYXNz"),
        ("abcdef0123", "(b'authorization', b'abcdef0123')"),
        (JWT, f"got {JWT} back"),
        ("dozjgNryP4J3jVmNHl0w5N", f"ws://host/ws?jwt={JWT}"),
        ("AKIAIOSFODNN7EXAMPLE", "key AKIAIOSFODNN7EXAMPLE used"),
        ("wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "?key=AIzaSyA-1234567890abcdefghijklmnopqrstu"),
        ("ya29.a0AfH6SMBx-abc_def", "ya29.a0AfH6SMBx-abc_def"),
        ("Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4", "AccountName=x;AccountKey=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4==;E=1"),
        ("abc8Q~0123456789012345678901234567890", "abc8Q~0123456789012345678901234567890"),
        ("Kx9%2Fab12cd", "https://x.blob.core.windows.net/c?sv=1&sig=Kx9%2Fab12cd&se=2"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "push ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        ("github_pat_11ABCDEFG0123456789_abc", "github_pat_11ABCDEFG0123456789_abc"),
        ("xoxb-123456789012-abcdefABCDEF", "slack xoxb-123456789012-abcdefABCDEF"),
        ("T000/B000/XXXXXXXX", "https://hooks.slack.com/services/T000/B000/XXXXXXXX"),
        ("sk-proj-0123456789abcdefghij", "sk-proj-0123456789abcdefghij"),
        ("MIIEowIBAAKCAQEA7bq", f"before {PEM} after"),
        ("MIIEowIBAAKCAQEA7bq", PEM[:60]),
        ("hunter2", "postgresql://admin:hunter2@db:5432/x"),
        ("p%40ss", "redis://:p%40ss@cache/0"),
        ("0123456789abcdef0123", "https://0123456789abcdef0123@github.example/x.git"),
        ("hunter2", "password=hunter2"),
        ("hunter2", 'login {"password": "hunter2", "user": "me"}'),
        ("hunter 2", "{'db_password': 'hunter 2'}"),
        ("hunter2", r'body "{\"password\": \"hunter2\"}"'),
        ("hunter2", "POST /login?user=me&api_key=hunter2&x=1"),
        ("hunter2", "os.environ['APP_SECRET'] = 'hunter2'"),
        ("s3ss10n", "Cookie: theme=dark; sessionid=s3ss10n"),
        ("s3ss10n", "set-cookie: sid=s3ss10n; Path=/; HttpOnly"),
        ("s3ss10n", "session_id: s3ss10n"),
        ("s3ss10n", r"'first line\nCookie: sessionid=s3ss10n'"),
        ("abc.def-123", r"'first line\r\nAuthorization: Digest abc.def-123'"),
        ("AKIAIOSFODNN7EXAMPLE", r"KeyError('first line\nAKIAIOSFODNN7EXAMPLE\nAnd more')"),
        ("ghp_0123456789abcdefghij", r"'\tghp_0123456789abcdefghijABCDEFGHIJ012345'"),
    ],
)
def test_what_looks_like_a_secret_is_replaced(secret: str, text: str) -> None:
    assert secret in text
    shown = NOTHING.text(text)
    assert secret not in shown
    assert MARK in shown
    assert NOTHING.text(shown) == shown, "twice is not the same as once"


@pytest.mark.parametrize(
    "text",
    [
        "assert response.status_code == 200",
        "tests/e2e/test_auth.py::test_token_is_refreshed PASSED",
        "def login(token: str, password: str | None = None) -> bool:",
        "token = make_token(user)",
        "max_tokens=4096",
        "http://127.0.0.1:8000/health?x=1",
        "websockets.exceptions.ConnectionClosedError: received 1011 (internal error)",
        "revision 6ee83f1a-9c1d4be2",
        "the cookie banner: shown",
    ],
)
def test_what_is_no_secret_is_left(text: str) -> None:
    assert NOTHING.text(text) == text


def test_values_of_variables_named_like_secrets_are_replaced_however_they_are_written() -> None:
    environ = {
        "E2E_TOKEN": "plain-value/with+signs",
        "DB_PASSWORD": "xy12",
        "DATABASE_URL": "postgres://me:Tr0ub4dor@db/x",
        "FEATURE_TOKEN": "true",
        "PATH": "/usr/bin:/bin",
        "SSH_AUTH_SOCK": "/tmp/agent.sock",
    }
    redactor = Redactor(environ)
    encoded = base64.b64encode(b"plain-value/with+signs").decode()
    text = (
        f"plain-value/with+signs plain-value%2Fwith%2Bsigns {encoded} is xy12, not xy123; Tr0ub4dor /usr/bin:/bin true"
    )
    assert redactor.text(text) == (
        f"{MARK} {MARK} {MARK}{'=' * encoded.count('=')} is {MARK}, not xy123; {MARK} /usr/bin:/bin true"
    )
    assert redactor.text("/tmp/agent.sock") == "/tmp/agent.sock"


def test_a_value_of_many_lines_is_replaced_line_by_line_too() -> None:
    redactor = Redactor({"SIGNING_KEY": "first-line-of-the-key\nsecond-line-of-the-key"})
    assert redactor.text("saw second-line-of-the-key here") == f"saw {MARK} here"


def test_json_values_are_redacted_by_their_keys_too() -> None:
    value = {"api_token": "anything at all", "n": 3, "list": ["password=x1y2", None], "empty_password": ""}
    assert NOTHING.value(value) == {
        "api_token": MARK,
        "n": 3,
        "list": [f"password={MARK}", None],
        "empty_password": "",
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("GITHUB_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("PGPASSWORD", True),
        ("SENTRY_DSN", True),
        ("SESSION_ID", True),
        ("KEY_VAULT_NAME", False),
        ("KEYBOARD", False),
        ("SSH_AUTH_SOCK", False),
        ("PASSENGERS", False),
        ("GUARD_TARGET_URL", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_long_texts_take_no_longer_than_their_length_asks_for() -> None:
    text = "password" * 20_000 + "a" * 200_000 + ":" * 20_000 + "eyJ" * 20_000
    begun = time.perf_counter()
    NOTHING.text(text)
    assert time.perf_counter() - begun < 5


def test_folders_of_the_shell_are_no_secrets() -> None:
    folders = {"PWD": "/srv/checkout/of/mine", "OLDPWD": "/srv/another/one"}
    assert Redactor(folders).text("/srv/checkout/of/mine/app.py /srv/another/one") == (
        "/srv/checkout/of/mine/app.py /srv/another/one"
    )
