"""Nano with one part of it damaged: how the cases of `hostile_models.py` and its neighbours are made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.hostile_runs import ROOT

NANO = ROOT / "thoth" / "nano"

Damage: TypeAlias = Callable[[Path], object]  # takes the folder of a pair


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        kind: "bundle", "base", "template", "code", "pickle" or "gguf".
        name: what is wrong with it.
        path: a folder with `base/` and `hypernet/`, or a file.
    """

    kind: str
    name: str
    path: Path


def copy(folder: Path) -> Path:
    """Make a folder with nano in it, as links, and return it."""
    for part in ("base", "hypernet"):
        (folder / part).mkdir(parents=True)
        for path in (NANO / part).iterdir():
            if path.is_file():
                (folder / part / path.name).symlink_to(path)
    return folder


def put(path: Path, data: bytes | str) -> None:
    """Put a file in the place of a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def change(file: str, **values: object) -> Damage:
    """Change keys of a JSON file; `__` in a key leads into an object."""

    def damage(pair: Path) -> None:
        path = pair / file
        data = json.loads(path.read_text())
        for key, value in values.items():
            *above, last = key.split("__")
            place = data
            for part in above:
                place = place[part]
            place[last] = value
        put(path, json.dumps(data))

    return damage


def replaced(file: str, data: bytes | str) -> Damage:
    """Another content."""
    return lambda pair: put(pair / file, data)


def linked(file: str, target: str) -> Damage:
    """A link to another place."""

    def damage(pair: Path) -> None:
        (pair / file).unlink(missing_ok=True)
        (pair / file).symlink_to(target)

    return damage


def pipe(file: str) -> Damage:
    """A pipe that nobody writes to."""

    def damage(pair: Path) -> None:
        (pair / file).unlink(missing_ok=True)
        os.mkfifo(pair / file)

    return damage


def as_folder(file: str) -> Damage:
    """A folder in the place of a file."""

    def damage(pair: Path) -> None:
        (pair / file).unlink(missing_ok=True)
        (pair / file).mkdir()

    return damage


def with_weights(file: str, change: Callable[[dict[str, np.ndarray[Any, Any]]], object]) -> Damage:
    """Change the tensors of a file, which is written as it should be."""

    def damage(pair: Path) -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(pair / file)
        change(tensors)
        (pair / file).unlink()
        save_file(tensors, pair / file, {"format": "mlx"})

    return damage


def template(text: str) -> Damage:
    """A text in front of nano's own chat template."""
    own = (NANO / "base" / "chat_template.jinja").read_text()
    return replaced("base/chat_template.jinja", text + own)
