"""`POST /v1/responses`: OpenAI's newer dialect, whole or streamed. A request brings its whole conversation."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from thoth.events import Answer, Token
from thoth.serve import answers, calls, constraint, names
from thoth.serve.faults import Fault
from thoth.serve.http import finished, stream
from thoth.serve.service import Service, sampling
from thoth.serve.shapes import Item, ResponsesRequest


async def create(request: Request) -> Response:
    """Answer an input."""
    service: Service = request.app.state.service
    asked = ResponsesRequest.model_validate_json(await request.body())
    if asked.previous_response_id is not None:
        raise Fault(400, "no response is kept: send the whole conversation as input, without previous_response_id")
    asking = service.asking(
        conversation(asked),
        await names.way(service, asked.model, asked.thoth),
        asked.max_output_tokens,
        sampling(asked, (), asked.top_logprobs),
        **_options(asked),
        **await constraint.options(asked.text.format.type, asked.text.format.schema_),
        whole=not asked.stream,
        receive=request.receive,
    )
    head: dict[str, Any] = {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "model": asked.model,
        "instructions": asked.instructions,
        "temperature": asked.temperature or 0.0,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "tools": [tool.model_dump() for tool in asked.tools or []],
        "tool_choice": asked.tool_choice or "auto",
        "parallel_tool_calls": True,
        "metadata": {},
        "error": None,
        "incomplete_details": None,
    }
    if asked.stream:
        return await stream(_events(service, asking, head))
    answer = await finished(asking)
    answers.count(answer, service.metrics)
    return JSONResponse(_whole(answer, head, service.pair))


def conversation(asked: ResponsesRequest) -> list[dict[str, Any]]:
    """Return an input as the engine and chat templates take a conversation."""
    found: list[dict[str, Any]] = []
    if asked.instructions:
        found.append({"role": "system", "content": asked.instructions})
    items = [Item(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    for item in items:
        match item.type:
            case "message" if item.role is not None:
                role = "system" if item.role == "developer" else item.role
                found.append({"role": role, "content": answers.text(item.content)})
            case "function_call":
                call = calls.read(item.call_id, item.name, item.arguments)
                if found and found[-1].get("tool_calls"):
                    found[-1]["tool_calls"].append(call)
                else:
                    found.append({"role": "assistant", "content": "", "tool_calls": [call]})
            case "function_call_output":
                found.append({"role": "tool", "content": answers.text(item.output), "tool_call_id": item.call_id})
            case kind:
                raise Fault(400, f"input items of type {kind} are not read")
    return found


def _options(asked: ResponsesRequest) -> dict[str, Any]:
    """Return what `Engine.ask` must know about tools."""
    keys = {"name", "description", "parameters"}
    functions = [tool.model_dump(include=keys) for tool in asked.tools or [] if tool.type == "function"]
    return calls.options(functions, asked.tool_choice or "auto")


def _whole(answer: Answer, head: dict[str, Any], pair: str) -> dict[str, Any]:
    stats = answer.stats
    cut = answer.finish == "length" and not answer.calls
    return head | {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": _output(answer, f"msg_{head['id'][5:]}"),
        "usage": {
            "input_tokens": stats.prompt_tokens,
            "input_tokens_details": {"cached_tokens": stats.cached_tokens},
            "output_tokens": stats.generated_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": stats.prompt_tokens + stats.generated_tokens,
            "document_tokens_in_context": stats.document_tokens_in_context,
        },
        "thoth": answers.thoth(answer, pair),
    }


def _output(answer: Answer, id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.text or not answer.calls:
        items.append(_message(id, answer.text, answer))
    for call in calls.listed(answer.calls):
        function = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        items.append({"type": "function_call", "id": f"fc_{call['id']}", "call_id": call["id"], **function} | _DONE)
    return items


_DONE = {"status": "completed"}


def _message(id: str, text: str, answer: Answer | None) -> dict[str, Any]:
    part = _part(text) | ({"logprobs": answers.drawn(answer.drawn)} if answer is not None else {})
    return {"type": "message", "id": id, "role": "assistant", "content": [part], **_DONE}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def _events(service: Service, asking: Any, head: dict[str, Any]) -> AsyncIterator[str]:
    """The events of a streamed response, in the order that OpenAI's clients expect."""
    number = -1

    def event(kind: str, **data: Any) -> str:
        nonlocal number
        number += 1
        return answers.event({"type": kind, "sequence_number": number, **data}, kind)

    id = f"msg_{head['id'][5:]}"
    place: dict[str, Any] = {"item_id": id, "output_index": 0, "content_index": 0}
    begun = opened = False
    text = ""
    async with asking as events:
        async for one in events:
            if not begun:
                begun = True
                empty = head | {"status": "in_progress", "output": [], "usage": None}
                yield event("response.created", response=empty)
                yield event("response.in_progress", response=empty)
            if isinstance(one, Token):
                if not opened:
                    opened = True
                    item = _message(id, "", None) | {"content": [], "status": "in_progress"}
                    yield event("response.output_item.added", output_index=0, item=item)
                    yield event("response.content_part.added", **place, part=_part(""))
                text += one.text
                yield event("response.output_text.delta", **place, delta=one.text, logprobs=answers.drawn(one.drawn))
            if isinstance(one, Answer):
                answers.count(one, service.metrics)
                whole = _whole(one, head, service.pair)
                if opened:
                    yield event("response.output_text.done", **place, text=text, logprobs=answers.drawn(one.drawn))
                    yield event("response.content_part.done", **place, part=_part(text))
                for line in _ends(whole["output"], opened, event):
                    yield line
                kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
                yield event(kind, response=whole)


def _ends(output: Sequence[dict[str, Any]], opened: bool, event: Any) -> list[str]:
    lines = []
    for index, item in enumerate(output):
        if item["type"] == "function_call":
            lines.append(event("response.output_item.added", output_index=index, item=item | {"status": "in_progress"}))
            where = {"item_id": item["id"], "output_index": index}
            lines.append(event("response.function_call_arguments.delta", **where, delta=item["arguments"]))
            lines.append(event("response.function_call_arguments.done", **where, arguments=item["arguments"]))
        elif not opened:
            lines.append(event("response.output_item.added", output_index=index, item=item))
        lines.append(event("response.output_item.done", output_index=index, item=item))
    return lines
