"""A pair's folders -> base, tokenizer and bundle, checked to belong together. Runs on the MLX thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_hypernet.blas import preload_blas
from mlx_hypernet.format.published import is_fp8
from mlx_hypernet.format.quick_import import quicken_transformers
from thoth.errors import ModelError
from thoth.models import registry
from thoth.models.registry import AS_IT_IS, Pair, Reading
from thoth.system import machine

if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn

    from mlx_hypernet.bundle import Bundle
    from mlx_hypernet.format.config import BundleConfig

# What safetensors calls numbers that are no weights; packed ones of quantised layers are U32, their scales U8.
_NO_WEIGHTS = frozenset(("BOOL", "C64", "I8", "I16", "I32", "I64", "U16", "U64"))


@dataclass(frozen=True)
class LoadedPair:
    """A loaded pair.

    Attributes:
        model: the base, as mlx-lm builds it; fp32 on a CPU.
        tokenizer: the base's tokenizer in mlx-lm's wrapper.
        bundle: the hypernetwork and its description of the base.
        context_length: context length of the base, in tokens.
        recall: share of facts recalled from adapters alone, None if it was never measured.
        reading: how the base reads a text best.
        readable_loss: loss of the base, nats a token, up to which it can read a text, None if it was never measured.
        apart: whether each chunk that fits a question answers by itself, and the best answer counts.
    """

    model: nn.Module
    tokenizer: Any
    bundle: Bundle
    context_length: int
    recall: float | None = None
    reading: Reading = AS_IT_IS
    readable_loss: float | None = None
    apart: bool = False


def load_pair(pair: Pair) -> LoadedPair:
    """Load a pair.

    Raises:
        ModelError: The base or the bundle is damaged, or they do not match.
    """
    preload_blas()
    quicken_transformers()
    import mlx.core as mx

    from mlx_hypernet.bundle import BundleError, load_bundle

    # A CPU multiplies bf16 forty times slower than fp32.
    dtype = mx.float32 if mx.default_device() == mx.Device(mx.cpu) else None
    try:
        bundle = load_bundle(pair.bundle, dtype)
        model, tokenizer, config = _load_base(pair.base, bundle.config, dtype)
    except BundleError as error:
        raise ModelError(str(error)) from error
    # Multimodal wrappers keep the text model's settings in a separate section.
    length = config.get("text_config", config)["max_position_embeddings"]
    known = registry.recall(pair), registry.reading(pair), registry.readable_loss(pair)
    return LoadedPair(model, tokenizer, bundle, length, *known, registry.apart(pair))


def _load_base(folder: Path, bundle: BundleConfig, dtype: mx.Dtype | None) -> tuple[nn.Module, Any, dict[str, Any]]:
    import mlx.core as mx
    from mlx_lm.utils import load_model
    from transformers.utils import logging

    from mlx_hypernet.bundle import BundleError, check_fits
    from mlx_hypernet.format.template import affixes
    from mlx_hypernet.tokenizer import load_tokenizer

    _check_files(folder)
    logging.set_verbosity_error()  # it warns about keys in config.json that only mlx-lm reads
    try:
        # Lazy: a base of the wrong shape is refused before its weights are read.
        model, config = load_model(folder, lazy=True)
        if is_fp8(config):
            raise BundleError(f"{folder} has FP8 weights, which mlx-lm misreads; run convert-weights {folder} DST")
        check_fits(bundle, model)
        tokenizer = load_tokenizer(folder, config.get("eos_token_id"))
        if dtype is not None:
            model.set_dtype(dtype)
            model = _dequantised_where_it_fits(model)
        mx.eval(model.parameters())
        if name := _not_finite(model):
            raise BundleError(
                f"the base model in {folder} holds NaN, infinity or a number beyond measure in {name}; fetch it again"
            )
        affixes(tokenizer)  # a template that fails is said here, not at the first question
    except BundleError:
        raise
    # All other errors (missing or damaged files, an unknown architecture) have the same remedy.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"the base model in {folder} cannot be loaded ({reason}); download or convert it again"
        ) from error
    return model, tokenizer, config


def _check_files(folder: Path) -> None:
    """Check what mlx-lm and MLX would believe; raises `ModelError`."""
    from mlx_hypernet.format.vetting import VettingError, check_base
    from mlx_hypernet.storage import DamagedFileError, read_header

    try:
        check_base(folder)
        for path in folder.glob("model*.safetensors"):
            for name, info in read_header(path).items():
                if info.dtype in _NO_WEIGHTS:  # MLX does not come back from products with some of them
                    raise VettingError(f"{name!a} in {path.name} holds {info.dtype} numbers, which are no weights")
    except VettingError as error:
        raise ModelError(f"the base model in {folder} is refused: {error}; use another one") from error
    except DamagedFileError as error:
        raise ModelError(f"{error}; download or convert the base model again") from error


def _not_finite(model: nn.Module) -> str | None:
    """The name of a parameter that holds NaN, infinity or a number that nothing can be computed with."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    from mlx_hypernet.bundle import within_measure

    parameters: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    floats = [(name, value) for name, value in parameters.items() if mx.issubdtype(value.dtype, mx.floating)]
    # A sum is read in one pass and shows both; where fp16 overflows in adding, each number is looked at.
    sums = [mx.isfinite(mx.abs(value).sum().astype(mx.float32) * 1e8) for _, value in floats]
    mx.eval(sums)
    suspects = [pair for pair, finite in zip(floats, sums, strict=True) if not finite.item()]
    return next((name for name, value in suspects if not within_measure(value).item()), None)


def _dequantised_where_it_fits(model: nn.Module) -> nn.Module:
    """Widen a quantised base to fp32: the same numbers, multiplied by the BLAS.

    MLX's own CPU kernels for quantised weights read a prompt fifteen times slower (docs/LOG.md, 2026-11-28). A base
    that would take more than half of the free memory stays quantised.
    """
    import mlx.nn as nn
    from mlx_lm.utils import dequantize_model

    quantised = [m for m in model.modules() if isinstance(m, nn.QuantizedLinear | nn.QuantizedEmbedding)]
    needed = 4 * sum(module.weight.size * 32 // module.bits for module in quantised)
    free = machine.free_memory()
    if not quantised or (free is not None and needed > free // 2):
        return model
    return dequantize_model(model)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out; MLX reports that as a plain RuntimeError."""
    signs = ("unable to allocate", "insufficient memory", "out of memory")
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in signs)
