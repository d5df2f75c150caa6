"""The process that walks a pickled checkpoint and prints the globals that it mentions, as JSON.

A few bytes of pickle can ask for years of hashing, or for all memory: here both have a bound. `pickles.py` is the other
side. Only the standard library is imported.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

MEMORY_BYTES = 2 << 30
# A pickle holds names and small objects; tensors are beside it. A larger one is meant to exhaust memory.
_LARGEST_PICKLE = 8 << 20
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# What unpickling of damaged bytes raises.
DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Harmless:
    """Takes the place of every class and function while names are collected, whatever is done to it."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None: ...

    def extend(self, values: Any) -> None: ...

    def add(self, value: Any) -> None: ...

    def __hash__(self) -> int:
        return id(self)


class _Names(pickle.Unpickler):
    """Walks a pickle of any protocol and notes the globals it mentions."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        """What pickle asks for every global, by whatever opcode; nothing is imported."""
        self.names.add(f"{module.replace('__builtin__', 'builtins')}.{name}")
        return _Harmless

    def persistent_load(self, pid: Any) -> Any:
        """A tensor's storage; it is not read."""
        return None


def _walk(file: IO[bytes], names: set[str]) -> None:
    walker = _Names(file)
    walker.names = names
    # torch's old format is a row of pickles: magic number, version, system, the object, storage keys.
    if walker.load() == _LEGACY_MAGIC:
        for _ in range(4):
            walker.load()


def _read(path: Path) -> dict[str, Any]:
    names: set[str] = set()
    damaged, larger = False, None
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                _walk(file, names)
                larger = path.name if file.tell() > _LARGEST_PICKLE else None
        else:
            with zipfile.ZipFile(path) as archive:
                pickles = [entry for entry in archive.infolist() if entry.filename.endswith(".pkl")]
                larger = next((entry.filename for entry in pickles if entry.file_size > _LARGEST_PICKLE), None)
                for entry in pickles if larger is None else ():
                    with archive.open(entry) as member:
                        _walk(member, names)
    except DAMAGE:
        damaged = True
    return {"names": sorted(names), "damaged": damaged, "larger": larger}


def main() -> None:
    """Print what the file named on the command line mentions, within the seconds named after it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    seconds = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":  # macOS refuses the limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    print(json.dumps(_read(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
