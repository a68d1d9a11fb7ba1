"""Keeping secrets out of what is stored and shown: every text of a session goes through a `Redactor` first.

Two things are looked for: values that this process knows to be secret, since they stand in environment variables named
like secrets, in whatever way they are written; and texts that look like a secret by their own form. A secret that is
split over lines is not found.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

MARK: Final = "[redacted]"
"""What stands in place of a secret."""

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token(?!s)|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key|credential|client[_-]?secret|session[_-]?(?:id|key)|sess(?:ion)?id|csrf"
    r"|otp|bearer|authori[sz]ation"
)
_SECRET_VARIABLE: Final = re.compile(rf"(?i)(?:{_NAMES}|(?:^|[_-])(?:auth|key|dsn|pat|cookie|pw|pass|sid)(?:[_-]|$))")
_NO_SECRET: Final = re.compile(r"(?i)(?:_sock|_file|_path|_dir|_name|_url|_uri|_host|_port|_env|_ttl|_id)$|^xauth")
_SECRET_AFTER_ALL: Final = re.compile(r"(?i)session[_-]?id$|access[_-]?key[_-]?id$|sid$")
_WORDS: Final = frozenset({"true", "false", "none", "null", "test", "yes", "local", "localhost", "password", "secret"})
_SHORTEST: Final = 4
"""Characters. A shorter value stands in too many texts to tell it from them."""
_ANYWHERE: Final = 8
"""Characters. A shorter value is replaced only where it stands by itself."""

_REFERENCE: Final = re.compile(r"\$\{\w+\}")
"""Says where a secret is, and not what it is."""

_START: Final = r"(?:\b|(?<=\\[nrt]))"
"""Where a word begins, also after a line break that is written as a backslash and a letter, as `repr` has it."""
_USERINFO: Final = re.compile(r"(?i)(?<![a-z0-9])([a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]*):([^\s/@\"'<>]+)@")
_TOKEN_USER: Final = re.compile(r"(?i)(?<![a-z0-9])([a-z][a-z0-9+.-]{1,20}://)[^\s/:@\"'<>]{16,}@")
_PAIR: Final = re.compile(
    rf"""(?ix)
    (?P<name>(?:{_NAMES})[\w-]{{0,40}}(?:\\?["'])?[\])]?\s{{0,3}}(?:=>|:=|==?|:)\s{{0,3}})
    (?!\[redacted\]|(?:None|True|False|null|true|false|str|int|bytes|bool)\b(?!["'\w]))
    (?: (?P<quote>\\?["'])(?:(?!(?P=quote)).){{1,4096}}(?P=quote)
      | (?:(?:bearer|basic|token|digest)\s+)?(?![A-Za-z_][\w.]*[(\[])[^\s,;&"'<>)\]}}\\]{{2,4096}} )
    """
)
_COOKIE: Final = re.compile(
    rf"(?i){_START}"
    r"((?:set-)?cookies?(?:\\?[\"'])?\s{0,3}(?:=|:|,)\s{0,3}b?(?:\\?[\"'])?)[\w.$-]+=[^\r\n\"'\\]+"
)
_HEADER: Final = re.compile(
    rf"(?i){_START}"
    r"((?:proxy-)?authorization(?:\\?[\"'])?\s{0,3}[:,=]\s{0,3}b?(?:\\?[\"'])?)(?:(?:bearer|basic|token|digest)\s+)?(?!\[)[\w.~+/=:-]{4,}"
)
_FORMS: Final = re.compile(
    r"""(?x)
      -----BEGIN\ [A-Z0-9 ]*PRIVATE\ KEY[A-Z ]*-----[\s\S]*?(?:-----END\ [A-Z0-9 ]*PRIVATE\ KEY[A-Z ]*-----|\Z)
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/-]{4,}=*
    | (?<=[Bb]asic\ )[A-Za-z0-9+/]{8,}=*
    | (?<=[?&]sig=)[A-Za-z0-9%+/=_-]{8,}
    | (?<=hooks\.slack\.com/)(?:services|workflows)/[\w/]{8,}
    | """
    + _START
    + r"""(?:
        eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}     # JSON Web Token
      | (?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA)[A-Z0-9]{16}\b                 # Amazon
      | AIza[0-9A-Za-z_-]{30,}                                               # Google
      | ya29\.[0-9A-Za-z_.-]{10,}
      | GOCSPX-[0-9A-Za-z_-]{10,}
      | [A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,}                           # Azure
      | gh[pousr]_[A-Za-z0-9]{16,}                                           # GitHub
      | github_pat_\w{16,}
      | glpat-[\w-]{16,}                                                     # GitLab
      | xox[abeoprs]-[\w-]{8,}                                               # Slack
      | xapp-[\w-]{8,}
      | sk-[A-Za-z0-9_-]{16,}                                                # model providers
      | [rsp]k_(?:live|test)_\w{8,}                                          # Stripe
      | SG\.[\w-]{10,}\.[\w-]{10,}                                           # SendGrid
      | npm_[A-Za-z0-9]{20,}
      | pypi-[A-Za-z0-9_-]{20,}
      | hf_[A-Za-z0-9]{20,}
    )"""
)


class Redactor:
    """Replaces secrets in texts. Made once from the environment; using it twice on a text changes nothing more."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """The values of those variables that are named like secrets are replaced wherever they occur."""
        values = sorted({form for value in _secret_values(environ) for form in _written(value)}, key=len, reverse=True)
        parts = [
            re.escape(value) if len(value) >= _ANYWHERE else rf"(?:(?<!\w)|(?<=\\[nrt])){re.escape(value)}(?!\w)"
            for value in values
        ]
        self._values = re.compile("|".join(parts)) if parts else None

    def text(self, text: str) -> str:
        """`text` without secrets."""
        if self._values is not None:
            text = self._values.sub(MARK, text)
        text = _FORMS.sub(MARK, text)
        if "://" in text:
            text = _USERINFO.sub(rf"\1:{MARK}@", text)
            text = _TOKEN_USER.sub(rf"\1{MARK}@", text)
        text = _HEADER.sub(rf"\1{MARK}", text)
        text = _COOKIE.sub(rf"\1{MARK}", text)
        return _PAIR.sub(rf"\g<name>{MARK}", text)

    def value(self, value: object) -> object:
        """A JSON value without secrets in its strings; a value whose key is named like a secret is replaced whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): MARK
                if isinstance(item, str) and item and is_secret_name(str(key)) and not _REFERENCE.fullmatch(item)
                else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


class Names:
    """Node ids without secrets: other ids for other tests, also where they differ in nothing but their secrets."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._shown: dict[str, str] = {}
        self._alike: Counter[str] = Counter()

    def shown(self, nodeid: str) -> str:
        """The id as it is kept. Those that are alike are numbered, in the order in which they are first asked for."""
        if nodeid not in self._shown:
            text = self._redact.text(nodeid)
            self._alike[text] += 1
            again = text != nodeid and self._alike[text] > 1
            self._shown[nodeid] = f"{text} #{self._alike[text]}" if again else text
        return self._shown[nodeid]


def asked_as(shown: str) -> str:
    """What to ask pytest for, to run a test that is kept under an id: its function, where a secret was taken out of its
    parameters, since nobody knows any more which one it was."""
    return shown.partition("[")[0] if MARK in shown else shown


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, as far as names tell."""
    if name in ("PWD", "OLDPWD"):
        return False  # the shell's folders, on every machine
    if _SECRET_AFTER_ALL.search(name):
        return True
    return _SECRET_VARIABLE.search(name) is not None and _NO_SECRET.search(name) is None


def _secret_values(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        for found in _USERINFO.finditer(value):
            yield found[2]
            yield unquote(found[2])
        if is_secret_name(name):
            yield value
            yield from (line for line in value.splitlines() if len(line) >= 2 * _ANYWHERE)


def _written(value: str) -> Iterator[str]:
    """The ways in which a value is met in logs: itself, quoted for a URL or for JSON, and in base 64."""
    value = value.strip()
    if len(value) < _SHORTEST or value.lower() in _WORDS:
        return
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    if len(value) >= _ANYWHERE:
        encoded = value.encode("utf-8", "surrogateescape")
        yield base64.b64encode(encoded).decode().rstrip("=")
        yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
