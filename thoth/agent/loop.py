"""The loop: the model answers or calls tools; calls run where they are permitted; their results go back to the model.

It runs on a thread of the caller's, which it blocks. `Stopper.stop` ends it at any point; steps that are done have been
reported by then.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from thoth.actions import chats, requests, sources
from thoth.actions.sources import Source
from thoth.agent import arguments, wrapping
from thoth.agent.bench import Bench
from thoth.agent.permissions import PRIVATE, Permissions, Wish
from thoth.agent.tool import FILES, WEB, Result, Tool
from thoth.errors import Stopped, ThothError
from thoth.events import Answer, Call, Event, Step
from thoth.ingest import Document
from thoth.system import crash_log

if TYPE_CHECKING:
    from thoth.engine.prompt import Message
    from thoth.engine.sampling import Sampling

_NOT_PERMITTED = "The user did not permit this."
_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)
_POLL_SECONDS = 0.05


@dataclass
class Agent:
    """Answers questions with tools.

    Attributes:
        bench: what the tools work with.
        tools: those that the model may call.
        permissions: decide about calls.
        listener: gets the events: `Token`s of texts, a `Step` at each change of a call.
        sampling: how tokens are drawn; None takes the most likely.
    """

    bench: Bench
    tools: Sequence[Tool]
    permissions: Permissions
    listener: Callable[[Event], object] = requests.ignore
    sampling: Sampling | None = None
    _steps: list[Step] = field(default_factory=list)
    _typed: frozenset[str] = frozenset()
    _read_tokens: int = 0

    def answer(self, messages: Sequence[Message]) -> Answer:
        """Answer the last message of a conversation.

        Args:
            messages: the conversation as `Engine.ask` takes it; the last one is the user's.

        Returns:
            The answer; its stats are those of the last round, with the tokens of all rounds, and as document tokens
            those of results that were read in the context.

        Raises:
            Stopped: It was stopped.
            ThothError: The model cannot answer.
        """
        settings, stopper = self.bench.settings, self.bench.stopper
        self._typed |= typed_addresses(messages)
        said = self._with_rule(messages)
        left = settings.agent_tokens
        for round in itertools.count():
            stopper.check()
            may_call = len(self._steps) < settings.agent_steps and left > 0
            answer = self._ask(said, min(max(left, 1), settings.max_tokens), may_call=may_call)
            left -= answer.stats.generated_tokens
            if not may_call or not answer.calls:
                if answer.fault and not answer.text:
                    raise ThothError(f"{answer.fault}; ask again, or raise max_tokens in the settings")
                return self._finished(answer, settings.agent_tokens - left)
            calls = answer.calls[: settings.agent_steps - len(self._steps)]
            said += self._round(calls, answer.text, round)
        raise AssertionError("unreachable")

    def _with_rule(self, messages: Sequence[Message]) -> list[Message]:
        """Return the conversation with the rule about data in its system prompt, if the base reads one."""
        said = [dict(message) for message in messages]
        if self.bench.engine.reads_system():
            if said[0]["role"] != "system":
                said.insert(0, {"role": "system", "content": ""})
            said[0]["content"] = f"{said[0]['content']}\n\n{wrapping.RULE}".strip()
        return list(said)

    def _ask(self, said: Sequence[Message], max_tokens: int, *, may_call: bool) -> Answer:
        from thoth.engine.sampling import GREEDY

        bench = self.bench
        request = bench.engine.ask(
            said,
            bench.documents(),
            routing=bench.settings.routing(),
            max_tokens=max_tokens,
            sampling=self.sampling or GREEDY,
            tools=[tool.schema for tool in self.tools],
            calls="auto" if may_call else "none",
        )
        return bench.answered(request, lambda event: None if isinstance(event, Answer) else self.listener(event))

    def _finished(self, answer: Answer, generated: int) -> Answer:
        read = answer.stats.document_tokens_in_context + self._read_tokens
        stats = replace(answer.stats, generated_tokens=generated, document_tokens_in_context=read)
        return replace(answer, stats=stats, calls=(), fault="")

    # Calls

    def permit_typed(self, text: str) -> None:
        """Take a text for what a person typed: its addresses may be asked for, even private ones."""
        self._typed |= typed_addresses([{"role": "user", "content": text}])

    def do(self, call: Call) -> Step:
        """Run one call that a person wrote, and return its step."""
        step = Step(len(self._steps), call.tool, call.arguments)
        self._steps.append(step)
        return self._run(step)

    def _round(self, calls: Sequence[Call], text: str, round: int) -> list[Message]:
        """Run the calls of one message, and return that message and the results."""
        first = len(self._steps)
        results: list[Message] = []
        for place, call in enumerate(calls):
            step = Step(len(self._steps), call.tool, call.arguments, text=text if place == 0 else "", round=round)
            self._steps.append(step)
            step = self._run(step)
            results.append(
                {"role": "tool", "name": call.tool, "tool_call_id": _id(step.number), "content": step.result}
            )
        made = [
            {
                "id": _id(first + place),
                "type": "function",
                "function": {"name": call.tool, "arguments": dict(call.arguments)},
            }
            for place, call in enumerate(calls)
        ]
        return [{"role": "assistant", "content": text, "tool_calls": made}, *results]

    def _run(self, step: Step) -> Step:
        """Run one call, as far as it is permitted; each change of its step is reported."""
        began = time.perf_counter()
        try:
            tool = next((tool for tool in self.tools if tool.name == step.tool), None)
            if tool is None:
                raise ThothError(f"there is no tool {step.tool}; the tools are {', '.join(t.name for t in self.tools)}")
            arguments.check(tool, step.arguments)
            tool.check(step.arguments)
            if not self._permitted(tool, step):
                return self._report(step, state="refused", result=_NOT_PERMITTED)
            began = time.perf_counter()
            self._report(step, state="running")
            result, documents = self._absorbed_if_long(tool, self._in_thread(tool, step.arguments))
        except Stopped:
            self._report(step, state="stopped", seconds=time.perf_counter() - began)
            raise
        except ThothError as error:
            text = wrapping.error(str(error))
            return self._report(step, state="failed", result=text, seconds=time.perf_counter() - began)
        return self._report(step, state="done", result=result, documents=documents, seconds=time.perf_counter() - began)

    def _report(self, step: Step, **changes: Any) -> Step:
        step = replace(step, **changes)
        self._steps[step.number] = step
        self.listener(step)
        return step

    def _permitted(self, tool: Tool, step: Step) -> bool:
        """Tell whether a call may run; a person is asked where no grant says so."""
        needs = tool.needs(step.arguments)
        if self.permissions.refused(needs):
            return False
        address = next((value for value in self._addresses(step) if WEB in needs), None)
        # Only a name that a person typed is looked up before anybody is asked: a lookup tells its server something.
        if address is not None and address in self._typed and sources.is_private(Source(address)):
            needs = (*needs, PRIVATE)
        if missing := self.permissions.missing(needs):
            self._report(step, state="asking")
            file = _real(step.arguments.get("content")) if FILES in needs else ""
            permitted = self.permissions.decide(Wish(step.tool, step.arguments, missing, file))
            self.bench.stopper.check()
            if not permitted:
                return False
        if PRIVATE in needs and address is not None:
            self.bench.private.add(address)
        return True

    def _addresses(self, step: Step) -> list[str]:
        return [value.strip() for value in step.arguments.values() if isinstance(value, str) and _ADDRESS.match(value)]

    def _in_thread(self, tool: Tool, given: Mapping[str, Any]) -> Result:
        """Run a tool, and stop waiting for it when the agent is stopped: a server may take a minute to answer."""
        self.bench.stopper.check()  # a second call of one message may be over before the first look at the stop
        outcome: list[Result | BaseException] = []

        def run() -> None:
            try:
                outcome.append(tool.run(self.bench, given))
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=run, name=f"tool {tool.name}", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            self.bench.stopper.check()
        match outcome[0]:
            case Result() as result:
                return result
            case ThothError() as error:
                raise error
            case Exception() as error:
                raise ThothError(crash_log.keep(error)) from error
            case error:
                raise error

    def _absorbed_if_long(self, tool: Tool, result: Result) -> tuple[str, tuple[str, ...]]:
        """Return what the model reads of a result, and the documents that it was absorbed as."""
        bench = self.bench
        if result.absorbed:
            return result.text, result.absorbed
        tokens = bench.engine.count_tokens(result.text)
        if tokens <= bench.settings.agent_absorb_over or not result.is_data:
            self._read_tokens += tokens if result.is_data else 0
            return (wrapping.data(result.text) if result.is_data else result.text), ()
        document = result.document or Document(f"result of {tool.name}", result.text)
        request = chats.begin_absorbing(
            bench.engine,
            bench.sessions,
            bench.chat,
            document,
            "result",
            chunking=bench.settings.chunking,
            source=result.source,
        )
        # Before it is absorbed: a chat that is not stored removes its own, even what was stopped half-way.
        bench.own.append(bench.engine.document_id(document, bench.settings.chunking))
        stored = bench.absorbed(request)
        bench.own[-1] = stored.id  # a library of Thoth 0.1 knows it by another id
        return wrapping.receipt(stored, document), (stored.id,)


def typed_addresses(messages: Sequence[Message]) -> frozenset[str]:
    """Return the addresses in what a person wrote."""
    written = " ".join(str(message["content"]) for message in messages if message["role"] == "user")
    found = _ADDRESS.findall(written)
    return frozenset([*found, *(address.rstrip(".,;:!?)]}") for address in found)])


def _real(path: object) -> str:
    """Return the file that a path of a call means, links resolved; empty where it says so itself."""
    written = str(path).strip()
    try:
        real = os.path.realpath(os.path.expanduser(written))
    except ValueError:  # a null byte; reading it says so
        return ""
    return "" if real == written else real


def _id(number: int) -> str:
    return f"{number:09d}"
