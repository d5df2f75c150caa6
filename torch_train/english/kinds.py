"""Kinds of documents and what they say: the sentences of `kinds/*.yaml`, checked and divided into splits."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from torch_train.english import values
from torch_train.english.split import Split
from torch_train.errors import DataError

FOLDER = Path(__file__).parent / "kinds"
FEWEST = 8  # statements and questions of an attribute, and fillers of a kind
HELD_OUT = 2  # templates of an attribute that training never sees
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_CALL = re.compile(r"\w+\s*(?:\([^()]*\))?")


@dataclass(frozen=True)
class Attribute:
    """One thing that a document of one kind can say about its subject.

    Attributes:
        kind: Name of the kind.
        name: Name of the attribute, unique in its kind.
        label: Its name in lists and tables.
        specs: Value generators, one of which is drawn; none where `choices` has the values.
        choices: The values, where they are a closed list.
        statements: Sentences with `{entity}` and `{value}`.
        questions: Questions with `{entity}`.
    """

    kind: str
    name: str
    label: str
    specs: tuple[str, ...]
    choices: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of document.

    Attributes:
        name: Its name.
        titles: Headings; some have `{entity}`.
        entity: Value generators of the subject's name.
        nouns: Phrases that stand for the subject, such as "the flat".
        filler: Sentences that state no attribute.
        attributes: What it can say.
    """

    name: str
    titles: tuple[str, ...]
    entity: tuple[str, ...]
    nouns: tuple[str, ...]
    filler: tuple[str, ...]
    attributes: tuple[Attribute, ...]


@cache
def kinds_of(split: Split, folder: Path = FOLDER) -> tuple[Kind, ...]:
    """The kinds with the templates of one split.

    Of each attribute, two statements and two questions belong to dev and test. A template that is held out for one
    attribute is not used in training for any other.

    Raises:
        DataError: A file of `folder` cannot be used.
    """
    kinds = load(folder)
    attributes = [attribute for kind in kinds for attribute in kind.attributes]
    held = {template for one in attributes for part in (one.statements, one.questions) for template in _held(part)}

    def own(templates: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(t for t in templates if t not in held) if split == "train" else _held(templates)

    return tuple(
        Kind(
            **vars(kind)
            | {
                "attributes": tuple(
                    Attribute(**vars(one) | {"statements": own(one.statements), "questions": own(one.questions)})
                    for one in kind.attributes
                )
            }
        )
        for kind in kinds
    )


def templates_of(split: Split, folder: Path = FOLDER) -> frozenset[str]:
    """All statements and questions that notes of a split are made of."""
    attributes = (attribute for kind in kinds_of(split, folder) for attribute in kind.attributes)
    return frozenset(template for one in attributes for template in (*one.statements, *one.questions))


def _held(templates: tuple[str, ...]) -> tuple[str, ...]:
    # By hash and not by place: the first templates of a list are the plainest.
    return tuple(sorted(templates, key=lambda template: zlib.crc32(template.encode()))[:HELD_OUT])


@cache
def load(folder: Path = FOLDER) -> tuple[Kind, ...]:
    """All kinds of a folder, with all their templates.

    Raises:
        DataError: There is none, or a file is malformed; the message lists what is wrong with it.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DataError(f"{folder} has no kinds of documents: add a YAML file to it")
    return tuple(_read(file) for file in files)


def _read(file: Path) -> Kind:
    try:
        record = yaml.load(file.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file.name} is not YAML: {error}") from error
    if not isinstance(record, Mapping) or not isinstance(record.get("attributes"), list):
        raise DataError(f"{file.name} must have a kind, titles, entity, nouns, filler and a list of attributes")
    wrong: list[str] = []
    name = str(record.get("kind"))
    kind = Kind(
        name=name,
        titles=_texts(record, "titles"),
        entity=_texts(record, "entity"),
        nouns=_texts(record, "nouns"),
        filler=_texts(record, "filler"),
        attributes=tuple(_attribute(name, one) for one in record["attributes"]),
    )
    if name != file.stem:
        wrong.append(f"kind is {name!r}, but the file is {file.name}")
    for part, fewest in (("titles", 1), ("entity", 1), ("nouns", 1), ("filler", FEWEST), ("attributes", 2)):
        if len(getattr(kind, part)) < fewest:
            wrong.append(f"fewer than {fewest} {part}")
    wrong += [f"title {title!r} has an unknown placeholder" for title in kind.titles if _fields(title) - {"entity"}]
    wrong += [f"filler {text!r} has a placeholder" for text in kind.filler if _fields(text)]
    wrong += [f"filler {text!r} does not end a sentence" for text in kind.filler if text[-1] not in ".?!"]
    names = [attribute.name for attribute in kind.attributes]
    wrong += [f"attribute {one!r} occurs twice" for one in sorted(set(names)) if names.count(one) > 1]
    for spec in kind.entity:
        wrong += _call(spec)
    for attribute in kind.attributes:
        wrong += [f"{attribute.name}: {problem}" for problem in _problems(attribute)]
    if wrong:
        raise DataError(f"{file.name}: {'; '.join(wrong)}")
    return kind


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = record.get(key)
    if not isinstance(value, list):
        value = [] if value is None else [value]
    return tuple(str(text).strip() for text in value)


def _attribute(kind: str, record: Any) -> Attribute:
    if not isinstance(record, Mapping):
        record = {}
    value = record.get("value")
    choices = value if isinstance(value, Mapping) else record
    # A list such as [date, money(1, 20)] reaches us split at every comma; joined, it is one text of calls.
    specs = () if isinstance(value, Mapping) else tuple(_CALL.findall(", ".join(_texts(record, "value"))))
    name = str(record.get("name"))
    return Attribute(
        kind=kind,
        name=name,
        label=str(record.get("label", name)),
        specs=specs,
        choices=_texts(choices, "choice"),
        statements=_texts(record, "statements"),
        questions=_texts(record, "questions"),
    )


def _problems(attribute: Attribute) -> list[str]:
    wrong = []
    if bool(attribute.specs) == bool(attribute.choices):
        wrong.append("give a value generator or choices")
    for spec in attribute.specs:
        wrong += _call(spec)
    wrong += [f"choice {choice!r} ends with a full stop" for choice in attribute.choices if choice.endswith(".")]
    for part, needed in (("statements", {"entity", "value"}), ("questions", {"entity"})):
        templates = getattr(attribute, part)
        if len(templates) < FEWEST:
            wrong.append(f"{len(templates)} {part} instead of at least {FEWEST}")
        wrong += [f"{text!r} occurs twice" for text in sorted(set(templates)) if templates.count(text) > 1]
        wrong += [f"{text!r} must have {sorted(needed)} and no other" for text in templates if _fields(text) != needed]
        wrong += [f"{text!r} does not end a sentence" for text in templates if text[-1] not in ".?!"]
    wrong += [f"{text!r} has two values" for text in attribute.statements if text.count("{value}") > 1]
    return wrong


def _fields(template: str) -> set[str]:
    return {field[1:-1] for field in _PLACEHOLDER.findall(template)}


def _call(spec: str) -> list[str]:
    try:
        values.parse(spec)
    except ValueError as error:
        return [str(error)]
    return []
