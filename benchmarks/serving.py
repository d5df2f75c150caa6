"""What one batch over many documents is worth: `python -m benchmarks.serving`.

1. Decoding: 8 questions over 8 documents in one batch, against one after the other (nano, and a base of SmolLM2-135M's
   shape with random weights), and how far the logits of the batch are from each alone.
2. Servers: requests from 8 clients to `thoth serve`, against `mlx_lm.server` with one adapter, and with 8 in turn
   (`serving_servers.py`).
3. Latency: what the server adds to the engine's own time to the first token.

All ratios are of one run; seconds depend on the machine.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2

from benchmarks import harness, serving_servers
from benchmarks.serving_load import TOWNS, Server
from mlx_hypernet.blas import preload_blas
from thoth import nano

DOCUMENTS = 8
PROMPT_TOKENS, ANSWER_TOKENS = 24, 48
SMOL = {
    "model_type": "llama",
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "rms_norm_eps": 1e-5,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "rope_theta": 100000.0,
}
SMOL_RANK = 32


def main() -> None:
    """Run what the arguments name."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("parts", nargs="*", default=["decoding", "servers", "latency"])
    parser.add_argument("--pair", default="nano", help="pair that the servers load")
    parser.add_argument("--base", type=Path, help="its base for mlx_lm.server; else nano's")
    parser.add_argument("--bases", nargs="*", default=[*BASES], help="bases of part 1")
    parser.add_argument("--requests", type=int, default=64, help="requests to each server in a round")
    parser.add_argument("--max-tokens", type=int, default=16, help="length limit of the servers' answers")
    parser.add_argument("--own", action="store_true", help="with the router and second look of `thoth serve`")
    arguments = parser.parse_args()
    preload_blas()
    if "decoding" in arguments.parts:
        table = harness.Table("base", "one by one, tokens/s", "together", "ratio", "logits apart by", "same text")
        for name in arguments.bases:
            table.row(name, *decoding(*BASES[name]()))
        print()
    if "servers" in arguments.parts:
        base = arguments.base or nano.folder() / "base"
        serving_servers.compare(arguments.pair, base, arguments.requests, arguments.max_tokens, own=arguments.own)
        print()
    if "latency" in arguments.parts:
        latency(arguments.pair)


# 1. Decoding


def decoding(model: Any, rank: int) -> list[str]:
    """The row of one base: tokens a second one by one and together, their ratio, the largest distance of logits."""
    import mlx.core as mx

    from mlx_hypernet.live import fit
    from thoth.engine.decoding import Decoder

    pair: Any = SimpleNamespace(
        model=model, tokenizer=SimpleNamespace(eos_token_ids=set()), context_length=2048, bundle=None
    )
    adapters = [fit(model, _adapter(model, rank, seed)) for seed in range(DOCUMENTS)]
    prompts = [[(7 * row + 3 * i) % 500 + 10 for i in range(PROMPT_TOKENS + row)] for row in range(DOCUMENTS)]
    decoder = Decoder(pair)

    def run(rows: Sequence[int]) -> dict[int, list[Any]]:
        from mlx_lm.models.cache import make_prompt_cache

        ids = {
            decoder.add(prompts[row], prompts[row], make_prompt_cache(model), adapters[row], ANSWER_TOKENS): row
            for row in rows
        }
        found: dict[int, list[Any]] = {row: [] for row in rows}
        while decoder.rows:
            for one in decoder.step():
                found[ids[one.row]].append((one.token, one.logprobs))
        return found

    def alone() -> dict[int, list[Any]]:
        return {row: steps for one in range(DOCUMENTS) for row, steps in run([one]).items()}

    def together() -> dict[int, list[Any]]:
        return run(range(DOCUMENTS))

    expected, found = alone(), together()
    apart = max(
        float(mx.abs(a - b).max().item())
        for row in expected
        for (_, a), (_, b) in zip(expected[row], found[row], strict=True)
    )
    same = all([t for t, _ in expected[row]] == [t for t, _ in found[row]] for row in expected)
    tokens = DOCUMENTS * ANSWER_TOKENS
    slow, fast = [], []
    for _ in range(3):  # in turns: what else runs on the machine slows both down
        slow.append(tokens / harness.seconds_of(alone))
        fast.append(tokens / harness.seconds_of(together))
    ratio = statistics.median(b / a for a, b in zip(slow, fast, strict=True))
    return [
        f"{statistics.median(slow):.0f}",
        f"{statistics.median(fast):.0f}",
        f"{ratio:.2f}",
        f"{apart:.1e}",
        str(same).lower(),
    ]


def _adapter(model: Any, rank: int, seed: int) -> Any:
    """Random A and B for down_proj, as large as trained ones."""
    import mlx.core as mx

    from mlx_hypernet.adapter import Adapter
    from mlx_hypernet.base import base_linear, linear_shape, target_path, text_model

    blocks = text_model(model).layers
    d_in, d_out = linear_shape(base_linear(blocks[0], target_path(blocks[0], "down_proj")))
    keys = mx.random.split(mx.random.key(seed), 2)
    a = mx.random.normal((len(blocks), rank, d_in), key=keys[0]) * 0.02
    b = mx.random.normal((len(blocks), rank, d_out), key=keys[1]) * 0.02
    return Adapter({"down_proj": a}, {"down_proj": b}, 1.0)


def _nano() -> tuple[Any, int]:
    from mlx_lm.utils import load_model

    model, _ = load_model(nano.folder() / "base")
    return model, 32


def _smol() -> tuple[Any, int]:
    import mlx.core as mx
    from mlx_lm.models.llama import Model, ModelArgs

    mx.random.seed(0)
    model = Model(ModelArgs.from_dict(SMOL))
    mx.eval(model.parameters())
    return model, SMOL_RANK


BASES = {"nano": _nano, "smol": _smol}


# 3. Latency


def latency(pair: str) -> None:
    """Time to the first piece of a streamed answer, and how much of it is the engine's own."""
    added = []
    with tempfile.TemporaryDirectory() as folder, httpx2.Client(timeout=120) as client:
        server = Server(Path(folder) / "home", pair)
        server.absorb(client, f"{TOWNS[0]}.txt", f"The mayor of {TOWNS[0]} is Osra Kelland.")
        for n in range(40):
            asked = {"role": "user", "content": f"Who is the mayor of {TOWNS[n % len(TOWNS)]}?"}
            body = {"model": f"thoth/{TOWNS[0]}.txt", "messages": [asked], "max_tokens": 16, "stream": True}
            body["stream_options"] = {"include_usage": True}
            started = time.perf_counter()
            first = 0.0
            with client.stream("POST", f"{server.url}/v1/chat/completions", json=body) as response:
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        first = first or time.perf_counter() - started
                        last = json.loads(line[6:])
            added.append(1000 * (first - last["thoth"]["stats"]["time_to_first_token_seconds"]))
        server.process.terminate()
        server.process.communicate()
    quarters = statistics.quantiles(added, n=4)
    table = harness.Table("added to the first token, ms", "fastest quarter below", "median", "slowest quarter above")
    table.row("thoth serve", *(f"{one:.1f}" for one in quarters))


if __name__ == "__main__":
    main()
