"""JSON for the commands that describe guard itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


def json_text(value: msgspec.Struct | Mapping[str, object]) -> str:
    """`value` as indented JSON with a final newline. Its strings must hold no lone surrogates."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
