"""A trained checkpoint in use: documents become adapters, and the base answers with or without them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from mlx_hypernet.format.template import affixes, document_ids
from torch_train.errors import TrainingError
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import own_span, packed_features
from torch_train.model.fetching import fetch_base
from torch_train.model.generation import Transformers
from torch_train.model.lora import Adapters, Injected, compose
from torch_train.model.ragged import Ragged
from torch_train.model.tokenizer import load_tokenizer
from torch_train.training import checkpoint
from torch_train.training.checkpoint import BaseRecord


class AbsorbingModel:
    """A base and its hypernetwork.

    Args:
        folder: A training checkpoint.
        base: The base's folder or name, None for the one that the checkpoint names.
        device: Where both go.
        dtype: Of the base, one of `base.DTYPES`.
        batch_size: Prompts that are answered side by side.
        max_chunk_tokens: Longest chunk, None for what the checkpoint was trained with.
    """

    def __init__(
        self,
        folder: Path,
        base: str | None,
        device: torch.device,
        dtype: str,
        batch_size: int,
        max_chunk_tokens: int | None = None,
    ) -> None:
        record = checkpoint.load_base_record(folder)
        self.hypernet = checkpoint.load_hypernet(folder).to(device).eval().requires_grad_(False)
        config = self.hypernet.config
        if not (base or record.path):
            raise TrainingError(f"{folder} does not say where its base is: give its folder or name with --base")
        self.base_folder = fetch_base(base or record.path)
        self.tokenizer: Any = load_tokenizer(self.base_folder)
        self._base = load_base(self.base_folder, dtype, device)
        self._refuse_other_base(record)
        longest = max_chunk_tokens or record.max_chunk_tokens
        self._chunking = Chunking(longest, record.prefix_ids, record.suffix_ids, min_tokens=1)
        self._injected = Injected(self._base.layers, tuple(config.modules), config.scale, config.first_layer)
        self._engine = Transformers(self._base.model, batch_size)
        self.context_length = self._engine.context_length

    def _refuse_other_base(self, record: BaseRecord) -> None:
        """A hypernetwork fits the base that it was trained with.

        Raises:
            TrainingError: Names in what the base differs.
        """
        here = self._base.shape
        here["prefix_ids"], here["suffix_ids"] = affixes(self.tokenizer)
        told = [
            f"{name} {getattr(record, name)} (here {one})" for name, one in here.items() if getattr(record, name) != one
        ]
        if told:
            raise TrainingError(
                f"the checkpoint was trained for another base than {self.base_folder}: {', '.join(told)}"
            )

    @torch.no_grad()
    def absorb(self, text: str) -> Adapters:
        """The adapter of a document, its chunks cut as the app cuts them: module -> (A (1, L, R, d_in), B alike)."""
        chunks = self._chunking.chunks(document_ids(self.tokenizer, text))
        generated = [self._generate(torch.tensor(chunk, device=self._base.device)) for chunk in chunks]
        together: Adapters = {}
        for name in self.hypernet.config.modules:
            a, b = zip(*(pairs[name] for pairs in generated), strict=True)
            together[name] = (torch.cat(a), torch.cat(b))
        return compose(together, self.hypernet.bias(), Ragged.of([len(chunks)]))

    def answer(self, prompts: Sequence[Sequence[int]], max_tokens: int, adapters: Adapters | None = None) -> list[str]:
        """Greedy answers of the base, with the adapter of a document or without."""
        with nullcontext() if adapters is None else self._injected.adapted(adapters):
            written = self._engine.generate(prompts, max_tokens)
        return [self.tokenizer.decode(answer.ids.tolist(), skip_special_tokens=True).strip() for answer in written]

    def _generate(self, ids: torch.Tensor) -> Adapters:
        hypernet, length = self.hypernet, ids.shape[0]
        row, config = Ragged.of([length]).to(ids.device), hypernet.config
        early = config.exit_layer is not None
        features = packed_features(self._base, ids, row, config.read_layers, early, config.recorded)
        own = range(length)
        if not hypernet.config.reads_template:
            own = own_span(length, (len(self._chunking.prefix_ids), len(self._chunking.suffix_ids)))
        read = [feature[own.start : own.stop] for feature in features]
        return hypernet.packed(read, Ragged.of([len(own)]).to(ids.device))
