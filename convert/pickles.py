"""Opening pickled checkpoints without running anything that is in them.

Two barriers. First a process of its own, `pickle_child.py`, walks the pickle with every global replaced by a record
that does nothing: whatever it would import is known by name, and refused by name. Then torch's own restricted unpickler
reads the file, with the same records in place of the configuration's classes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

from convert.errors import CheckpointError
from convert.pickle_child import DAMAGE

CPU_SECONDS = 5  # of processor time; checkpoints take a tenth of one

# The reference's configuration classes, in the modules that have held them.
_REFERENCE_MODULES = (
    "ctx_to_lora.configs",
    "ctx_to_lora.modeling",
    "ctx_to_lora.modeling.hypernet",
    "ctx_to_lora.modeling.aggregator",
    "ctx_to_lora.modeling.ctx_encoder",
    "ctx_to_lora.modeling_utils",  # before it became `modeling.hypernet`: the published checkpoints
    "ctx_to_lora.hypernet",
    "ctx_to_lora.aggregator",
    "ctx_to_lora.ctx_encoder",
    "ctx_to_lora.pooling",
)
_REFERENCE_CLASSES = (
    "AGGREGATOR_TYPE",
    "AggregatorArguments",
    "AggregatorConfig",
    "CTX_ENCODER_TYPE",
    "CtxEncoderArguments",
    "HypernetArguments",
    "HypernetConfig",
    "POOL_FN",
)
_PEFT_MODULES = ("peft", "peft.tuners.lora", "peft.tuners.lora.config", "peft.utils.config", "peft.utils.peft_types")
_PEFT_CLASSES = (
    "CordaConfig",
    "EvaConfig",
    "LoftQConfig",
    "LoraConfig",
    "LoraRuntimeConfig",
    "PeftType",
    "TaskType",
)
INERT_CLASSES = tuple(
    f"{module}.{name}"
    for modules, names in ((_REFERENCE_MODULES, _REFERENCE_CLASSES), (_PEFT_MODULES, _PEFT_CLASSES))
    for module, name in product(modules, names)
)
# What tensors themselves are made of; torch's restricted unpickler knows these.
_TENSOR_PARTS = {
    "builtins.set",
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
    *(f"torch.{kind}Storage" for kind in "Float Half BFloat16 Double Long Int Short Char Byte Bool".split()),
    *(f"torch.{kind}" for kind in "float32 float16 bfloat16 float64 int64 int32".split()),
    "torch.storage.UntypedStorage",
}
_ALLOWED = _TENSOR_PARTS | set(INERT_CLASSES)


class Inert:
    """Keeps what a pickle says about an object, and does nothing."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def load(path: Path) -> dict[str, Any]:
    """Read a file of `torch.save`: tensors that stay on disk until they are used, configuration as `Inert`.

    Raises:
        CheckpointError: when the file is missing, damaged, or mentions a global that is not on the list.
    """
    import torch

    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    refused = sorted(_globals(path) - _ALLOWED)
    if refused:
        raise CheckpointError(f"{path} is refused: it wants to run {', '.join(refused)}, which no checkpoint needs")
    records: list[Any] = [(type(name.rpartition(".")[2], (Inert,), {}), name) for name in INERT_CLASSES]
    try:
        # torch warns about old formats and archives of TorchScript in lines of its own.
        with (
            warnings.catch_warnings(action="ignore"),
            torch.serialization.safe_globals([*records, (set, "__builtin__.set")]),
        ):
            # Only files of torch's zip format can be mapped.
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except DAMAGE as error:
        if named := re.search(r"GLOBAL (\S+)", str(error)):
            raise CheckpointError(f"{path} is refused: it wants to run {named[1]}") from error
        raise CheckpointError(f"{path} is damaged or no checkpoint: download it again") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is not a checkpoint of the reference implementation: it holds no dict")
    return data


def _globals(path: Path) -> set[str]:
    """Every global that the file mentions, as far as it can be read."""
    program = [sys.executable, "-P", str(Path(__file__).with_name("pickle_child.py"))]
    ended = subprocess.run(
        [*program, str(path), str(CPU_SECONDS)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ended.returncode:
        raise CheckpointError(f"{path} is refused: reading it takes more time or memory than any checkpoint needs")
    found = json.loads(ended.stdout)
    if found["larger"]:
        raise CheckpointError(f"{path} is refused: its {found['larger']} is larger than any checkpoint's")
    names = set(found["names"])
    if found["damaged"] and not names - _ALLOWED:
        raise CheckpointError(f"{path} is damaged or no checkpoint: download it again")
    return names
