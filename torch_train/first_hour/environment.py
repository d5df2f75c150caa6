"""`python -m torch_train.first_hour.environment`: versions, what is missing, and which kernels there are."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlx_hypernet.format.atomic import write_json

# Import -> name on the package index. Without the first nothing is trained; the others are for one step each.
NEEDED = {
    "torch": "torch",
    "transformers": "transformers",
    "accelerate": "accelerate",
    "safetensors": "safetensors",
    "tokenizers": "tokenizers",
    "pyarrow": "pyarrow",
    "yaml": "PyYAML",
    "jinja2": "Jinja2",
    "numpy": "numpy",
    "tensorboard": "tensorboard",
}
WISHED = {
    "faker": "Faker (English notes)",
    "matplotlib": "matplotlib (curves)",
    "mlx": "mlx[cpu] (conversion to a bundle)",
    "flash_attn": "flash-attn (packed attention without padding)",
    "bitsandbytes": "bitsandbytes (4-bit encoder)",
    "vllm": "vllm (a faster teacher)",
    "triton": "triton (torch.compile)",
}


def environment(device: str) -> dict[str, Any]:
    """What is installed, and what `device` is; nothing is measured."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory (GB)": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "versions": {name: _version(name, index) for name, index in NEEDED.items()},
        "missing": [index for name, index in NEEDED.items() if find_spec(name) is None],
        "missing, of use": [index for name, index in WISHED.items() if find_spec(name) is None],
    }
    return found if found["missing"] else found | _device(device)


def told(found: dict[str, Any]) -> list[str]:
    """The environment in lines."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    lines = [
        f"Python {found['python']}, {found['machine']}, {found['cores']} cores, {found['memory (GB)']} GB",
        versions,
    ]
    lines += [f"{key}: {value}" for key, value in found.items() if key in ("device", "CUDA", "bf16", "attention")]
    for key in ("missing", "missing, of use"):
        if found[key]:
            lines.append(f"{key}: {', '.join(found[key])}")
    return lines


def _version(name: str, index: str) -> str | None:
    if find_spec(name) is None:
        return None
    try:
        return metadata.version(index)
    except metadata.PackageNotFoundError:
        return str(getattr(import_module(name), "__version__", "of unknown version"))


def _device(device: str) -> dict[str, Any]:
    import torch

    from torch_train.model.base import fast_dtype

    dtype = fast_dtype(torch.device(device))
    if device != "cuda" or not torch.cuda.is_available():
        asked = "" if device == "cpu" else ": CUDA was asked for and is not there"
        return {"device": f"cpu, {torch.get_num_threads()} threads{asked}", "bf16": dtype, "attention": "SDPA, padded"}
    properties = torch.cuda.get_device_properties(0)
    backends = {
        "flash": torch.backends.cuda.flash_sdp_enabled(),
        "memory-efficient": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "cuDNN": torch.backends.cuda.cudnn_sdp_enabled(),
    }
    varlen = find_spec("flash_attn") is not None
    kernels = ", ".join(name for name, enabled in backends.items() if enabled)
    return {
        "device": f"{properties.name}, {properties.multi_processor_count} multiprocessors, "
        f"{properties.total_memory / 1e9:.1f} GB, compute capability {properties.major}.{properties.minor}",
        "CUDA": f"{torch.version.cuda}, {torch.cuda.device_count()} device(s)",
        "bf16": dtype,
        "attention": "flash-attn's varlen kernels" if varlen else f"SDPA, padded: {kernels}",
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: 1 where a package is missing that everything needs."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.first_hour.environment", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write it there as well")
    options = parser.parse_args(arguments)
    found = environment(options.device)
    print("\n".join(told(found)), flush=True)
    if options.json:
        write_json(options.json, found)
    if found["missing"]:
        parser.exit(1, f"install or carry: {', '.join(found['missing'])}\n")
    if options.device == "cuda" and "CUDA" not in found:
        parser.exit(1, "no CUDA device is available: give --device cpu\n")


if __name__ == "__main__":
    main()
