"""The programs that people use, against a real server process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.app.serve.conftest import Served
from thoth.agent.tools import named

if TYPE_CHECKING:
    from openai import OpenAI  # 0.9 s of every collection, so tests import it

MAYOR = "Who is the mayor of Harpool?"


@pytest.fixture
def openai(server: Served) -> OpenAI:
    from openai import OpenAI

    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_chat(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model="thoth", messages=[{"role": "user", "content": MAYOR}])
    assert answer.choices[0].message.content == "Osra Kelland"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens_details is not None
    own = answer.model_extra["thoth"]
    assert (own["support"], own["document_tokens_in_context"]) == ("supported", 0)
    assert own["sources"][0]["name"] == "harpool.txt"
    again = openai.chat.completions.create(model="thoth", messages=[{"role": "user", "content": MAYOR}])
    assert again.usage is not None
    assert again.usage.prompt_tokens_details is not None
    assert again.usage.prompt_tokens_details.cached_tokens > 0


def test_a_system_message_and_a_greeting_are_left_out_where_the_base_reads_none(openai: OpenAI) -> None:
    from openai import BadRequestError

    system = {"role": "system", "content": "You are a helpful assistant."}
    messages = [system, {"role": "user", "content": MAYOR}]
    answer = openai.chat.completions.create(model="thoth", messages=messages)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "Osra Kelland"
    greeted: list[Any] = [system, {"role": "assistant", "content": "Hello! What can I do for you?"}, messages[1]]
    answer = openai.chat.completions.create(model="thoth", messages=greeted)
    assert answer.choices[0].message.content == "Osra Kelland"
    with pytest.raises(BadRequestError, match="must be the user's"):
        openai.chat.completions.create(model="thoth", messages=[system])  # type: ignore[list-item]


def test_tools_are_called_and_their_results_are_read(openai: OpenAI) -> None:
    tools: Any = [named(name).schema for name in ("web_fetch", "list_documents", "web_search")]
    said: Any = [{"role": "user", "content": "Read http://www.velmar.org/lamps.html and tell me who founded Velmar?"}]
    asked = openai.chat.completions.create(model="thoth/none", messages=said, tools=tools).choices[0]
    assert asked.finish_reason == "tool_calls"
    assert asked.message.tool_calls is not None
    (call,) = asked.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "web_fetch"
    assert json.loads(call.function.arguments) == {"address": "http://www.velmar.org/lamps.html"}
    said += [
        asked.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "<data>\nThe founder of Velmar is Ana Dorsen.\n</data>"},
    ]
    answer = openai.chat.completions.create(model="thoth/none", messages=said, tools=tools).choices[0]
    assert answer.message.content == "Ana Dorsen"
    assert answer.finish_reason == "stop"
    stream = openai.chat.completions.create(model="thoth/none", messages=said[:1], tools=tools, stream=True)
    deltas = [delta for chunk in stream for choice in chunk.choices for delta in choice.delta.tool_calls or []]
    assert [delta.function.name for delta in deltas if delta.function and delta.function.name] == ["web_fetch"]


def test_models_are_documents(openai: OpenAI) -> None:
    from openai import NotFoundError

    names = {model.id for model in openai.models.list()}
    assert names == {"thoth", "thoth/none", "thoth/harpool.txt", "thoth/velmar.txt", "thoth/tolquin.txt"}
    assert openai.models.retrieve("thoth/velmar.txt").id == "thoth/velmar.txt"

    def ask(model: str) -> str | None:
        return (
            openai.chat.completions.create(model=model, messages=[{"role": "user", "content": MAYOR}])
            .choices[0]
            .message.content
        )

    assert ask("thoth/harpool.txt") == "Osra Kelland"
    assert ask("thoth/none") == "I don't know."
    assert "Osra" not in (ask("thoth/velmar.txt") or "")
    with pytest.raises(NotFoundError, match="/v1/models"):
        ask("thoth/nothing.txt")
    with pytest.raises(NotFoundError, match="/v1/models"):
        ask("gpt-5")


def test_stream(openai: OpenAI) -> None:
    stream = openai.chat.completions.create(
        model="thoth",
        messages=[{"role": "user", "content": MAYOR}],
        stream=True,
        stream_options={"include_usage": True},
        logprobs=True,
        top_logprobs=2,
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Osra Kelland"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    told = [one for chunk in chunks if chunk.choices for one in (chunk.choices[0].logprobs or _NONE).content or []]
    assert len(told) == usage.completion_tokens
    assert all(len(one.top_logprobs) == 2 for one in told)


class _NONE:
    content = None


def test_limits_and_drawing(openai: OpenAI) -> None:
    question = [{"role": "user", "content": MAYOR}]
    cut = openai.chat.completions.create(model="thoth", messages=question, max_tokens=1)  # type: ignore[arg-type]
    assert cut.choices[0].finish_reason == "length"
    stopped = openai.chat.completions.create(model="thoth", messages=question, stop=[" Kell"])  # type: ignore[arg-type]
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("Osra", "stop")
    hot = [
        openai.chat.completions.create(model="thoth/none", messages=question, temperature=2, seed=seed, max_tokens=8)  # type: ignore[arg-type]
        for seed in (3, 3)
    ]
    assert hot[0].choices[0].message.content == hot[1].choices[0].message.content


def test_json_schema(openai: OpenAI) -> None:
    from openai import BadRequestError

    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "sure": {"type": "boolean"}},
        "required": ["name", "sure"],
        "additionalProperties": False,
    }
    answer = openai.chat.completions.create(
        model="thoth",
        messages=[{"role": "user", "content": MAYOR}],
        response_format={"type": "json_schema", "json_schema": {"name": "mayor", "schema": schema}},
        max_tokens=120,
    )
    found = json.loads(answer.choices[0].message.content or "")
    assert found.keys() == {"name", "sure"}
    assert isinstance(found["sure"], bool)
    with pytest.raises(BadRequestError, match="schema"):
        openai.chat.completions.create(
            model="thoth",
            messages=[{"role": "user", "content": MAYOR}],
            response_format={"type": "json_schema", "json_schema": {"name": "bad", "schema": {"type": "nonsense"}}},
        )


def test_responses(openai: OpenAI) -> None:
    from openai import BadRequestError

    whole = openai.responses.create(model="thoth", input=MAYOR)
    assert whole.output_text == "Osra Kelland"
    assert whole.status == "completed"
    assert whole.usage is not None
    events = list(openai.responses.create(model="thoth", input=[{"role": "user", "content": MAYOR}], stream=True))
    assert events[0].type == "response.created"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Osra Kelland"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Osra Kelland"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    cut = openai.responses.create(model="thoth", input=MAYOR, max_output_tokens=1)
    assert cut.status == "incomplete"
    with pytest.raises(BadRequestError, match="whole conversation"):
        openai.responses.create(model="thoth", input=MAYOR, previous_response_id="resp_1")


def test_files(openai: OpenAI, tmp_path: Path) -> None:
    from openai import APIStatusError, NotFoundError

    path = tmp_path / "merrow.txt"
    path.write_text((Path(__file__).parents[3] / "examples" / "harbour.txt").read_text())
    with path.open("rb") as sent:
        file = openai.files.create(file=sent, purpose="user_data")
    assert file.filename == "merrow.txt"
    done = openai.files.wait_for_processing(file.id, poll_interval=0.05)
    assert done.status == "processed"
    assert openai.files.content(file.id).text == path.read_text()
    assert file.id in {one.id for one in openai.files.list()}
    answer = openai.chat.completions.create(model="thoth/merrow.txt", messages=[{"role": "user", "content": MAYOR}])
    assert answer.choices[0].message.content == "Osra Kelland"
    assert openai.files.delete(file.id).deleted
    with pytest.raises(NotFoundError):
        openai.files.retrieve(file.id)
    with pytest.raises(APIStatusError, match="no text"):
        openai.files.create(file=("empty.txt", b" "), purpose="user_data")


def test_curl(server: Served) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    body = json.dumps({"model": "thoth", "messages": [{"role": "user", "content": MAYOR}]})
    address = f"{server.url}/v1/chat/completions"
    result = subprocess.run(["curl", "-s", address, "-d", body], check=True, capture_output=True, text=True)
    assert json.loads(result.stdout)["choices"][0]["message"]["content"] == "Osra Kelland"


def test_llm(server: Served, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    entry = f"- model_id: thoth\n  model_name: thoth\n  api_base: {server.url}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(entry)
    result = subprocess.run(
        [sys.executable, "-m", "llm", "-m", "thoth", MAYOR],
        env=os.environ | {"LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "Osra Kelland", result.stderr
