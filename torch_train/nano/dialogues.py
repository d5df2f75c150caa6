"""Dialogues with tools, drawn from a seed: a request, the call it asks for, the tool's result, the answer.

Names, addresses and wordings belong to exactly one split, as in `language.py`. Results are worded as
`thoth.agent` words them.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch_train.nano import requests, vocabulary
from torch_train.nano.language import UNKNOWN, Language, Note, NoteQuestion, Split
from torch_train.nano.requests import WAYS, Way
from torch_train.nano.templates import ATTRIBUTES

TOOLS = tuple(dict.fromkeys(way.tool for way in WAYS))
Value = str | int

_FILES = ("txt", "md", "pdf", "docx", "epub", "html")
_KINDS = ("notes", "report", "letter", "minutes", "contract", "plan", "news", "story", "list", "guide")
_FOLDERS = ("", "", "notes/", "docs/", "~/", "~/notes/", "/home/anna/", "/tmp/", "../", "./")
_ENDS = ("org", "com", "net", "example", "info", "eu")
ODD = 0.35  # of requests in training, where one of five slots is filled with anything

_REASONS = ("the page could not be reached", "there is no such document", "the file does not exist",
            "the web search failed; try again later", "no text on these pages")  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A tool's name and its arguments."""

    tool: str
    arguments: dict[str, Value]

    def json(self) -> str:
        """The arguments as nano writes them: what is copied from the request begins with a space, as it does there."""
        spaced = {
            name: f" {value}" if isinstance(value, str) and name != "kind" else value
            for name, value in self.arguments.items()
        }
        return json.dumps(spaced, ensure_ascii=False)


@dataclass(frozen=True)
class Turn:
    """What the user says, and what happens until the model has answered.

    Attributes:
        text: What the user says.
        answer: The model's last words, None where only the call counts.
        call: The call before it, if one is due.
        result: What the tool returned.
        known: Whether the answer is more than a refusal.
    """

    text: str
    answer: str | None = None
    call: Call | None = None
    result: str | None = None
    known: bool = True


class Dialogues:
    """Draws turns; one instance is one reproducible stream.

    Args:
        seed: Seed of the stream.
        split: Which names and wordings to draw from.
    """

    def __init__(self, seed: int | str, split: Split) -> None:
        self._random = random.Random(f"dialogues-{split}-{seed}")
        self._split = split
        self.language = Language(f"dialogues-{seed}", split)

    def tools(self, share: float = 0.15) -> tuple[str, ...]:
        """The tools of one conversation: all eight in any order; with probability `share` some are missing."""
        draw = self._random
        count = draw.randint(3, len(TOOLS) - 1) if draw.random() < share else len(TOOLS)
        return tuple(draw.sample(TOOLS, count))

    def request(self, tools: Sequence[str] = TOOLS, way: Way | None = None, question: str | None = None) -> Turn:
        """A request and the call it asks for; without that tool, what the model says instead.

        Args:
            tools: Those that the model may call.
            way: How it asks, any if None.
            question: What the user wants to know besides, None for nothing.
        """
        way = way or self._random.choice(WAYS)
        text, call = self._ask(way, question)
        if way.tool not in tools:
            return Turn(text, requests.MISSING, known=False)
        return Turn(text, None, call)

    def answered(self, tools: Sequence[str], note: Note, absorbed: bool) -> Turn:
        """A request, its call, a result and an answer.

        Args:
            tools: Those that the model may call.
            note: What the tool finds. Its own questions are asked.
            absorbed: The note is in the model's weights: a page that is read gives a receipt.
        """
        draw = self._random
        ways = [way for way in WAYS if way.tool in tools]
        telling = [way for way in ways if way.tells and (not absorbed or way.tool == "web_fetch")]
        way = draw.choice(telling if telling and draw.random() < 0.5 else ways)  # their results are read for an answer
        asked = draw.choice([question for question in note.questions if not question.follows])
        carried = way.tells and draw.random() < 0.75
        text, call = self._ask(way, asked.text if carried else None, asked.text)
        turn = Turn(text, None, call)
        if draw.random() < 0.08:
            return _told(turn, "The user did not permit this.", requests.REFUSED)
        if draw.random() < 0.06:
            return _told(turn, _data(f"Error: {draw.choice(_REASONS)}"), requests.FAILED)
        questioned = carried or "question" in call.arguments or str(call.arguments.get("query", "")).endswith("?")
        match way.tool:
            case "remember":
                return _told(turn, self._receipt(note, call), requests.KEPT)
            case "forget":
                return _told(turn, _data(f"Removed {call.arguments['document']}."), requests.FORGOTTEN)
            case "list_documents":
                lines = [f"{self.document()} ({draw.randint(1, 40)} pages)" for _ in range(draw.randint(1, 4))]
                return _told(turn, _data("\n".join(lines)), requests.LISTED)
            case "ask_memory":
                support = draw.choice(
                    ("", f"\nfrom {self.document()}", f"\n{self.document()}, page {draw.randint(1, 90)}")
                )
                return _told(turn, _data(asked.answer + support), asked.answer)
            case "web_fetch" if absorbed:
                return _told(turn, self._receipt(note, call), asked.answer if questioned else requests.READ)
            case "web_fetch" | "read_pages":
                return _told(turn, _data(note.text), asked.answer if questioned else requests.READ)
            case "search_memory":
                found = f"[{self.document()}, page {draw.randint(1, 90)}] {' '.join(note.text.split())}"
                result = f"{draw.randint(1, 4)} passages, {draw.randint(20, 300)} tokens\n{found}"
                return _told(turn, _data(result), asked.answer if questioned else requests.FOUND)
        result = f"{self.language.word('place')}\n{self.address()}\n{' '.join(note.text.split())}"
        return _told(turn, _data(result), asked.answer if questioned else requests.FOUND)

    def plain(self, question: NoteQuestion, silent: bool = False) -> Turn:
        """A question without a request: answered from the weights, or not at all if there are none."""
        answer = UNKNOWN if silent else question.answer
        return Turn(question.text, answer, known=answer != UNKNOWN)

    def chat(self) -> Turn:
        """Small talk, or a statement that nobody asks to keep."""
        draw = self._random
        if draw.random() < 0.4:
            return Turn(self._statement(capital=True), requests.SEEN)
        while True:
            openings, endings, answer = draw.choice(requests.SMALL_TALK)
            words = draw.choice(openings) + draw.choice(endings)
            if self._belongs(words):
                mark = "?" if words.split()[0] in ("What", "Who", "How", "Are", "Is") else draw.choice(".!")
                return Turn(words + mark, answer)

    def address(self) -> str:
        """The address of a web page."""
        draw = self._random
        name, other = self._name(), self._name()
        host = draw.choice((f"127.0.0.1:{draw.randint(1024, 65535)}", f"localhost:{draw.randint(1024, 65535)}",
                            f"www.{name}.{draw.choice(_ENDS)}", f"{name}.{draw.choice(_ENDS)}",
                            f"{name}-{draw.choice(_KINDS)}.{draw.choice(_ENDS)}"))  # fmt: skip
        kind = draw.choice(_KINDS)
        path = draw.choice(("", "/", f"/{other}", f"/{other}.html", f"/{kind}/{other}.html", f"/{other}_{kind}/",
                            f"/{kind}/{draw.randint(1990, 2029)}/{other}", f"/{other}.{draw.choice(_FILES)}",
                            f"/{kind}?id={draw.randint(1, 9999)}"))  # fmt: skip
        return f"{draw.choice(('http', 'https'))}://{host}{path}"

    def document(self) -> str:
        """The name of a document."""
        draw = self._random
        name, kind, ending = self._name(), draw.choice(_KINDS), draw.choice(_FILES)
        title = name.capitalize()
        return draw.choice((f"{name}.{ending}", f"{name}.{ending}", f"{name}-{kind}.{ending}",
                            f"{name}_{kind}.{ending}", f"{title} {kind}", f"the {title} {kind}", title))  # fmt: skip

    def file(self) -> str:
        """The path of a file."""
        draw = self._random
        name, kind, ending = self._name(), draw.choice(_KINDS), draw.choice(_FILES)
        stem = draw.choice((name, name, f"{name}-{kind}", f"{name}_{kind}", f"{name}{draw.randint(1, 99)}"))
        return f"{draw.choice(_FOLDERS)}{stem}.{ending}"

    def _odd(self) -> str:
        """Words, names, letters and marks in any order."""
        draw = self._random
        pieces = []
        for _ in range(draw.randint(1, 5)):
            letters = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 6)))
            words = draw.choice(draw.choice(ATTRIBUTES).statements).replace("{e}", "").replace("{v}", "").split()
            pieces.append(draw.choice((letters, letters.capitalize(), draw.choice(words), self._name(),
                                       str(draw.randint(0, 99999)), self.file(), self.address())))  # fmt: skip
        return draw.choice((" ", " ", "_", "-", "/", ".")).join(pieces).strip(" ./") or "x"

    def _name(self) -> str:
        return self.language.word(self._random.choice(tuple(vocabulary.TAILS))).lower()

    def _statement(self, capital: bool) -> str:
        draw = self._random
        attribute = draw.choice(ATTRIBUTES)
        entity, value = self.language.name(attribute.kind), self.language.value(attribute.value)
        text = draw.choice(attribute.statements).format(e=entity, v=value)
        if capital:
            return text[0].upper() + text[1:]
        return text if text.startswith((entity, value)) else text[0].lower() + text[1:]

    def _topic(self) -> str:
        draw = self._random
        attribute = draw.choice(ATTRIBUTES)
        entity = self.language.name(attribute.kind)
        other = self.language.name(attribute.kind)
        both = (f"{entity} and {other}",) * (3 if self._split == "train" else 1)  # what is copied often ends too early
        return draw.choice((entity, f"{attribute.name} of {entity}", f"the {attribute.name} of {entity}",
                            f"{entity} {attribute.name}", *both))  # fmt: skip

    def _question(self) -> str:
        attribute = self._random.choice(ATTRIBUTES)
        return self._random.choice(attribute.questions).format(e=self.language.name(attribute.kind))

    def _ask(self, way: Way, carried: str | None, question: str | None = None) -> tuple[str, Call]:
        """A request of this way and its call; `carried` is asked besides, `question` is what the call may ask."""
        draw = self._random
        while True:
            opener, phrase = draw.choice(requests.OPENERS), draw.choice(way.phrases)
            tail = draw.choice(requests.TELLING) if carried else ""
            if self._belongs(opener + phrase):
                break
        first = draw.randint(1, 99)
        question = question or self._question()
        slots: dict[str, Value] = {
            "topic": self._topic(),
            "Question": question,
            "statement": self._statement(capital=not phrase.endswith("that {statement}")),
            "document": self.document(),
            "file": self.file(),
            "address": self.address(),
            "first": first,
            "last": first + draw.randint(1, 20),
        }
        if self._split == "train" and draw.random() < ODD:  # what is copied may be anything
            copied = draw.choice(("topic", "statement", "document", "file", "address"))
            slots[copied] = self._odd()
        text = (opener + phrase).format(**slots)
        if carried:
            if self._split == "train" and draw.random() < 0.35:
                carried = carried.rstrip("?") + draw.choice(("", "", "."))
            text += tail.format(question=carried[0].lower() + carried[1:], Question=carried)
        elif not text.endswith((".", "?")) or text.endswith("/"):
            text += "?" if opener in requests.ASKING else draw.choice((".", ".", "", "!", ", please."))
        arguments = {name: slot[1:] if slot.startswith("=") else slots[slot] for name, slot in way.arguments.items()}
        return text[0].upper() + text[1:], Call(way.tool, arguments)

    def _receipt(self, note: Note, call: Call) -> str:
        """As `thoth.agent.wrapping.receipt`: a title and two sentences of what was absorbed."""
        draw = self._random
        size = draw.choice(
            ("1 chunk", f"{draw.randint(2, 30)} chunks", f"{draw.randint(2, 9)} pages, {draw.randint(2, 30)} chunks")
        )
        title = f"{self.language.word('place')} {draw.choice(_KINDS)}"
        headings = f"\nHeadings: {self.language.word('place')}" if draw.random() < 0.4 else ""
        sentences = str(call.arguments["content"]) if call.arguments.get("kind") == "text" else self.language.filler()
        return f"Absorbed {size}. Answer from memory.\n{_data(f'Title: {title}{headings}{chr(10)}{sentences}')}"

    def _belongs(self, wording: str) -> bool:
        """Whether a wording is this split's."""
        return (zlib.crc32(wording.encode()) % 10 == 0) == (self._split == "test")


def _data(text: str) -> str:
    return f"<data>\n{text}\n</data>"


def _told(turn: Turn, result: str, answer: str) -> Turn:
    return Turn(turn.text, answer, turn.call, result, answer not in (UNKNOWN, requests.REFUSED, requests.FAILED))
