"""Shapes of the requests, as OpenAI's clients send them; what Thoth has no use for is ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Tokens = Annotated[int, Field(ge=1)]
Stop = str | list[str] | None


class Shape(BaseModel):
    """Fields that are not known are ignored: clients send more every month."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """Drop fields that are null: OpenAI's schema allows them, and they mean the default."""
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


class Part(Shape):
    """A part of a message."""

    type: str
    text: str | None = None


class FunctionCall(Shape):
    """What a model called, in an earlier message."""

    name: str
    arguments: str = "{}"


class ToolCall(Shape):
    """A call of a tool in an earlier message."""

    id: str = ""
    function: FunctionCall


class Message(Shape):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class Function(Shape):
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})


class Tool(Shape):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


class JsonSchema(Shape):
    """A schema that the answer must follow."""

    name: str = "answer"
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(Shape):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Shape):
    """What a stream reports beside the answer."""

    include_usage: bool = False


class Own(Shape):
    """Thoth's own settings of one request; None: as the settings file says."""

    documents: list[str] | None = None
    route: Literal["auto", "all", "none"] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    with_text: Annotated[int, Field(ge=0)] | None = None


class Drawing(Shape):
    """How an answer is drawn, alike in both of OpenAI's dialects."""

    model: str
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    stream: bool = False
    thoth: Own = Field(default_factory=Own)


class ChatRequest(Drawing):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[Message], Field(max_length=10_000)]
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    stop: Stop = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None


class ResponsesTool(Shape):
    """A tool in the dialect of `/v1/responses`."""

    type: str
    name: str = ""
    description: str = ""
    parameters: dict[str, Any] | None = None


class TextFormat(Shape):
    """What the answer must look like, in the dialect of `/v1/responses`."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str = "answer"
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class Text(Shape):
    """Where `/v1/responses` has the format of the answer."""

    format: TextFormat = Field(default_factory=TextFormat)


class Item(Shape):
    """A message, a call or a result among the input of `/v1/responses`."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = "{}"
    output: str | list[Part] = ""


class ResponsesRequest(Drawing):
    """The body of `/v1/responses`."""

    input: str | list[Item]
    instructions: str | None = None
    max_output_tokens: Tokens | None = None
    text: Text = Field(default_factory=Text)
    tools: list[ResponsesTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    previous_response_id: str | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


class NewDocument(Shape):
    """The body of `POST /v1/documents`: one of a path and an address."""

    path: str | None = None
    url: str | None = None
    chunking: Literal["meaning", "tokens"] | None = None


class DocumentChange(Shape):
    """The body of `PATCH /v1/documents/{id}`."""

    name: str | None = None
    active: bool | None = None
