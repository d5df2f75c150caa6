"""What the torch model computes from the seeded inputs: the expected side of the parity report.

Only functions that run import torch, and nothing outlives them but arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from convert.checkpoint import Checkpoint
from convert.probe import FeaturesProbe, Outputs, TextProbe
from convert.torch_base import load_torch_base


def from_features(checkpoint: Checkpoint, probes: Sequence[FeaturesProbe]) -> tuple[list[Outputs], int]:
    """Outputs for each probe, and the number of parameters."""
    import torch

    outputs = []
    with torch.inference_mode():
        hypernet = _hypernet(checkpoint)
        for probe in probes:
            latents, pairs = _run(hypernet, torch.from_numpy(probe.features), torch.from_numpy(probe.mask))
            outputs.append({"latents": {"": latents.numpy()}} | _adapter_rows(hypernet, pairs))
        return outputs, _count(hypernet)


def from_text(checkpoint: Checkpoint, probes: Sequence[TextProbe], base_path: Path) -> tuple[list[Outputs], int]:
    """Outputs for each probe, the base in fp32, and the number of parameters.

    Raises:
        CheckpointError: when transformers cannot load the base.
    """
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    outputs = []
    with torch.inference_mode():
        base, hypernet = load_torch_base(base_path), _hypernet(checkpoint)
        own = _own_tokens(checkpoint)
        for probe in probes:
            features = [_features(base, hypernet, chunk) for chunk in probe.chunks]
            runs = [_run(hypernet, chunk[:, :, own], None) for chunk in features]
            pairs = {m: tuple(torch.cat([p[m][side] for _, p in runs]) for side in (0, 1)) for m in runs[0][1]}
            output: Outputs = {
                "features": {str(i): _standardised(hypernet, chunk[0]) for i, chunk in enumerate(features)},
                "latents": {"": torch.cat([latents for latents, _ in runs]).numpy()},
                **_adapter_rows(hypernet, pairs),
            }
            with _adapted(base, _combined(hypernet, pairs), hypernet.config):
                output["logits"] = {"": base(torch.tensor([probe.query])).logits.float().numpy()}
            outputs.append(output)
        return outputs, _count(hypernet)


def _own_tokens(checkpoint: Checkpoint) -> slice:
    """Which of a chunk's tokens the Perceiver reads."""
    config = checkpoint.config
    if config.hypernet.reads_template:
        return slice(None)
    return slice(len(config.prefix_ids), -len(config.suffix_ids) or None)


def _hypernet(checkpoint: Checkpoint) -> Any:
    """The hypernetwork around the checkpoint's own tensors: nothing is initialised, nothing is copied."""
    import torch

    from mlx_hypernet.format.config import HypernetConfig
    from torch_train.model.hypernet import HyperNetwork

    with torch.device("meta"):
        hypernet = HyperNetwork(HypernetConfig.from_dict(checkpoint.config.hypernet.to_dict()))
    hypernet.load_state_dict(checkpoint.weights.state_dict(), assign=True)
    return hypernet.eval()


def _run(hypernet: Any, features: Any, mask: Any) -> tuple[Any, dict[str, Any]]:
    """The Perceiver's output (chunks, L, queries, D), and module -> (A, B) of each chunk."""
    seen = []
    hook = hypernet.decoder.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        pairs = hypernet(features, mask)
    finally:
        hook.remove()
    return seen[0].unflatten(0, features.shape[:2]), pairs


def _combined(hypernet: Any, pairs: dict[str, Any]) -> dict[str, Any]:
    """Module -> (A, B) of all layers: chunks on the rank axis, then the bias pair once."""
    import torch

    bias = hypernet.bias()
    return {
        module: tuple(torch.cat([*pair[side], bias[module][side]], dim=1) for side in (0, 1))
        for module, pair in pairs.items()
    }


def _adapter_rows(hypernet: Any, pairs: dict[str, Any]) -> Outputs:
    combined = _combined(hypernet, pairs)
    return {
        "A": {module: a.numpy() for module, (a, _) in pairs.items()},
        "B": {module: b.numpy() for module, (_, b) in pairs.items()},
        "combined adapter": {
            f"{module} {side}": tensor.numpy()
            for module, pair in combined.items()
            for side, tensor in zip("AB", pair, strict=True)
        },
    }


@contextmanager
def _adapted(model: Any, combined: dict[str, Any], config: Any) -> Iterator[None]:
    """The base with the adapter, by hooks: shares no code with any LoRALinear."""
    hooks, scale = [], config.scale
    for layer, block in enumerate(model.get_decoder().layers[config.first_layer :][: config.num_layers]):
        for module, (a, b) in combined.items():
            linear = next(m for path, m in block.named_modules() if path.rpartition(".")[2] == module)

            def add(_: Any, inputs: tuple[Any, ...], output: Any, a: Any = a[layer], b: Any = b[layer]) -> Any:
                return output + scale * (inputs[0] @ a.T) @ b

            hooks.append(linear.register_forward_hook(add))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _features(model: Any, hypernet: Any, chunk: list[int]) -> Any:
    """(1, L, T, hidden): the input of every block that is read, that of the base's last one after the final norm.

    Where reading ends early, the only one is after the final norm as well. With `token_pairs`, the embeddings and what
    the target modules read are behind them.
    """
    import torch

    decoder, config = model.get_decoder(), hypernet.config
    read: dict[tuple[int, str], Any] = {}
    hooks = []
    for layer in config.layers:
        for path, module in decoder.layers[layer].named_modules():
            if (name := path.rpartition(".")[2]) in config.recorded:
                note = partial(lambda place, _, inputs: read.update({place: inputs[0]}), (layer, name))
                hooks.append(module.register_forward_pre_hook(note))
    states = decoder(torch.tensor([chunk]), output_hidden_states=True).hidden_states[:-1]
    for hook in hooks:
        hook.remove()
    features = [*states[:-1], decoder.norm(states[-1])]
    early = config.exit_layer
    if early is not None:
        return decoder.norm(states[early])[:, None]
    if not config.token_pairs:
        return torch.stack([features[layer] for layer in config.layers], dim=1)
    behind = [[states[0], *(read[layer, name] for name in config.recorded)] for layer in config.layers]
    together = [torch.cat([features[layer], *more], dim=-1) for layer, more in zip(config.layers, behind, strict=True)]
    return torch.stack(together, dim=1)


def _standardised(hypernet: Any, features: Any) -> Any:
    """(L, T, hidden) as the modality projection reads it."""
    import torch

    features = features[..., : hypernet.config.hidden_size]
    return torch.stack([hypernet.standardise(layer, i) for i, layer in enumerate(features)]).numpy()


def _count(hypernet: Any) -> int:
    return sum(tensor.numel() for tensor in hypernet.state_dict().values())
