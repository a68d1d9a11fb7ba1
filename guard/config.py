"""The configuration of a run: `[tool.guard]` in pyproject.toml, or guard.toml, read from the tree that is checked.

The closest file to the start folder wins, walking up to the tree's root; of two in one folder, guard.toml does.
Patterns and paths in it are relative to its own folder. `guard.configuration` has the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from guard.configuration.convert import Conversion, Values
from guard.configuration.discover import find_layers, override_layers
from guard.configuration.loop import Plan
from guard.configuration.names import RuleNames, reserved_in, resolve_selection, resolve_severities
from guard.configuration.patterns import ignored_in, matcher
from guard.configuration.settings import Config, Middleware, Scoring, Settings, Ssot
from guard.model import ConfigError

if TYPE_CHECKING:
    from guard.registry import Rule
    from guard.sources.tree import Tree

__all__ = [
    "Config",
    "ConfigError",
    "Middleware",
    "RuleNames",
    "Scoring",
    "ignored_in",
    "load",
    "matcher",
    "reserved_in",
    "resolve_selection",
    "resolve_severities",
]


def load(tree: Tree, start: str = "", overrides: Sequence[str] = (), *, rules: Mapping[str, Rule]) -> Config:
    """The configuration for a run that starts in the folder `start` of `tree`.

    `overrides` are the command line's `--config` options: `KEY=VALUE`, or the name of a file on disk that stands
    in place of the tree's own. `rules` is what the names of rules are checked against. Raises ConfigError with
    everything that is wrong.
    """
    errors: list[str] = []
    layers, replaced = override_layers(overrides, start, errors)
    if not replaced:
        layers += find_layers(tree, start, errors)
    names = RuleNames(rules)
    merged: Values = {}
    for layer in reversed(layers):
        conversion = Conversion(layer.label, layer.folder, names, errors)
        _merge(merged, conversion.table(layer.table, Settings, layer.prefix))
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    merged.pop("extend", None)
    if "middleware" in merged:
        merged["middleware"] = Middleware(**merged["middleware"])
    if "ssot" in merged:
        merged["ssot"] = Ssot(**merged["ssot"])
    if "report" in merged:
        merged["report"] = Scoring(**merged["report"])
    if "loop" in merged:
        merged["loop"] = msgspec.convert(merged["loop"], Plan)
    return Config(**merged, sources=tuple(dict.fromkeys(layer.label for layer in layers)))


def _merge(base: Values, over: Values) -> None:
    """Lay `over` on `base`: tables entry by entry, anything else as a whole."""
    for name, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            base[name] = {**base[name], **value}
        else:
            base[name] = value
