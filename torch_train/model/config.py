"""The shape of a hypernetwork, in the same fields and the same JSON as `mlx_hypernet/config.py`.

The two packages do not import each other, so the class exists twice; a test keeps both in step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


class ConfigError(ValueError):
    """A configuration that no hypernetwork can be built from."""


@dataclass(frozen=True)
class HypernetConfig:
    """Everything that fixes the parameter shapes of a hypernetwork.

    Attributes:
        num_layers: blocks of the base that get an adapter; all of them unless `first_layer` says otherwise.
        hidden_size: width of the base model's hidden states.
        modules: target module (`down_proj`) -> (d_in, d_out). Kept in alphabetical order, which is the order
            of the decoder's queries and of the head's module axis.
        rank: rank of the adapter of one chunk.
        scale: factor of the adapter, applied as it is and never divided by the rank.
        latent_size: width of the Perceiver.
        num_latents: latents of the Perceiver's encoder.
        num_blocks: cross-attention blocks of the Perceiver's encoder; its decoder always has one.
        num_heads, num_kv_heads, head_dim: of the Perceiver's attention, whatever the latent size.
        num_pre_head_layers: residual MLPs between Perceiver and head, at least one.
        per_layer_processing: whether these MLPs have weights of their own for each base layer.
        first_layer: the first block of the base that gets an adapter; `num_layers` blocks from there do.
        feature_norm: whether features are standardised per layer and dimension, by statistics stored with the weights.
        reads_template: whether the Perceiver reads the chat template's tokens beside the document's own.
        projection_factor: width inside the modality projection, as a multiple of `hidden_size`.
    """

    num_layers: int
    hidden_size: int
    modules: dict[str, tuple[int, int]]
    rank: int
    scale: float
    latent_size: int
    num_latents: int
    num_blocks: int
    num_heads: int = 16
    num_kv_heads: int = 4
    head_dim: int = 128
    num_pre_head_layers: int = 1
    per_layer_processing: bool = True
    first_layer: int = 0
    feature_norm: bool = False
    reads_template: bool = True
    projection_factor: int = 4

    def __post_init__(self) -> None:
        """Bring `modules` into its one order and check every size."""
        modules = {name: (int(d_in), int(d_out)) for name, (d_in, d_out) in sorted(self.modules.items())}
        object.__setattr__(self, "modules", modules)
        if not modules:
            raise ConfigError("a hypernetwork needs at least one target module")
        dotted = [name for name in modules if "." in name]
        if dotted:
            raise ConfigError(f"name target modules by their last part (down_proj), not {', '.join(dotted)}")
        counts = [field.name for field in fields(self) if field.type == "int" and field.name != "first_layer"]
        sizes = [getattr(self, name) for name in counts]
        sizes += [size for pair in modules.values() for size in pair]
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ConfigError(f"every size of a hypernetwork must be a positive integer: {self}")
        if not isinstance(self.first_layer, int) or self.first_layer < 0:
            raise ConfigError(f"first_layer must be an integer from 0 on, not {self.first_layer!r}")
        if not isinstance(self.feature_norm, bool) or not isinstance(self.reads_template, bool):
            raise ConfigError("feature_norm and reads_template must be true or false")
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(f"{self.num_heads} heads cannot share {self.num_kv_heads} key/value heads")

    @property
    def layers(self) -> range:
        """The blocks of the base that get an adapter."""
        return range(self.first_layer, self.first_layer + self.num_layers)

    @property
    def d_lora(self) -> int:
        """Width of the head: room for A and B of the widest target module."""
        return max(d_in + d_out for d_in, d_out in self.modules.values())

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HypernetConfig:
        """Build from JSON data.

        Raises:
            ConfigError: for unknown or missing keys, all named at once, and for values of the wrong kind.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ConfigError(f"unknown keys in the hypernetwork's configuration: {', '.join(unknown)}")
        try:
            return cls(**data)
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"the hypernetwork's configuration is not usable: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `config.json`; the inverse of `from_dict`."""
        return asdict(self) | {"modules": {name: list(sizes) for name, sizes in self.modules.items()}}
