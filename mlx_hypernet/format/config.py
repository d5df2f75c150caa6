"""What a bundle says about itself: the shape of its hypernetwork, its base model, how documents are chunked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

MOST = 1 << 20  # of anything that is counted in a configuration: nothing is allocated for more
MOST_AFFIX_IDS = 4096  # around every chunk
_MOST_MATCHER = 4096  # of any size of a matcher
DTYPES = ("float32", "bfloat16", "float16")

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration that no hypernetwork or bundle can be built from."""


@dataclass(frozen=True)
class HypernetConfig:
    """Everything that fixes the parameter shapes of a hypernetwork.

    Attributes:
        num_layers: blocks of the base that get an adapter; all of them unless `first_layer` says otherwise.
        hidden_size: width of the base model's hidden states.
        modules: target module (`down_proj`) -> (d_in, d_out). Kept in alphabetical order, which is the order
            of the decoder's queries and of the head's module axis.
        rank: rank of the adapter of one chunk.
        scale: factor of the adapter, not divided by the rank.
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
        token_pairs: whether each row of an adapter is also given two tokens of the chunk that follow each other: what
            the target module read at the first goes into A, the second's embedding into B. Row r of layer l has the
            token r * num_layers + l of the chunk, counted around, and the one before it.
        exit_layer: block where the base stops reading: its input, after the final norm, is all that the Perceiver
            reads, once for all layers (the reference's `early_exit`). None for features of each adapted layer.
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
    token_pairs: bool = False
    exit_layer: int | None = None

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
        if not all(type(size) is int and 0 < size <= MOST for size in sizes):
            raise ConfigError(f"every size of a hypernetwork must be a positive integer up to {MOST:,}: {self}")
        if type(self.scale) not in (int, float) or not abs(self.scale) <= MOST:
            raise ConfigError(f"scale must be a finite number from -{MOST:,} to {MOST:,}, not {self.scale!r}")
        if type(self.first_layer) is not int or not 0 <= self.first_layer <= MOST:
            raise ConfigError(f"first_layer must be an integer from 0 to {MOST:,}, not {self.first_layer!r}")
        if not all(isinstance(flag, bool) for flag in (self.feature_norm, self.reads_template, self.token_pairs)):
            raise ConfigError("feature_norm, reads_template and token_pairs must be true or false")
        if self.exit_layer is not None and (type(self.exit_layer) is not int or not 0 < self.exit_layer <= MOST):
            raise ConfigError(f"exit_layer must be null or an integer from 1 to {MOST:,}, not {self.exit_layer!r}")
        if self.exit_layer is not None and self.feature_norm:
            raise ConfigError("feature_norm has statistics of each adapted layer: it does not go with exit_layer")
        if self.token_pairs and (
            self.exit_layer is not None or any(w != self.hidden_size for _, w in modules.values())
        ):
            raise ConfigError(
                "token_pairs needs target modules that write hidden states, and does not go with exit_layer"
            )
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(f"{self.num_heads} heads cannot share {self.num_kv_heads} key/value heads")

    @property
    def layers(self) -> range:
        """The blocks of the base that get an adapter."""
        return range(self.first_layer, self.first_layer + self.num_layers)

    @property
    def read_layers(self) -> range:
        """The blocks whose inputs the Perceiver reads."""
        return self.layers if self.exit_layer is None else range(self.exit_layer, self.exit_layer + 1)

    @property
    def feature_size(self) -> int:
        """Numbers of each token that are read in a layer.

        Its features; with `token_pairs` also its embedding and what each target module reads, in their order.
        """
        return self.hidden_size + self.token_pairs * (self.hidden_size + sum(d_in for d_in, _ in self.modules.values()))

    @property
    def recorded(self) -> tuple[str, ...]:
        """Target modules whose inputs are read as well."""
        return tuple(self.modules) if self.token_pairs else ()

    @property
    def queries(self) -> int:
        """Latents of the Perceiver's decoder: one for each module and rank, and where it reads once for each layer."""
        return len(self.modules) * self.rank * (1 if self.exit_layer is None else self.num_layers)

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
        return _build(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `config.json`; the inverse of `from_dict`. What is None is left out, for earlier versions."""
        data = {name: value for name, value in asdict(self).items() if value is not None}
        return data | {"modules": {name: list(sizes) for name, sizes in self.modules.items()}}


@dataclass(frozen=True)
class BaseInfo:
    """The base model a hypernetwork was trained for.

    Attributes:
        repository: where it is published; None for a base that exists only on disk.
        model_type: the architecture's name in its `config.json`.
        hidden_size, num_layers, vocab_size: its shape.
        fingerprint: see `mlx_hypernet.fingerprint`; None if the weights were not available.
        weight_sample: first values of some matrices, see there too; None also for bundles of Thoth 0.1.
    """

    repository: str | None
    model_type: str
    hidden_size: int
    num_layers: int
    vocab_size: int
    fingerprint: str | None = None
    weight_sample: dict[str, str] | None = None

    def __post_init__(self) -> None:
        """Check the kind of every value."""
        sizes = {"hidden_size": self.hidden_size, "num_layers": self.num_layers, "vocab_size": self.vocab_size}
        for name, size in sizes.items():
            if type(size) is not int or not 0 < size <= MOST:
                raise ConfigError(f"{name} of the base must be an integer from 1 to {MOST:,}, not {size!r}")
        for name in ("model_type", "repository", "fingerprint"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "model_type"):
                raise ConfigError(f"{name} of the base must be a text, not {value!r}")
        if not isinstance(self.weight_sample, dict | None):
            raise ConfigError(f"weight_sample of the base must be an object or null, not {self.weight_sample!r}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BaseInfo:
        """Build from JSON data; raises `ConfigError` like `HypernetConfig.from_dict`."""
        return _build(cls, data)


@dataclass(frozen=True)
class Quantization:
    """How a bundle's matrices are stored: affine, `bits` for each weight, scale and bias for each group of a row."""

    bits: int
    group_size: int = 64

    def __post_init__(self) -> None:
        """Check what MLX can compute with."""
        known = self.bits in (4, 8) and self.group_size in (32, 64, 128)
        if not known or type(self.bits) is not int or type(self.group_size) is not int:  # 8.0 is equal to 8
            raise ConfigError(f"quantisation must be 8 or 4 bits in groups of 32, 64 or 128, not {self}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Quantization:
        """Build from JSON data; raises `ConfigError` like `HypernetConfig.from_dict`."""
        return _build(cls, data)


@dataclass(frozen=True)
class MatcherConfig:
    """Shape of a bundle's matcher (`mlx_hypernet.matcher`), and which weights belong to it.

    Attributes:
        layer: block of the base whose input it reads, from 1.
        width: of its tokens.
        blocks: of attention and MLP.
        heads: of the attention.
        weights: short hash of its weights' file, as `identity.weights_id` makes it.
    """

    layer: int
    width: int
    blocks: int
    heads: int
    weights: str

    def __post_init__(self) -> None:
        """Check every size: nothing is allocated for a header that lies."""
        sizes = (self.layer, self.width, self.blocks, self.heads)
        if not all(type(size) is int and 0 < size <= _MOST_MATCHER for size in sizes) or self.width % self.heads:
            raise ConfigError(
                f"sizes of the matcher must be integers from 1 to {_MOST_MATCHER:,}, the width in whole heads: {self}"
            )
        if not isinstance(self.weights, str):
            raise ConfigError(f"weights of the matcher must be a text, not {self.weights!r}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MatcherConfig:
        """Build from JSON data; raises `ConfigError` like `HypernetConfig.from_dict`."""
        return _build(cls, data)


@dataclass(frozen=True)
class BundleConfig:
    """The `config.json` of a bundle.

    Attributes:
        hypernet: shape of the hypernetwork.
        base: the base model it belongs to.
        max_chunk_tokens: longest chunk, before the template's ids are put around it.
        prefix_ids, suffix_ids: the chat template's ids around a document.
        dtype: of the stored weights; where they are quantised, of everything that is not.
        source: where the weights came from: repository or folder, revision, step.
        tool_version: version of the program that wrote the bundle.
        quantization: of the stored matrices; None where they are dense.
        recall: share of facts, 0 to 1, recalled from adapters alone; None if it was never measured.
        readable_loss: loss of the base, nats a token, up to which it can read a text; None if it was never measured.
        matcher: what tells whether a chunk answers a question; None where the bundle has none.
    """

    hypernet: HypernetConfig
    base: BaseInfo
    max_chunk_tokens: int
    prefix_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]
    dtype: str
    source: dict[str, Any]
    tool_version: str
    quantization: Quantization | None = None
    recall: float | None = None
    readable_loss: float | None = None
    matcher: MatcherConfig | None = None

    def __post_init__(self) -> None:
        """Bring the ids into tuples and check what no dataclass checks."""
        object.__setattr__(self, "prefix_ids", tuple(self.prefix_ids))
        object.__setattr__(self, "suffix_ids", tuple(self.suffix_ids))
        if type(self.max_chunk_tokens) is not int or not 0 < self.max_chunk_tokens <= MOST:
            raise ConfigError(f"max_chunk_tokens must be an integer from 1 to {MOST:,}, not {self.max_chunk_tokens!r}")
        # MLX looks up an id beyond the vocabulary in memory that is not the embedding's.
        vocabulary = self.base.vocab_size
        if len(self.prefix_ids) + len(self.suffix_ids) > MOST_AFFIX_IDS:
            raise ConfigError(
                f"prefix_ids and suffix_ids have more than {MOST_AFFIX_IDS:,} ids, which no template does"
            )
        if not all(type(id) is int and 0 <= id < vocabulary for id in (*self.prefix_ids, *self.suffix_ids)):
            raise ConfigError(f"prefix_ids and suffix_ids must be ids of the base's vocabulary, below {vocabulary}")
        if not isinstance(self.source, dict):
            raise ConfigError(f"source must be an object, not {self.source!r}")
        if not isinstance(self.quantization, Quantization | None):
            raise ConfigError(f"quantization must be an object or null, not {self.quantization!r}")
        if self.recall is not None and not (type(self.recall) in (int, float) and 0 <= self.recall <= 1):
            raise ConfigError(f"recall must be a number from 0 to 1 or null, not {self.recall!r}")
        most = self.readable_loss
        if most is not None and not (type(most) in (int, float) and 0 < most <= MOST):
            raise ConfigError(f"readable_loss must be a positive number or null, not {most!r}")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, not {self.dtype!r}")
        if not isinstance(self.matcher, MatcherConfig | None):
            raise ConfigError(f"matcher must be an object or null, not {self.matcher!r}")
        if self.matcher is not None and self.matcher.layer >= self.base.num_layers:
            raise ConfigError(f"the matcher reads block {self.matcher.layer} of {self.base.num_layers}")
        layers, base = self.hypernet.layers, self.base
        whole = layers.start > 0 or layers.stop == base.num_layers
        early = self.hypernet.exit_layer
        if early is not None and early >= base.num_layers:
            raise ConfigError(f"exit_layer is {early}, but {base} has {base.num_layers} blocks")
        if layers.stop > base.num_layers or not whole or self.hypernet.hidden_size != base.hidden_size:
            ours = f"layers {layers.start} to {layers.stop - 1}, width {self.hypernet.hidden_size}"
            raise ConfigError(f"hypernetwork for {ours}, but {base} says otherwise")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BundleConfig:
        """Build from JSON data; raises `ConfigError` like `HypernetConfig.from_dict`."""
        data = dict(data)
        for key, part in (("hypernet", HypernetConfig), ("base", BaseInfo)):
            if not isinstance(data.get(key), dict):
                raise ConfigError(f"the bundle's configuration has no section {key!r}")
            data[key] = part.from_dict(data[key])
        if isinstance(data.get("quantization"), dict):
            data["quantization"] = Quantization.from_dict(data["quantization"])
        if isinstance(data.get("matcher"), dict):
            data["matcher"] = MatcherConfig.from_dict(data["matcher"])
        return _build(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `config.json`; the inverse of `from_dict`."""
        ids = {"prefix_ids": list(self.prefix_ids), "suffix_ids": list(self.suffix_ids)}
        return asdict(self) | {"hypernet": self.hypernet.to_dict()} | ids


def _build(cls: type[T], data: dict[str, Any]) -> T:
    unknown = sorted(set(data) - {field.name for field in fields(cls)})  # type: ignore[arg-type]
    if unknown:
        raise ConfigError(f"unknown keys for {cls.__name__}: {', '.join(unknown)}")
    try:
        return cls(**data)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"not a usable {cls.__name__}: {error}") from error
