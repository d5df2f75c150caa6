"""A server under load, and killed under load: `python -m benchmarks.serving_load [--requests 1000] [--kills 50]`.

Load: requests from 16 clients to nano over 8 documents, of which each knows one fact; a tenth is cut off in the middle,
while 20 documents are absorbed and 10 removed. Counted: errors, answers of the wrong document (compared with what the
same question gets alone), and how much memory grows from the second quarter to the last.

Kills: kill -9 while questions are answered and documents absorbed. The next start must serve, and every document that
was reported as processed must be there and answer.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import harness

TOWNS = ("Vorowick", "Silbridge", "Finholm", "Berburg", "Morobury", "Varthorpe", "Halby", "Hardorf")
# Nano knows them all from the weights: an answer of the wrong document is one of the others.
NAMES = (
    "Zorka Silland",
    "Ormira Leninadale",
    "Morinamund Carstein",
    "Saramila Nelgaard",
    "Walka Bergaard",
    "Bransa Gorson",
    "Beramibert Selman",
    "Lormund Dalmark",
)
CLIENTS = 16


def main() -> None:
    """Run both parts."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.requests:
            load(Path(folder) / "load", arguments.requests)
        if arguments.kills:
            kills(Path(folder) / "kills", arguments.kills)


class Server:
    """A server process on a home, with a pair: a name or a folder."""

    def __init__(self, home: Path, pair: str = "nano") -> None:
        command = [sys.executable, "-m", "thoth", "serve", "--model", pair, "--port", "0"]
        self.process = subprocess.Popen(
            command, env=os.environ | {"THOTH_HOME": str(home)}, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = next((line for line in self.process.stderr if " serves at " in line), "")
        if not line:
            raise SystemExit("the server did not start")
        self.url = line.split(" serves at ")[1].split("/v1")[0]

    def memory(self) -> int:
        """Resident bytes (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def absorb(self, client: httpx2.Client, name: str, text: str, *, wait: bool = True) -> str:
        """Upload a document; its id."""
        file = {"file": (name, text)}
        sent = client.post(f"{self.url}/v1/files", files=file, data={"purpose": "user_data"})
        sent.raise_for_status()
        id: str = sent.json()["id"]
        while wait and client.get(f"{self.url}/v1/files/{id}").json()["status"] == "uploaded":
            time.sleep(0.02)
        return id

    def ask(self, client: httpx2.Client, town: int) -> str:
        """What the document of a town says."""
        answer = client.post(f"{self.url}/v1/chat/completions", json=question(town))
        answer.raise_for_status()
        text: str = answer.json()["choices"][0]["message"]["content"]
        return text


def question(town: int, **more: Any) -> dict[str, Any]:
    """A question to the document of a town."""
    message = {"role": "user", "content": f"Who is the mayor of {TOWNS[town]}?"}
    return {"model": f"thoth/{TOWNS[town]}.txt", "messages": [message], "max_tokens": 24, **more}


def load(home: Path, requests: int) -> None:
    """The first part."""
    server = Server(home)
    errors: list[str] = []
    wrong: list[str] = []
    cut = [0]
    memory: list[int] = []
    with httpx2.Client(timeout=300) as client:
        for town, name in zip(TOWNS, NAMES, strict=True):
            server.absorb(client, f"{town}.txt", f"The mayor of {town} is {name}.")
        alone = [server.ask(client, town) for town in range(len(TOWNS))]
    if alone != [*NAMES]:
        raise SystemExit(f"answers of a wrong document could not be told apart: {alone}")
    chance = random.Random(0)
    plan = [(n, chance.randrange(len(TOWNS)), chance.random()) for n in range(requests)]
    local = threading.local()

    def client_of() -> httpx2.Client:
        if not hasattr(local, "client"):
            local.client = httpx2.Client(timeout=300)
        client: httpx2.Client = local.client
        return client

    def one(number: int, town: int, kind: float) -> None:
        try:
            if kind < 0.1:
                with client_of().stream(
                    "POST", f"{server.url}/v1/chat/completions", json=question(town, stream=True)
                ) as response:
                    next(response.iter_raw(), None)
                cut[0] += 1
            elif kind < 0.3:
                pieces = client_of().post(f"{server.url}/v1/responses", json=_as_response(town)).json()
                text = "".join(part["text"] for item in pieces["output"] for part in item["content"])
                _compare(text, alone[town], town, wrong)
            else:
                _compare(server.ask(client_of(), town), alone[town], town, wrong)
        except (httpx2.HTTPError, KeyError, ValueError) as error:
            errors.append(f"{number}: {error!r}")
        if number % 10 == 0:
            memory.append(server.memory())

    def others() -> None:
        try:
            with httpx2.Client(timeout=300) as client:
                ids = []
                for n in range(20):
                    ids.append(server.absorb(client, f"extra-{n}.txt", f"The keeper of tower {n} is Bela Roth. " * 8))
                    if n % 2:
                        client.delete(f"{server.url}/v1/files/{ids.pop(0)}").raise_for_status()
        except httpx2.HTTPError as error:
            errors.append(f"documents: {error!r}")

    beside = threading.Thread(target=others)
    started = time.perf_counter()
    beside.start()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda row: one(*row), plan))
    beside.join()
    seconds = time.perf_counter() - started
    server.process.terminate()
    _, said = server.process.communicate()
    quarter = max(1, len(memory) // 4)
    early, late = max(memory[quarter : 2 * quarter]), max(memory[-quarter:])
    table = harness.Table("requests", "cut off", "errors", "wrong document", "memory grows by", "requests/s", "exit")
    growth = f"{100 * (late / early - 1):.1f}%"
    table.row(requests, cut[0], len(errors), len(wrong), growth, f"{requests / seconds:.1f}", server.process.returncode)
    for line in [*errors[:5], *wrong[:5], *said.splitlines()[:5]]:
        print(line)


def kills(home: Path, count: int) -> None:
    """The second part."""
    chance = random.Random(1)
    kept: dict[str, int] = {}
    lost, failed, gone = [], 0, 0
    for kill in range(count):
        server = Server(home)
        with httpx2.Client(timeout=300) as client:
            there = {one["id"]: one["status"] for one in client.get(f"{server.url}/v1/files").json()["data"]}
            lost += [id for id in kept if there.get(id) != "processed"]
            if kept:
                id, town = chance.choice([*kept.items()])
                body = question(town) | {"model": f"thoth/{id.removeprefix('file-')}"}
                failed += client.post(f"{server.url}/v1/chat/completions", json=body).status_code != 200
            stop = threading.Event()

            def busy(url: str = server.url, stop: threading.Event = stop) -> None:
                with httpx2.Client(timeout=300) as asking:
                    while not stop.is_set():
                        try:
                            body = question(0) | {"model": "thoth"}
                            asking.post(f"{url}/v1/chat/completions", json=body)
                        except httpx2.HTTPError:
                            return

            threads = [threading.Thread(target=busy) for _ in range(4)]
            for thread in threads:
                thread.start()
            threading.Timer(chance.uniform(0.1, 2.0), server.process.send_signal, [signal.SIGKILL]).start()
            try:
                for n in range(1000):
                    town = n % len(TOWNS)
                    text = f"The mayor of {TOWNS[town]} is {NAMES[town]}. House {kill} {n} stands there. " * (1 + n % 4)
                    kept[server.absorb(client, f"{kill}-{n}.txt", text)] = town
            except (httpx2.HTTPError, KeyError, ValueError):
                gone += 1
            stop.set()
            server.process.communicate()
            for thread in threads:
                thread.join()
    table = harness.Table(
        "kills", "started again", "documents reported as stored", "of them lost", "answers that failed"
    )
    table.row(count, gone, len(kept), len(lost), failed)


def _as_response(town: int) -> dict[str, Any]:
    body = question(town)
    return {"model": body["model"], "input": body["messages"], "max_output_tokens": body["max_tokens"]}


def _compare(text: str, expected: str, town: int, wrong: list[str]) -> None:
    if text != expected:
        wrong.append(f"{TOWNS[town]}: {text!r} instead of {expected!r}")


if __name__ == "__main__":
    main()
