"""Values of a record as JSON that any reader takes: names of files and tests may hold what UTF-8 has no place for."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from guard.runner.record import Session, Step, Test

_Stored = TypeVar("_Stored", Session, Step, Test)


def encodable(value: _Stored) -> _Stored:
    """The same value with lone surrogates, which names of files and tests may have, replaced by what Python's `repr`
    shows of them: UTF-8 has no place for them."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.convert(_plain(msgspec.to_builtins(value)), type(value))
    return value


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def text_of(value: object) -> str:
    """The JSON of a value that is `encodable`."""
    return msgspec.json.encode(value).decode()
