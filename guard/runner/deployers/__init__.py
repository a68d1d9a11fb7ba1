"""How a service gets to its target, and back: one module per kind, each with a class that is a `Deployer`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from guard.runner.deployers.base import Deployer
from guard.runner.plan import Deploy, Target
from guard.runner.redact import Redactor

_KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "local": ("local", "LocalDeployer"),
        "compose": ("compose", "ComposeDeployer"),
        "cloud-run": ("cloud_run", "CloudRunDeployer"),
        "kubernetes": ("kubernetes", "KubernetesDeployer"),
        "command": ("command", "CommandDeployer"),
    }
)
"""The module and the class of each kind; imported only when it is used."""


def make(deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str]) -> Deployer:
    """The deployer that a plan asks for; `root` is the folder that its paths and commands count from.

    Raises ConfigError where the plan lacks what the deployer needs, or names what could be taken for an option.
    """
    module, name = _KINDS[deploy.kind]
    kind: Callable[[Deploy, Target, Path, Mapping[str, str], Callable[[str], str]], Deployer]
    kind = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return kind(deploy, target, root, environ, Redactor(environ).text)
