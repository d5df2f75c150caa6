"""How a note looks: a paragraph, a list of labels, a table, a letter."""

from __future__ import annotations

import random

from torch_train.english.facts import Fact, Sentence, Teller
from torch_train.english.kinds import Kind
from torch_train.english.values import Values
from torch_train.english.wording import fill

_JOINTS = (" ", " ", " ", " ", " ", "\n", "\n\n")
_HEADS = ("Item | Value", "Field | Value", "Detail | Entry", "What | Value", "Subject | Details")
_GREETINGS = ("Dear all,", "Hello,", "Dear Sir or Madam,", "Hi,", "Dear {},", "Hello {},", "Hi {},", "Good morning,")
_OPENINGS = (
    "Thank you for your message.",
    "Please find the details below.",
    "Here is what you asked for.",
    "As promised, here are the details.",
    "I am writing to confirm the following.",
    "I hope you are well.",
    "Just a quick note.",
    "For your information:",
)
_CLOSINGS = (
    "Please let me know if you have any questions.",
    "Feel free to call if anything is unclear.",
    "Thank you for your help.",
    "Please keep this message.",
    "I look forward to hearing from you.",
)
_FAREWELLS = ("Kind regards", "Best wishes", "Yours sincerely", "Many thanks", "Regards", "Best")

Told = tuple[str, list[str]]  # the text, and the value of each fact as it stands in it


def prose(kind: Kind, facts: list[Fact], filler: list[str], teller: Teller, draw: random.Random, titled: float) -> Told:
    """Sentences in a paragraph, or one to a line."""
    title = draw.choice(kind.titles) if draw.random() < titled else ""
    body, answers = _sentences(facts, filler, teller, draw, named={facts[0].entity} if "{entity}" in title else set())
    joint = draw.choice(_JOINTS)
    if joint == "\n" and len(body) > 1:
        body = [f"- {sentence}" for sentence in body]
    text = joint.join(body)
    return (f"{_heading(title, facts[0].entity)}\n\n{text}" if title else text), answers


def letter(
    kind: Kind, facts: list[Fact], filler: list[str], teller: Teller, draw: random.Random, values: Values
) -> Told:
    """Sentences in a letter or an e-mail."""
    subject = draw.choice(kind.titles) if draw.random() < 0.5 else ""
    body, answers = _sentences(facts, filler, teller, draw, named={facts[0].entity} if "{entity}" in subject else set())
    if draw.random() < 0.5:
        body.insert(0, draw.choice(_OPENINGS))
    if draw.random() < 0.5:
        body.append(draw.choice(_CLOSINGS))
    parts = [
        f"Subject: {_heading(subject, facts[0].entity)}" if subject else "",
        draw.choice(_GREETINGS).format(values.first_name()),
        " ".join(body),
        f"{draw.choice(_FAREWELLS)},\n{values.first_name()}",
    ]
    return "\n\n".join(filter(None, parts)), answers


def labels(kind: Kind, facts: list[Fact], filler: list[str], draw: random.Random) -> Told:
    """One "Label: value" to a line, below the name of each subject."""
    mark = draw.choice(("", "", "- ", "* "))
    blocks = [
        "\n".join(
            (heading, *(f"{mark}{fact.attribute.label}: {fact.value}" for fact in facts if fact.entity == entity))
        )
        for entity, heading in _headings(kind, facts, draw)
    ]
    return "\n\n".join((*blocks, *([" ".join(filler)] if filler else ()))), [fact.value for fact in facts]


def table(kind: Kind, facts: list[Fact], filler: list[str], draw: random.Random) -> Told:
    """Rows of "Item | Value", below the name of each subject; several subjects at times have a column each."""
    edge = draw.random() < 0.5

    def row(*cells: str) -> str:
        return f"| {' | '.join(cells)} |" if edge else " | ".join(cells)

    headings = _headings(kind, facts, draw)
    if len(headings) > 1 and draw.random() < 0.6:
        entities = [entity for entity, _ in headings]
        columns = [heading for _, heading in headings]
        told = {(fact.entity, fact.attribute.label): fact.value for fact in facts}
        lines = [row(draw.choice(_HEADS).split(" | ")[0], *columns)]
        lines += [f"|{'---|' * (1 + len(entities))}"] if edge else []
        for label in dict.fromkeys(fact.attribute.label for fact in facts):
            lines.append(row(label, *(told.get((entity, label), "-") for entity in entities)))
        blocks = ["\n".join(lines)]
    else:
        head = draw.choice(_HEADS)
        blocks = []
        for entity, heading in headings:
            lines = [heading, row(*head.split(" | ")), *(["|---|---|"] if edge else [])]
            lines += [row(fact.attribute.label, fact.value) for fact in facts if fact.entity == entity]
            blocks.append("\n".join(lines))
    return "\n\n".join((*blocks, *([" ".join(filler)] if filler else ()))), [fact.value for fact in facts]


def _headings(kind: Kind, facts: list[Fact], draw: random.Random) -> list[tuple[str, str]]:
    """Each subject with a heading that names it."""
    title = draw.choice(kind.titles)
    if "{entity}" not in title:
        title = draw.choice(("{entity}", f"{title}: {{entity}}", f"{title}\n{{entity}}"))
    entities = dict.fromkeys(fact.entity for fact in facts)
    return [(entity, _heading(title if len(entities) == 1 else "{entity}", entity)) for entity in entities]


def _heading(title: str, entity: str) -> str:
    return fill(title, entity.removeprefix("the "))


def _sentences(
    facts: list[Fact], filler: list[str], teller: Teller, draw: random.Random, named: set[str]
) -> tuple[list[str], list[str]]:
    """All sentences in their order, and the values as they stand in them."""
    teller.begin()
    named = set(named)
    told: list[Sentence] = []
    answers: list[str] = []
    for fact in facts:
        follows = bool(told) and told[-1].entity == fact.entity
        sentences, value = teller.statement(fact, fact.entity in named, follows)
        told += sentences
        answers.append(value)
        named.add(fact.entity)
        if filler and draw.random() < len(filler) / len(facts):
            told.append(Sentence(filler.pop()))
    told += map(Sentence, filler)
    return [sentence.text for sentence in told], answers
