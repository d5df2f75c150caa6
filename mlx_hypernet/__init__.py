"""Doc-to-LoRA in MLX: from the token ids of a document to an adapter that is live in an mlx-lm model.

Input: a base model loaded by mlx-lm, a bundle (the hypernetwork and what it knows about its base), token ids.
Output: `ChunkAdapters` (one adapter for each chunk of a document), composed into one `Adapter`, attached or saved.

The names below are for use from outside; importing the package loads none of them, and no MLX:

    bundle = load_bundle(Path("hypernet"))          # the hypernetwork
    chunks = absorb(model, bundle, ids)             # ids: a list of chunks, each a list of token ids
    attach(model, compose([chunks]))                # the model now knows the document
    detach(model)                                   # and is again, bit for bit, the base

Read `absorbing.py` first: it has the whole path in one function. Then, in its order: `encoder.py` (chunks to features,
one layer at a time), `hypernet.py` (features to A and B), `adapter.py` (compose, save, load) and `live.py` (attach,
detach). `rows.py` decodes one batch over many documents. `bundle.py` loads and checks bundles, `quantization.py` makes
them smaller, `base.py` knows the structure of base models, `storage.py` reads and writes tensors, `blas.py` makes Linux
fast. `format/` is what `torch_train` must know as well: configuration, chat template, chunking. The package needs no
torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.adapter import Adapter, ChunkAdapters, compose
    from mlx_hypernet.bundle import Bundle, load_bundle
    from mlx_hypernet.live import attach, detach

__all__ = ["Adapter", "Bundle", "ChunkAdapters", "absorb", "attach", "compose", "detach", "load_bundle"]

_MODULES = {
    "Adapter": "adapter",
    "Bundle": "bundle",
    "ChunkAdapters": "adapter",
    "absorb": "absorbing",
    "attach": "live",
    "compose": "adapter",
    "detach": "live",
    "load_bundle": "bundle",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
