"""What identifies a bundle: its weights, and everything in its `config.json` that its adapters depend on. No MLX."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from mlx_hypernet.format.config import BundleConfig

# Where it came from and what was measured of it change nothing that it does.
_PROVENANCE = {"source", "tool_version", "repository", "recall", "readable_loss"}
_WEIGHTS_DIGITS, _CONFIG_DIGITS = 16, 8


def weights_id(path: Path) -> str:
    """Return a short hash of a bundle's weights file, 16 hex digits. Bundles of Thoth 0.1 had this id."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_WEIGHTS_DIGITS]


def bundle_id(weights: str, config: BundleConfig) -> str:
    """Return a bundle's id: that of its weights, a hyphen, and a short hash of its configuration.

    Args:
        weights: the `weights_id` of its file.
        config: what its `config.json` says.
    """
    canonical = json.dumps(_facts(config), sort_keys=True, separators=(",", ":"))
    return f"{weights}-{hashlib.sha256(canonical.encode()).hexdigest()[:_CONFIG_DIGITS]}"


def _facts(part: Any) -> dict[str, Any]:
    """Return what a dataclass says other than its defaults: an option that is added later changes no id."""
    facts = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name in _PROVENANCE or (field.default is not MISSING and value == field.default):
            continue
        facts[field.name] = _facts(value) if is_dataclass(value) else value
    return facts
