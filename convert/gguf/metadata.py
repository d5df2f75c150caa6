"""Typed access to a GGUF file's metadata: a value that is missing or of another type is refused by its key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.errors import CheckpointError
from convert.gguf.header import GgufFile

# Far above every published model, far below what would exhaust memory.
_LARGEST = 1 << 31


@dataclass(frozen=True)
class Metadata:
    """The metadata of one file.

    Attributes:
        file: whose metadata it is.
    """

    file: GgufFile

    @property
    def architecture(self) -> str:
        """The model's architecture in llama.cpp's naming."""
        return self.text("general.architecture")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return self._key(key) in self.file.metadata

    def integer(self, key: str, default: int | None = None) -> int:
        """A count or an id, from 0 to 2^31. `{arch}` in a key is the architecture."""
        value = self._value(key, default)
        if isinstance(value, np.ndarray) and len(set(value.tolist())) == 1:
            value = value.tolist()[0]  # one value a layer, all the same
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
            raise self._wrong(key, value, "a whole number")
        return value

    def optional_integer(self, key: str) -> int | None:
        """A count or an id, None where the key is missing."""
        return self.integer(key) if self.has(key) else None

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(key, value, "a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Yes or no."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "text")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        value = self._value(key, None)
        if not isinstance(value, list):
            raise self._wrong(key, value, "a list of texts")
        return value

    def numbers(self, key: str) -> np.ndarray:
        """An array of numbers."""
        value = self._value(key, None)
        if not isinstance(value, np.ndarray):
            raise self._wrong(key, value, "a list of numbers")
        return value

    def _key(self, key: str) -> str:
        return key.replace("{arch}", str(self.file.metadata.get("general.architecture")))

    def _value(self, key: str, default: Any) -> Any:
        value = self.file.metadata.get(self._key(key), default)
        if value is None:
            raise CheckpointError(f"{self.file.path} lacks {self._key(key)} in its metadata: get another file")
        return value

    def _wrong(self, key: str, value: Any, wanted: str) -> CheckpointError:
        shown = repr(value)[:60]
        return CheckpointError(f"{self.file.path}: {self._key(key)} is {shown}, not {wanted}: get another file")
