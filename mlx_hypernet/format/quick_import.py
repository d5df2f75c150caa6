"""A quicker import of transformers: the files of its models are read when a class of one of them is asked for.

When it is imported, it reads the 1,700 files of its models twice, for the names in `__all__`. This takes 0.7 s of the
1.2 s that mlx-lm takes to import (transformers 5.24, processor time). The automatic classes, all that mlx-lm asks for,
are in six of these files. Where the others are read, it takes 0.2 s with this. The result is the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_SCANNER, _READ_FOLDER = "transformers.utils.import_utils", "create_import_structure_from_path"
_DEFINE, _LAZY_MODULE = "define_import_structure", "_LazyModule"
_AUTOMATIC = "auto"  # the folder of the automatic classes
_NONE: frozenset[str] = frozenset()  # exports that need no other package

Exports = dict[frozenset[str], dict[str, set[str]]]  # packages that they need -> module -> names
Define = Callable[..., Exports]


def quicken_transformers() -> None:
    """Make the first import of transformers in this process quick; afterwards, and twice, it does nothing."""
    if _SCANNER not in sys.modules and not any(isinstance(finder, _Quick) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Quick())


class _Quick(MetaPathFinder):
    """Waits for the module that reads the files, and changes it as soon as it has run.

    It stays among the finders: a thread that imports something else would miss one if the list became shorter.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _SCANNER:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Changed(spec.loader.name, spec.loader.path)
        return spec


class _Changed(SourceFileLoader):
    """Runs the module, then changes it."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _change(module)


def _change(module: ModuleType) -> None:
    """Replace its slow parts, unless another version of transformers has none of these names."""
    parts = vars(module)
    names_after = parts.get("fetch__all__")
    read_folder = getattr(parts.get(_READ_FOLDER), "__wrapped__", None)
    if names_after is not None:
        # It looks at each line for one that starts with `__all__`, and takes the last.
        def last_all(content: str) -> list[str]:
            at = f"\n{content}".rfind("\n__all__")
            return names_after(content[at:]) if at >= 0 else []

        parts["fetch__all__"] = last_all
    if read_folder is not None:
        # Its own cache holds 128 folders of 560: the second reading finds none of them.
        parts[_READ_FOLDER] = lru_cache(maxsize=None)(read_folder)
    models = Path(str(module.__file__)).parents[1] / "models"
    if {_DEFINE, _LAZY_MODULE} <= parts.keys() and (models / _AUTOMATIC).is_dir():
        parts[_DEFINE] = _define_later(models, parts[_DEFINE])
        _read_later(parts[_LAZY_MODULE])


class _Unread(dict[frozenset[str], dict[str, set[str]]]):
    """The exports of the automatic classes, in place of those of all models, which `read` returns."""

    def __init__(self, exports: Exports, read: Callable[[], Exports]) -> None:
        super().__init__({needs: dict(modules) for needs, modules in exports.items()})  # transformers adds its own
        self.read = read


def _define_later(models: Path, define: Define) -> Define:
    """Return `define_import_structure`, which reads one folder where it is asked about all models."""

    def define_later(path: str, prefix: str | None = None) -> Exports:
        if Path(path) not in (models, models / "__init__.py"):
            return define(path, prefix)
        below = f"{prefix}.{_AUTOMATIC}" if prefix else _AUTOMATIC
        return _Unread(define(str(models / _AUTOMATIC), below), lambda: define(path, prefix))

    return define_later


def _read_later(lazy_module: Any) -> None:
    """Let a `_LazyModule` of unread exports read all models when it is asked for a name that it does not have."""
    make, get = lazy_module.__init__, lazy_module.__getattr__

    def make_later(self: Any, name: str, file: str, exports: Exports, *others: Any, **more: Any) -> None:
        make(self, name, file, exports, *others, **more)
        if isinstance(exports, _Unread):
            self._unread = exports
            del self.__all__  # it is asked for like any other name

    def get_later(self: Any, name: str) -> Any:
        unread = vars(self).get("_unread")
        if unread is None or (name.startswith("__") and name != "__all__"):
            return get(self, name)
        if any(name in known for known in (self._objects, self._class_to_module, self._modules)):
            return get(self, name)
        exports = dict(unread.read())
        exports[_NONE] = {**exports[_NONE], **unread[_NONE]}
        full = lazy_module(
            self._name, self.__file__, exports, self.__spec__, self._objects, self._explicit_import_shortcut
        )
        # In one step, and the mark last: another thread may look up a name now.
        self.__dict__.update({key: value for key, value in vars(full).items() if not key.startswith("__")})
        self.__all__ = full.__all__
        self._unread = None
        return getattr(self, name)

    lazy_module.__init__, lazy_module.__getattr__ = make_later, get_later
