"""How long converting Ministral-3-3B's hypernetwork takes, and how much memory, beside the checkpoint's size.

Random weights at full size (360,224,160 parameters, fp32) in the reference implementation's layout; every conversion
is a process of its own. Needs 4 GB of disk for a while.

python -m benchmarks.conversion [--verify 1] [--folder PLACE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmarks import harness

if TYPE_CHECKING:
    from mlx_hypernet.format.config import HypernetConfig

MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"
STORAGES = (("float32", None), ("bfloat16", None), ("bfloat16", "8"), ("bfloat16", "4"))
# The reference's classes, in the modules that pickle names today.
MODULES = {
    "HypernetConfig": "ctx_to_lora.modeling.hypernet",
    "AggregatorConfig": "ctx_to_lora.modeling.aggregator",
    "AGGREGATOR_TYPE": "ctx_to_lora.modeling.aggregator",
    "CtxEncoderArguments": "ctx_to_lora.configs",
    "CTX_ENCODER_TYPE": "ctx_to_lora.modeling.ctx_encoder",
    "LoraConfig": "peft.tuners.lora.config",
    "LoraRuntimeConfig": "peft.tuners.lora.config",
    "PeftType": "peft.utils.peft_types",
}


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--verify", type=int, default=1, help="seeded inputs compared, as of convert-weights")
    parser.add_argument("--folder", type=Path, help="where the checkpoint and the bundles are for a while")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_ministral(arguments.write)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        checkpoint = Path(folder) / "pytorch_model.bin"
        subprocess.run([sys.executable, "-m", "benchmarks.conversion", "--write", str(checkpoint)], check=True)
        size = checkpoint.stat().st_size
        print(f"checkpoint: {size / 1e9:.2f} GB; --verify {arguments.verify}")
        columns = ("stored as", "seconds", "bundle, GB", "peak memory, GB", "of the checkpoint's size")
        table = harness.Table(*columns)
        for dtype, bits in STORAGES:
            bundle = Path(folder) / "bundle"
            command = [sys.executable, "-c", "from convert.cli import main; main()", str(checkpoint), str(bundle)]
            command += ["--force", "--dtype", dtype, "--verify", str(arguments.verify)]
            seconds, peak = measure(command + (["--q-bits", bits] if bits else []))
            written = (bundle / "model.safetensors").stat().st_size
            name = f"{bits} bits" if bits else dtype
            sizes = (f"{written / 1e9:.2f}", f"{peak / 1e9:.2f}", f"{peak / size:.2f}")
            table.row(name, f"{seconds:.1f}", *sizes)


def measure(command: list[str]) -> tuple[float, int]:
    """Seconds and peak resident bytes of a command that succeeds."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(output)
    return time.perf_counter() - started, harness.peak_memory_bytes(usage)


def write_ministral(path: Path) -> None:
    """Write Ministral-3-3B's hypernetwork with random weights, no two of its parameters in the same place."""
    import torch

    from mlx_hypernet.format.config import HypernetConfig
    from mlx_hypernet.hypernet import HyperNetwork

    config = HypernetConfig(
        num_layers=26,
        hidden_size=3072,
        modules={"down_proj": (9216, 3072)},
        rank=8,
        scale=2 * 8**1.5,
        latent_size=512,
        num_latents=8,
        num_blocks=9,
    )
    generator = torch.Generator().manual_seed(0)
    # A spread of 1/sqrt(d_in) keeps activations of order one; norms and scalers around one.
    tensors = {
        name: torch.randn(shape, generator=generator) * (0.1 if len(shape) == 1 else min(shape[-2:]) ** -0.5)
        + ("norm" in name and name.endswith("weight"))
        for name, shape in HyperNetwork(config).parameter_shapes().items()
    }
    assert sum(tensor.numel() for tensor in tensors.values()) == 360_224_160
    write_reference(path, config, tensors, MINISTRAL)


def write_reference(
    path: Path,
    config: HypernetConfig,
    tensors: dict[str, Any],
    base: str,
    modules: dict[str, str] | None = None,
    **changes: Any,
) -> None:
    """Write a checkpoint as the reference implementation's trainer does: tensors and pickled configuration objects.

    Args:
        path: of the `pytorch_model.bin`.
        config: of the hypernetwork; the Perceiver's heads are those of the reference.
        tensors: our name -> torch tensor.
        base: name of the base model.
        modules: class -> module, where it differs from `MODULES`.
        changes: other values for attributes of `hypernet_config`.
    """
    import torch

    from convert.reference_keys import to_theirs

    with _classes(MODULES | (modules or {})) as make:
        aggregator = make(
            "AggregatorConfig",
            aggregator_type=make("AGGREGATOR_TYPE").PERCEIVER,
            feature_size=config.hidden_size,
            n_latent_queries=config.num_latents,
            num_blocks=config.num_blocks,
            num_self_attn_per_block=0,
            shared_weights=False,
            layer_to_layer_ctx_encoder=True,
        )
        lora = make(
            "LoraConfig",
            peft_type=make("PeftType").LORA,
            r=config.rank,
            lora_alpha=config.scale,
            target_modules=set(config.modules),
            runtime_config=make("LoraRuntimeConfig", ephemeral_gpu_offload=False),
        )
        hypernet = {
            "latent_size": config.latent_size,
            "use_light_weight_lora": False,
            "per_rank_gen": True,
            "use_per_rank_bias": False,
            "use_bias": True,
            "per_layer_processing": config.per_layer_processing,
            "use_token_mixing": False,
            "num_pre_head_layers": config.num_pre_head_layers,
            "lora_config": lora,
            "extra_modules": None,
            "layer_indices": torch.arange(config.num_layers),
            "feature_sizes": tuple({name: sizes[side] for name, sizes in config.modules.items()} for side in (0, 1)),
            "aggregator_config": aggregator,
        }
        encoder = make("CtxEncoderArguments", ctx_encoder_type=make("CTX_ENCODER_TYPE").PER_LAYER_ACTIVATIONS)
        checkpoint = {
            **to_theirs(tensors, config),
            "base_model_name_or_path": base,
            "hypernet_config": make("HypernetConfig", **hypernet | changes),
            "ctx_encoder_args": encoder,
        }
        torch.save(checkpoint, path)


@contextmanager
def _classes(modules: dict[str, str]) -> Iterator[Any]:
    """A function that makes stand-ins for the reference's objects, whose classes pickle finds inside the block."""
    enums = {
        "AGGREGATOR_TYPE": ("PERCEIVER", "perceiver"),
        "CTX_ENCODER_TYPE": ("PER_LAYER_ACTIVATIONS", "per_layer_activations"),
        "PeftType": ("LORA", "LORA"),
    }
    classes: dict[str, Any] = {}
    hidden = {name: sys.modules.get(name) for module in modules.values() for name in _parents(module)}
    for name in hidden:
        sys.modules[name] = ModuleType(name)
    for name, module in modules.items():
        classes[name] = (
            Enum(name, [enums[name]], type=str, module=module)
            if name in enums
            else type(name, (), {"__module__": module})
        )
        setattr(sys.modules[module], name, classes[name])

    def make(name: str, **attributes: Any) -> Any:
        if name in enums:
            return classes[name]
        record = classes[name]()
        vars(record).update(attributes)
        return record

    try:
        yield make
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


if __name__ == "__main__":
    main()
