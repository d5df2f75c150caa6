"""`POST /v1/chat/completions`: OpenAI's chat, whole or streamed."""

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
from thoth.serve.shapes import ChatRequest, Message, ResponseFormat

_MOST_STOPS = 4


async def completions(request: Request) -> Response:
    """Answer a conversation."""
    service: Service = request.app.state.service
    asked = ChatRequest.model_validate_json(await request.body())
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    if len(stops) > _MOST_STOPS:
        raise Fault(400, f"stop has {len(stops)} texts: give {_MOST_STOPS} at most")
    logprobs = (asked.top_logprobs or 0) if asked.logprobs else None
    way = await names.way(service, asked.model, asked.thoth)
    wanted = asked.response_format or ResponseFormat(type="text")
    schema = None if wanted.json_schema is None else wanted.json_schema.schema_
    form = await constraint.options(wanted.type, schema)
    asking = service.asking(
        conversation(asked.messages),
        way,
        asked.max_completion_tokens or asked.max_tokens,
        sampling(asked, stops, logprobs),
        **calls.options([tool.function.model_dump() for tool in asked.tools or []], asked.tool_choice or "auto"),
        **form,
        whole=not asked.stream,
        receive=request.receive,
    )
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.model}

    async def chunks() -> AsyncIterator[str]:
        def chunk(choices: list[dict[str, Any]], **more: Any) -> str:
            return answers.event({**head, "object": "chat.completion.chunk", "choices": choices, **more})

        def delta(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> str:
            return chunk([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}])

        async with asking as events:
            begun = False
            async for event in events:
                if not begun:  # not before: a question that is refused gets a status
                    yield delta({"role": "assistant", "content": ""})
                    begun = True
                if isinstance(event, Token):
                    told = {"content": answers.drawn(event.drawn)} if logprobs is not None else None
                    yield delta({"content": event.text}, logprobs=told)
                if isinstance(event, Answer):
                    answers.count(event, service.metrics)
                    if event.calls:
                        yield delta(
                            {"tool_calls": [one | {"index": i} for i, one in enumerate(calls.listed(event.calls))]}
                        )
                    yield delta({}, _finish(event))
                    if asked.stream_options and asked.stream_options.include_usage:
                        yield chunk([], usage=answers.usage(event), thoth=answers.thoth(event, service.pair))
        yield "data: [DONE]\n\n"

    if asked.stream:
        return await stream(chunks())
    answer = await finished(asking)
    answers.count(answer, service.metrics)
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = calls.listed(answer.calls)
    elif not answer.text:
        message["content"] = ""
    told = {"content": answers.drawn(answer.drawn), "refusal": None} if logprobs is not None else None
    choice = {"index": 0, "message": message, "logprobs": told, "finish_reason": _finish(answer)}
    return JSONResponse(
        {
            **head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": answers.usage(answer),
            "thoth": answers.thoth(answer, service.pair),
        }
    )


def conversation(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return a conversation as the engine and chat templates take it."""
    found: list[dict[str, Any]] = []
    for message in messages:
        one: dict[str, Any] = {
            "role": "system" if message.role == "developer" else message.role,
            "content": answers.text(message.content),
        }
        if message.tool_calls:
            one["tool_calls"] = [
                calls.read(call.id, call.function.name, call.function.arguments) for call in message.tool_calls
            ]
        if message.role == "tool":
            one |= {"tool_call_id": message.tool_call_id or "", "name": message.name or ""}
        found.append(one)
    return found


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else answer.finish
