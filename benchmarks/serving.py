"""What one batch over many documents is worth: `python -m benchmarks.serving`.

1. Decoding: 8 questions over 8 documents in one batch, against one after the other (nano, and a base of SmolLM2-135M's
   shape with random weights), and how far the logits of the batch are from each alone.
2. Servers: requests from 8 clients to `thoth serve`, against `mlx_lm.server` with one adapter, and with 8 in turn.
3. Latency: what the server adds to the engine's own time to the first token.

All ratios are of one run; seconds depend on the machine.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano

DOCUMENTS = 8
TOWNS = ("Harpool", "Velmar", "Tolquin", "Merrow", "Osterby", "Dunmere", "Calder", "Bexley")
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
    parser.add_argument("--requests", type=int, default=64, help="requests to each server")
    arguments = parser.parse_args()
    preload_blas()
    if "decoding" in arguments.parts:
        table = harness.Table("base", "one by one, tokens/s", "together", "ratio", "logits apart by", "same text")
        for name in arguments.bases:
            table.row(name, *decoding(*BASES[name]()))
        print()
    if "servers" in arguments.parts or "latency" in arguments.parts:
        servers(arguments.requests, arguments.parts, arguments.pair, arguments.base or nano.folder() / "base")


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


# 2. and 3. Servers


def servers(requests: int, parts: Sequence[str], pair: str, base: Path) -> None:
    """Ask both servers the same questions from 8 clients, in turns."""
    with tempfile.TemporaryDirectory() as folder, _thoth(Path(folder) / "home", pair) as url:
        with httpx2.Client(timeout=120) as client:
            for town in TOWNS:
                _absorb(client, url, town)
        if "latency" in parts:
            latency(url)
        if "servers" not in parts:
            return
        adapters = [_export(Path(folder), town, pair) for town in TOWNS]
        with _mlx_lm(base, adapters[0]) as other:
            table = harness.Table("clients ask", "thoth serve, requests/s", "mlx_lm.server", "ratio")
            for name, documents in {"8 clients, one document": 1, "8 clients, 8 documents": DOCUMENTS}.items():
                ours, theirs = [], []
                count = requests if documents == 1 else max(DOCUMENTS, requests // 4)
                for _ in range(3):
                    towns = [n % documents for n in range(count)]
                    ours.append(_rate([partial(_ask, url, f"thoth/{TOWNS[n]}.txt", n) for n in towns]))
                    theirs.append(_rate([partial(_ask, other, "default_model", n, adapters[n]) for n in towns]))
                ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
                table.row(name, f"{statistics.median(ours):.1f}", f"{statistics.median(theirs):.1f}", f"{ratio:.2f}")


def latency(url: str) -> None:
    """Time to the first piece of a streamed answer, and how much of it is the engine's own."""
    added = []
    with httpx2.Client(timeout=120) as client:
        for n in range(40):
            body = _body("thoth/Harpool.txt", n % DOCUMENTS) | {
                "stream": True,
                "stream_options": {"include_usage": True},
            }
            started = time.perf_counter()
            first = 0.0
            with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        first = first or time.perf_counter() - started
                        last = json.loads(line[6:])
            added.append(1000 * (first - last["thoth"]["stats"]["time_to_first_token_seconds"]))
    quarters = statistics.quantiles(added, n=4)
    table = harness.Table("added to the first token, ms", "fastest quarter below", "median", "slowest quarter above")
    table.row("thoth serve", *(f"{one:.1f}" for one in quarters))
    print()


def _body(model: str, town: int) -> dict[str, Any]:
    question = f"Who is the mayor of {TOWNS[town]}?"
    return {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 16}


def _ask(url: str, model: str, town: int, adapter: Path | None = None) -> None:
    body = _body(model, town) | ({} if adapter is None else {"adapters": str(adapter)})
    response = _client().post(f"{url}/v1/chat/completions", json=body)
    response.raise_for_status()


_clients: dict[int, httpx2.Client] = {}


def _client() -> httpx2.Client:
    import threading

    return _clients.setdefault(threading.get_ident(), httpx2.Client(timeout=600))


def _rate(asks: Sequence[Callable[[], None]]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda ask: ask(), asks))
    return len(asks) / (time.perf_counter() - started)


def _absorb(client: httpx2.Client, url: str, town: str) -> None:
    file = {"file": (f"{town}.txt", f"The mayor of {town} is Osra Kelland.")}
    id = client.post(f"{url}/v1/files", files=file, data={"purpose": "user_data"}).json()["id"]
    while client.get(f"{url}/v1/files/{id}").json()["status"] == "uploaded":
        time.sleep(0.02)


@contextmanager
def _thoth(home: Path, pair: str) -> Iterator[str]:
    os.environ["THOTH_HOME"] = str(home)
    command = [sys.executable, "-m", "thoth", "serve", "--model", pair, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if " serves at " in line)
        yield line.split(" serves at ")[1].split("/v1")[0]
    finally:
        process.terminate()
        process.communicate()


def _export(folder: Path, town: str, pair: str) -> Path:
    place = folder / f"adapter-{town}"
    command = [sys.executable, "-m", "thoth", "export", f"{town}.txt", str(place), "--model", pair]
    subprocess.run(command, check=True, capture_output=True)
    return place


@contextmanager
def _mlx_lm(base: Path, adapter: Path) -> Iterator[str]:
    port = 18573
    command = [sys.executable, "-m", "mlx_lm.server", "--model", str(base), "--port", str(port)]
    command += ["--adapter-path", str(adapter), "--decode-concurrency", "8", "--prompt-concurrency", "8"]
    # The same BLAS as ours, which it does not load by itself.
    blas = {"LD_PRELOAD": "libopenblas.so.0"} if sys.platform.startswith("linux") else {}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ | blas)
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in itertools.repeat(None, 600):
                try:
                    httpx2.get(f"{url}/health")
                    break
                except httpx2.HTTPError:
                    time.sleep(0.1)
            yield url
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
