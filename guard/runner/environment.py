"""What the plan takes from guard's own environment, and where the target is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from guard.model import ConfigError
from guard.runner.deployers.base import Deployment
from guard.runner.plan import Target

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled(values: Mapping[str, str], environ: Mapping[str, str], where: str) -> dict[str, str]:
    """`values` with each `${NAME}` replaced. Raises ConfigError, all of what is not set; `where` leads to the table."""
    missing = [
        f"{where}.{key}: ${{{name}}} is not set in the environment; set it, or take it out"
        for key, value in values.items()
        for name in _VARIABLE.findall(value)
        if name not in environ
    ]
    if missing:
        raise ConfigError(missing)
    return {key: _VARIABLE.sub(lambda match: environ[match[1]], value) for key, value in values.items()}


def urls_of(target: Target, deployment: Deployment) -> tuple[str, str]:
    """The base URL, without a slash at the end, and the WebSocket's URL; the plan's own where it has them.

    Raises ConfigError where nobody says where the service answers.
    """
    base = (target.base_url or deployment.base_url).rstrip("/")
    if not base:
        raise ConfigError(["loop.target.base_url is missing: this deployer does not say where the service answers"])
    if target.websocket_url or (deployment.websocket_url and not target.websocket_path):
        return base, target.websocket_url or deployment.websocket_url
    parts = urlsplit(base)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/") + "/" + target.websocket_path.lstrip("/") if target.websocket_path else parts.path
    return base, urlunsplit((scheme, parts.netloc, path, "", ""))


_NOWHERE: Final = "http://127.0.0.1:9"
"""Stands for a target that is not there yet: what asks it is refused at once."""


def before_deploy(target: Target) -> dict[str, str]:
    """The target in the environment of tests that are collected before anything is deployed: modules that read it when
    they are imported find something there. Where the plan does not say where it will be, it is nowhere."""
    base, websocket = urls_of(target, Deployment(revision="none", base_url=_NOWHERE))
    return {"GUARD_TARGET_URL": base, "GUARD_TARGET_WS_URL": websocket, "GUARD_TARGET_REVISION": target.revision}
