"""Rows of `benchmarks/accuracy.py` about the agent's tools: requests, names and wordings that training never had.

Prompts are made by the chat template with the agent's own schemas, calls are read by mlx-lm's parser. Decoding is
greedy and, as in the app, follows a grammar of the schemas from the token that begins a call; one row leaves that out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thoth import events
from thoth.agent.tools import named
from thoth.engine.parsing import trimmed
from torch_train.nano.dialogues import TOOLS, Call, Dialogues, Turn
from torch_train.nano.language import UNKNOWN, Note
from torch_train.nano.tokenizer import CALLS

if TYPE_CHECKING:
    from benchmarks.accuracy import Model

SEED = 20_261_128
MOST_TOKENS = 160  # of an answer
Conversation = tuple[Sequence[str], list[Turn], Note | None]  # tools, turns, and the note that is absorbed


@dataclass(frozen=True)
class ToolRow:
    """One line of the table.

    Attributes:
        name, target: As `accuracy.Row`.
        draw: A conversation, whose last turn is asked.
        right: Whether the model's words are what they should be.
        grammar: Whether a call is held to the schemas, as in the app.
    """

    name: str
    target: float | None
    draw: Callable[[Dialogues], Conversation]
    right: Callable[[Model, list[int], Turn], bool]
    grammar: bool = True

    def score(self, model: Model, questions: int) -> tuple[int, int]:
        """(questions asked, right ones)."""
        dialogues, right = Dialogues(f"{SEED}-{self.name}", "test"), 0
        for _ in range(questions):
            tools, turns, note = self.draw(dialogues)
            right += self.right(model, self._said(model, tools, turns, note), turns[-1])
        return questions, right

    def _said(self, model: Model, tools: Sequence[str], turns: list[Turn], note: Note | None) -> list[int]:
        """What the model says; as in the app, a call is begun with the note in the weights and written without it."""
        from mlx_hypernet import adapter, live

        schemas = [named(tool).schema for tool in tools]
        said_before = messages(turns)
        prompt = model.tokenizer.apply_chat_template(said_before, tools=schemas, add_generation_prompt=True)
        grammar = model.grammars.mask(schemas, MOST_TOKENS, "auto", said_before) if self.grammar else None
        masks = [] if grammar is None else [grammar]
        if note is None:
            return model.generate(prompt, MOST_TOKENS, masks)
        live.attach(model.base, adapter.compose([model.absorb(note.text)]))
        said = model.generate(prompt, MOST_TOKENS, masks, last=CALLS)
        live.detach(model.base)
        if said[-1:] == [CALLS]:
            said += model.generate([*prompt, *said], MOST_TOKENS - len(said), masks)
        return said


def messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """A conversation up to what the model says last: a call that has no result yet, or an answer."""
    said: list[dict[str, Any]] = []
    for turn in turns:
        said.append({"role": "user", "content": turn.text})
        if turn.call is not None and turn.result is not None:
            function = {"name": turn.call.tool, "arguments": turn.call.arguments}
            said.append({"role": "assistant", "content": "", "tool_calls": [{"function": function}]})
            said.append({"role": "tool", "content": turn.result})
        if turn is not turns[-1]:
            said.append({"role": "assistant", "content": turn.answer})
    return said


def calls(model: Model, ids: list[int], turn: Turn) -> bool:
    """Whether exactly the call that is due was made."""
    from mlx_lm.tool_parsers.mistral import parse_tool_call

    if turn.call is None or ids[:1] != [CALLS]:
        return False
    try:
        found = parse_tool_call(model.tokenizer.decode(ids[1:]))
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    made = trimmed(events.Call(found["name"], found["arguments"]))
    return Call(made.tool, dict(made.arguments)) == turn.call


def answers(model: Model, ids: list[int], turn: Turn) -> bool:
    """Whether exactly the right answer was given."""
    return CALLS not in ids and model.tokenizer.decode(ids).strip() == turn.answer


def calls_nothing(_: Model, ids: list[int], __: Turn) -> bool:
    """Whether no tool was called."""
    return CALLS not in ids


def _note(dialogues: Dialogues, unanswerable: int = 0) -> Note:
    return dialogues.language.note(2, 1, unanswerable)


def request(dialogues: Dialogues) -> Conversation:
    """A request: half of them beside an absorbed note, a third after another turn, a third with a question."""
    note = _note(dialogues)
    number = int(dialogues.language.value("count"))
    before = [dialogues.answered(TOOLS, _note(dialogues), absorbed=False)] if number % 3 == 0 else []
    turn = dialogues.request(question=note.questions[0].text if number % 3 == 1 else None)
    return TOOLS, [*before, turn], note if number % 2 else None


def no_request(dialogues: Dialogues) -> Conversation:
    """A question about an absorbed note or about nothing, small talk, or a turn whose tool has answered."""
    note = _note(dialogues)
    match int(dialogues.language.value("count")) % 4:
        case 0:
            return TOOLS, [dialogues.plain(note.questions[0])], note
        case 1:
            return TOOLS, [dialogues.plain(note.questions[0], silent=True)], None
        case 2:
            return TOOLS, [dialogues.chat()], None
    return TOOLS, [dialogues.answered(TOOLS, note, absorbed=False)], None


def result(dialogues: Dialogues) -> Conversation:
    """A turn whose tool has found what was asked for."""
    while True:
        turn = dialogues.answered(TOOLS, note := _note(dialogues), absorbed=False)
        if turn.answer in {question.answer for question in note.questions} - {UNKNOWN}:
            return TOOLS, [turn], None


def receipt(dialogues: Dialogues) -> Conversation:
    """A page was asked about, and absorbed: the answer is in the weights."""
    while True:
        turn = dialogues.answered(["web_fetch"], note := _note(dialogues), absorbed=True)
        if turn.answer in {question.answer for question in note.questions} - {UNKNOWN}:
            return TOOLS, [turn], note


def refusal(dialogues: Dialogues) -> Conversation:
    """The user has refused the call, or the tool has failed."""
    while True:
        turn = dialogues.answered(TOOLS, _note(dialogues), absorbed=False)
        if not turn.known:
            return TOOLS, [turn], None


def missing(dialogues: Dialogues) -> Conversation:
    """A request for a tool that is not in the list."""
    while True:
        turn = dialogues.request(tools := dialogues.tools(1.0))
        if turn.call is None:
            return tools, [turn], None


def asked(dialogues: Dialogues) -> Conversation:
    """A plain question about an absorbed note of two facts, with the tools in the prompt."""
    note = _note(dialogues)
    return TOOLS, [dialogues.plain(note.questions[0])], note


TOOL_ROWS = (
    ToolRow("tools: right tool, right arguments", 0.95, request, calls),
    ToolRow("tools: the same, without the grammar", None, request, calls, grammar=False),
    ToolRow("tools: no call where none is due", 0.98, no_request, calls_nothing),
    ToolRow("tools: right answer from a result", None, result, answers),
    ToolRow("tools: right answer from the weights after a receipt", None, receipt, answers),
    ToolRow("tools: right answer from the weights, no call, 2 facts", None, asked, answers),
    ToolRow("tools: refused or failed, and says so", None, refusal, answers),
    ToolRow("tools: the tool is missing, and says so", None, missing, answers),
)
