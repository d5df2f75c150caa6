"""How long it takes to attach a new set of chunks: on nano's shape, and on Ministral-3-3B's with random weights.

    python -m benchmarks.attach [--chunks 8] [--sets 20]

Each set is new to the model. "memory": its chunks were used lately; "files": nothing was. In both, the time ends when
every matrix of the adapter is computed. "processor" is the processor time of the former: what it takes on a machine
that does nothing else. Of a base only the shape is needed: its weights are never computed.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.ingest import Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import ChunkRef

BUNDLE = "random"
# https://huggingface.co/mistralai/Ministral-3-3B-Instruct-2512, but for the vocabulary: it is not attached to.
MINISTRAL = {
    "model_type": "ministral3",
    "hidden_size": 3072,
    "num_hidden_layers": 26,
    "intermediate_size": 9216,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 64,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 262_144,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e6,
        "llama_4_scaling_beta": 0.1,
        "original_max_position_embeddings": 16_384,
    },
}

MINISTRAL_RANK = 8  # of its published hypernetwork


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--chunks", type=int, default=8, help="chunks of a set")
    parser.add_argument("--sets", type=int, default=20, help="sets to attach one after the other")
    arguments = parser.parse_args()
    preload_blas()

    import mlx.core as mx

    config, bundle = (json.loads((nano.folder() / part / "config.json").read_text()) for part in ("base", "hypernet"))
    shapes = {
        "nano, fp32 stored as fp16": (config, bundle["hypernet"]["rank"], mx.float32, 0.005),
        "Ministral-3-3B, bf16": (MINISTRAL, MINISTRAL_RANK, mx.bfloat16, 0.050),
    }
    times = ("from memory, ms", "processor, ms", "from files, ms", "must take less, ms")
    table = harness.Table(f"{arguments.chunks} chunks", "rank", *times)
    for name, (shape, rank, dtype, limit) in shapes.items():
        with tempfile.TemporaryDirectory() as home:
            total, *seconds = measure(Path(home), shape, rank, dtype, arguments.chunks, arguments.sets)
        table.row(name, total, *(f"{1000 * one:.1f}" for one in seconds), f"{1000 * limit:.0f}")


def measure(
    home: Path, config: dict[str, object], rank: int, dtype: object, chunks: int, sets: int
) -> tuple[int, float, float, float]:
    """(total rank, median seconds from memory, their processor time, median seconds from files)."""
    from mlx_lm.models.ministral3 import Model, ModelArgs

    from mlx_hypernet.live import put
    from thoth.engine.adapters import Adapters, sorted_refs

    model = Model(ModelArgs.from_dict(config))
    refs = fill(Library(home), config, rank, dtype, 2 * chunks)
    order = random.Random(0)
    memory, processor, files = [], [], []
    library = Library(home)
    adapters = Adapters(model, library)

    def attach(wanted: list[ChunkRef]) -> None:
        put(model, adapters.of(sorted_refs(wanted)))

    attach(refs)  # all of them are in memory now, and the modules are wrapped
    for _ in range(sets):
        wanted = order.sample(refs, chunks)
        started, spent = time.perf_counter(), time.process_time()
        attach(wanted)
        processor.append(time.process_time() - spent)
        memory.append(time.perf_counter() - started)
    for _ in range(sets):
        adapters = Adapters(model, Library(home))
        wanted = order.sample(refs, chunks)
        started = time.perf_counter()
        attach(wanted)
        files.append(time.perf_counter() - started)
    return rank * (chunks + 1), *map(statistics.median, (memory, processor, files))


def fill(library: Library, config: dict[str, object], rank: int, dtype: object, chunks: int) -> list[ChunkRef]:
    """Store a document with random adapters for down_proj."""
    import mlx.core as mx
    import numpy as np

    from mlx_hypernet.adapter import ChunkAdapters

    layers, wide, narrow = (config[key] for key in ("num_hidden_layers", "intermediate_size", "hidden_size"))
    text = "x" * chunks
    parts = [Chunk([1, 2, 3], "x", None, (), at) for at in range(chunks)]
    stored = library.begin(Document("random", text), BUNDLE, "meaning", parts, None)
    for number in range(chunks):
        adapters = ChunkAdapters(
            A={"down_proj": mx.random.normal((1, layers, rank, wide)).astype(dtype)},
            B={"down_proj": mx.random.normal((1, layers, rank, narrow)).astype(dtype)},
            bias_A={"down_proj": mx.full((layers, rank, wide), 0.5, dtype)},
            bias_B={"down_proj": mx.full((layers, rank, narrow), 0.5, dtype)},
            scale=45.2548,
        )
        library.store(stored.id, [number], adapters, np.zeros((1, 4), np.float32))
    return [ChunkRef(stored.id, number) for number in range(chunks)]


if __name__ == "__main__":
    main()
