"""Calls under constrained decoding: random prompts that must be answered with a call, at temperature 1.

    python -m benchmarks.tool_calls [--pair FOLDER] [--random-weights] [--prompts 1000] [--max-tokens 160]

Prints how many of the answers are calls that parse and have the arguments of their tools, and how many of those were
closed because the limit was near. A pair without tools in its chat template is refused. Random weights know neither
names nor JSON, so with them the grammar alone makes the calls.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.actions import requests
from thoth.agent.tool import Tool
from thoth.agent.tools import BUILT_IN
from thoth.engine.engine import Engine
from thoth.engine.request import Request
from thoth.engine.sampling import Sampling
from thoth.events import Answer
from thoth.library.library import Library
from thoth.models.registry import Pair

WORDS = "read fetch the mayor of Harpool remember forget https://example.org/ 7 né [TOOL_CALLS] pages \n".split(" ")
_AT_ONCE = 32  # questions that wait: each holds its grammar


def random_prompts(number: int) -> list[str]:
    """Prompts of up to twelve words in any order, always the same."""
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 12))) for _ in range(number)]


def asked(engine: Engine, questions: Sequence[str], tools: Sequence[Tool], max_tokens: int) -> Iterator[Answer]:
    """Answers that must call one of the tools, all drawn at random, many at a time."""
    waiting: deque[Request] = deque()
    for seed, question in enumerate(questions):
        if len(waiting) == _AT_ONCE:
            yield requests.answer(waiting.popleft())
        waiting.append(
            engine.ask(
                [{"role": "user", "content": question}],
                max_tokens=max_tokens,
                sampling=Sampling(temperature=1.0, seed=seed),
                tools=[tool.schema for tool in tools],
                calls="required",
            )
        )
    yield from map(requests.answer, waiting)


def with_random_weights(pair: Path, folder: Path) -> Path:
    """Copy a pair, with random matrices in place of the base's, so small that all tokens are about as likely."""
    import mlx.core as mx
    from mlx_lm.utils import load_model

    from mlx_hypernet.fingerprint import describe

    copy = Path(shutil.copytree(pair, folder / "pair"))
    file = copy / "base" / "model.safetensors"
    weights: dict[str, mx.array] = mx.load(str(file))  # type: ignore[assignment]
    mx.random.seed(0)
    drawn = {name: one if one.ndim < 2 else 0.02 * mx.random.normal(one.shape) for name, one in weights.items()}
    mx.save_safetensors(str(file), drawn)
    config = json.loads((copy / "hypernet" / "config.json").read_text())
    config["base"] = asdict(describe(load_model(copy / "base")[0], None))  # else it is refused as another base
    (copy / "hypernet" / "config.json").write_text(json.dumps(config))
    return copy


def parses(answer: Answer, tools: Sequence[Tool]) -> bool:
    """Whether an answer is nothing but calls with all arguments of their tools, the last one cut at most."""
    required = {tool.name: {*tool.parameters["required"]} for tool in tools}
    known = {tool.name: {*tool.parameters["properties"]} for tool in tools}
    return (
        not answer.text
        and bool(answer.calls or answer.fault)
        and (not answer.fault or "cut at the limit" in answer.fault)
        and all(required[call.tool] <= {*call.arguments} <= known[call.tool] for call in answer.calls)
    )


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    parser.add_argument("--random-weights", action="store_true", help="draw the base's weights")
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--max-tokens", type=int, default=160, help="of each answer")
    options = parser.parse_args()
    preload_blas()
    with tempfile.TemporaryDirectory() as folder, Engine(Library(Path(folder, "library"))) as engine:
        pair = with_random_weights(options.pair, Path(folder)) if options.random_weights else options.pair
        requests.last(engine.load(Pair("pair", pair / "base", pair / "hypernet")))
        answers = [*asked(engine, random_prompts(options.prompts), BUILT_IN, options.max_tokens)]
    table = harness.Table("prompts", "parsed", "cut at the limit", "tools called")
    called = {call.tool for answer in answers for call in answer.calls}
    parsed = sum(parses(answer, BUILT_IN) for answer in answers)
    table.row(len(answers), parsed, sum(bool(answer.fault) for answer in answers), len(called))


if __name__ == "__main__":
    main()
