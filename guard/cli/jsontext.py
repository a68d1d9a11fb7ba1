"""JSON for the commands that describe guard itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from guard.report.escape import encodable


def json_text(value: msgspec.Struct | Mapping[str, object]) -> str:
    """`value` as indented JSON with a final newline. Its strings must hold no lone surrogates."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def encodable_tree(value: object) -> Any:
    """`value`, of what JSON is made of, with every string in it encodable."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable_tree(key): encodable_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable_tree(item) for item in value]
    return value
