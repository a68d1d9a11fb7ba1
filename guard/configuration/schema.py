"""The JSON Schema of the settings, made from their types.

`python -m guard.configuration.schema > guard/schemas/config.schema.json` brings the published one up to date.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from guard.configuration.settings import Settings


def config_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `[tool.guard]` and of a guard.toml."""
    schema = msgspec.json.decode(
        msgspec.json.encode(msgspec.json.schema(Settings))
    )  # defaults are tuples, lists in JSON
    settings = schema["$defs"].pop("Settings")
    for setting in settings["properties"].values():
        if setting.get("default") == "":  # how a setting that is not given is kept; not what one may write
            del setting["default"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard",
        **{key: value for key, value in settings.items() if key != "title"},
        "$defs": schema["$defs"],
    }


def config_schema_text() -> str:
    """The schema as it is published."""
    return msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(config_schema_text())
