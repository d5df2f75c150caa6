"""`thoth serve` over 8 documents against `mlx_lm.server`, with one adapter and with 8 in turn.

Both servers do the same work: the same base in fp32, the same adapters (exported), the same chat template, greedy
answers of at most the same length, both with OpenBLAS, 8 requests in flight. Each document is a note of five facts, and
no question comes back while a key/value cache remembers it. `thoth serve` always answers from 8 documents: it attaches
the one that is named and takes no second look, which the other has not; `--own` measures it as it comes. With one
adapter `mlx_lm.server` gets the questions that this document answers. The answers are compared with the notes, and
where both servers got the same questions with each other.

Three things were unfair before 2026-11-29. `mlx_lm.server` ignores `adapters` in a request for `default_model`, so it
never loaded the base again, and answered from 8 documents with the adapter of the first. In the row with one adapter
`thoth serve` had one document too. The same 8 questions came again and again.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import harness
from benchmarks.serving_load import Server
from torch_train.nano.language import Language
from torch_train.nano.templates import ATTRIBUTES

CLIENTS = DOCUMENTS = 8
# `thoth serve` puts in an empty one where there is none, as its hypernetworks were trained; templates without it put in
# one of their own, whose tokens the other server would have to read besides.
_SYSTEM = ({"role": "system", "content": ""},)
_FACTS = ("mayor", "population", "river", "dish", "altitude")


@dataclass(frozen=True)
class Note:
    """A document, and each question that it answers, in several wordings.

    Attributes:
        name: its name in the library.
        text: what is absorbed.
        questions: the question and its exact answer.
    """

    name: str
    text: str
    questions: tuple[tuple[str, str], ...]


def notes() -> list[Note]:
    """Notes of five facts about a town each, in the language of nano, which other bases read as English."""
    language = Language("serving", "test")
    facts = [one for one in ATTRIBUTES if one.kind == "place" and one.name in _FACTS]
    found = []
    for number in range(DOCUMENTS):
        town = language.name("place")
        values = [language.value(fact.value) for fact in facts]
        text = " ".join(
            fact.statements[number % 6].format(e=town, v=value) for fact, value in zip(facts, values, strict=True)
        )
        asked = [
            (fact.questions[wording].format(e=town), value)
            for wording in range(6)
            for fact, value in zip(facts, values, strict=True)
        ]
        found.append(Note(f"{town}.txt", text, tuple(asked)))
    return found


@dataclass(frozen=True)
class Target:
    """A server, and how it is asked for each document.

    Attributes:
        url: where it listens.
        process: its process.
        bodies: for each document what a request has beside messages and length.
        counts_end: whether it counts the token that ends an answer.
    """

    url: str
    process: subprocess.Popen[Any]
    bodies: Sequence[dict[str, Any]]
    counts_end: bool = False

    def processor_seconds(self) -> float:
        """Processor time so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")")[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ask:
    """A request: which document, the question, and what the note says."""

    document: int
    question: str
    right: str


@dataclass(frozen=True)
class Round:
    """What one server did with some questions.

    Attributes:
        requests: a second, by the clock.
        tokens: generated a second, without those that end an answer.
        processor: requests in a second of its processor time.
        answers: in the order of the questions.
        right: share of answers that are what the note says.
        prompt: tokens of a prompt.
    """

    requests: float
    tokens: float
    processor: float
    answers: tuple[str, ...]
    right: float
    prompt: float

    @staticmethod
    def of(target: Target, asks: Sequence[Ask], max_tokens: int) -> Round:
        """Ask from 8 clients.

        Args:
            target: the server.
            asks: the requests.
            max_tokens: length limit of an answer.
        """

        def one(ask: Ask) -> tuple[str, int]:
            body = {"messages": [*_SYSTEM, {"role": "user", "content": ask.question}], "max_tokens": max_tokens}
            response = _client().post(f"{target.url}/v1/chat/completions", json=body | target.bodies[ask.document])
            response.raise_for_status()
            said = response.json()
            (choice,) = said["choices"]
            count = said["usage"]["completion_tokens"]
            if target.counts_end and choice["finish_reason"] == "stop":
                count -= 1
            prompts.append(said["usage"]["prompt_tokens"])
            return (choice["message"]["content"] or "").strip(), count

        prompts: list[int] = []
        before, started = target.processor_seconds(), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            told = list(pool.map(one, asks))
        seconds, processor = time.perf_counter() - started, target.processor_seconds() - before
        answers = tuple(text for text, _ in told)
        right = sum(ask.right.lower() in text.lower() for ask, text in zip(asks, answers, strict=True))
        return Round(
            len(asks) / seconds,
            sum(count for _, count in told) / seconds,
            len(asks) / processor,
            answers,
            right / len(asks),
            sum(prompts) / len(asks),
        )


def compare(pair: str, base: Path, requests: int, max_tokens: int, *, own: bool) -> None:
    """Ask both servers, in turns, three times.

    Args:
        pair: of `thoth serve`.
        base: its base, for `mlx_lm.server`.
        requests: of each round; a quarter where the other server loads its base again for each.
        max_tokens: length limit of an answer.
        own: let `thoth serve` answer as it comes: with its router, and a second look where the pair wants one.
    """
    documents = notes()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        server = Server(home, pair)
        with httpx2.Client(timeout=300) as client:
            for note in documents:
                server.absorb(client, note.name, note.text)
        adapters = [_export(home, Path(folder), note.name, pair) for note in documents]
        way = {} if own else {"thoth": {"route": "all"}}
        ours = Target(server.url, server.process, [{"model": f"thoth/{note.name}", **way} for note in documents])
        with _mlx_lm(base, adapters[0]) as (url, process):
            # By its path: with `default_model` the server would ignore the adapter.
            turns = [{"model": str(base), "adapters": str(adapter)} for adapter in adapters]
            one = Target(url, process, turns[:1], counts_end=True)
            each = Target(url, process, turns, counts_end=True)
            table = harness.Table(
                "mlx_lm.server with", "thoth serve, requests/s", "mlx_lm.server", "ratio", "tokens/s", "tokens/s",
                "ratio", "ratio by processor time", "same answers", "right", "right", "tokens of a prompt",
            )  # fmt: skip
            for name, theirs, answered, count in (
                ("one adapter", one, documents[:1], requests),
                ("8 adapters in turn", each, documents, max(DOCUMENTS, requests // 4)),
            ):
                _row(table, name, ((ours, documents), (theirs, answered)), count, max_tokens)
        server.process.terminate()
        server.process.communicate()


def _asks(documents: Sequence[Note], start: int, number: int) -> list[Ask]:
    """Requests over the documents in turn, from a number on, each question as late again as there are others."""
    asks = []
    for n in range(start, start + number):
        document, turn = n % len(documents), n // len(documents)
        asked = documents[document].questions
        asks.append(Ask(document, *asked[turn % len(asked)]))
    return asks


def _row(
    table: harness.Table,
    name: str,
    targets: tuple[tuple[Target, Sequence[Note]], tuple[Target, Sequence[Note]]],
    count: int,
    max_tokens: int,
) -> None:
    for target, documents in targets:  # warms up, with questions that do not come again
        Round.of(target, _asks(documents, 3 * count, CLIENTS), max_tokens)
    rounds = []
    for number in range(3):
        ours, theirs = (
            Round.of(target, _asks(documents, number * count, count), max_tokens) for target, documents in targets
        )
        rounds.append((ours, theirs))
    same = [a == b for one, other in rounds for a, b in zip(one.answers, other.answers, strict=True)]
    alike = f"{sum(same)} of {len(same)}" if targets[0][1] is targets[1][1] else "-"

    def middle(field: str) -> tuple[float, float, float]:
        values = [(getattr(a, field), getattr(b, field)) for a, b in rounds]
        return (
            statistics.median(a for a, _ in values),
            statistics.median(b for _, b in values),
            statistics.median(a / b if b else 0.0 for a, b in values),
        )

    requests, tokens, processor, right = (middle(field) for field in ("requests", "tokens", "processor", "right"))
    table.row(
        name, f"{requests[0]:.1f}", f"{requests[1]:.1f}", f"{requests[2]:.2f}",
        f"{tokens[0]:.0f}", f"{tokens[1]:.0f}", f"{tokens[2]:.2f}", f"{processor[2]:.2f}",
        alike, f"{right[0]:.0%}", f"{right[1]:.0%}",
        "{:.1f}, {:.1f}".format(*middle("prompt")),
    )  # fmt: skip


_clients: dict[int, httpx2.Client] = {}


def _client() -> httpx2.Client:
    return _clients.setdefault(threading.get_ident(), httpx2.Client(timeout=600))


def _export(home: Path, folder: Path, name: str, pair: str) -> Path:
    place = folder / f"adapter-{name}"
    command = [sys.executable, "-m", "thoth", "export", name, str(place), "--model", pair]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"THOTH_HOME": str(home)})
    return place


@contextmanager
def _mlx_lm(base: Path, adapter: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
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
            yield url, process
        finally:
            process.kill()
            process.wait()
