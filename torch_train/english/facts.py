"""Facts of one note: which subjects, which attributes, which values, and the sentences that state them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from torch_train.english.kinds import Attribute, Kind
from torch_train.english.names import Names
from torch_train.english.values import Values
from torch_train.english.wording import fill, repeats, with_pronoun

_THINGS = frozenset(("device", "animal", "event"))  # as subjects, these take an article: "the toaster"
SEVERAL = 0.25  # share of notes with two or three subjects
ALIASED = 0.12  # share of subjects that are called otherwise: their facts follow from two sentences
BY_ROLE = 0.3  # share of facts about persons that follow from two sentences: what a role does, and who has it
_ROLES = (
    "the manager, the coordinator, the director, the supervisor, the assistant, the treasurer, the chair, "
    "the secretary, the deputy, the team leader, the administrator, the caretaker, the consultant, the adviser"
).split(", ")
_ALIASES = ("Item {}", "Entry {}", "Case {}", "No. {}", "Record {}", "File {}", "Subject {}")
_ALIAS_SENTENCES = (
    "{entity} is listed here as {alias}.",
    "{entity} is referred to below as {alias}.",
    "In what follows, {alias} means {entity}.",
    "Below, {entity} is called {alias}.",
    "{alias} stands for {entity}.",
)
_ROLE_SENTENCES = ("{role} is {value}.", "{value} is {role}.", "The name of {role} is {value}.")


@dataclass(frozen=True)
class Fact:
    """What the note says about one attribute of one subject."""

    entity: str
    attribute: Attribute
    value: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of a note.

    Attributes:
        text: The sentence.
        entity: Whom it is about; empty for filler.
    """

    text: str
    entity: str = ""


def entity_of(kind: Kind, draw: random.Random, values: Values, taken: tuple[str, ...] = ()) -> str:
    """The name of a subject that is none of `taken`, nor a part of one."""
    while True:
        spec = draw.choice(kind.entity)
        entity = f"the {values.value(spec)}" if spec in _THINGS else values.value(spec)
        if not any(entity.casefold() in one.casefold() or one.casefold() in entity.casefold() for one in taken):
            return entity


def value_of(attribute: Attribute, draw: random.Random, values: Values) -> str:
    """A value of an attribute."""
    if attribute.choices:
        return draw.choice(attribute.choices)
    return values.value(draw.choice(attribute.specs))


def facts_of(kind: Kind, count: int, draw: random.Random, values: Values) -> list[Fact]:
    """`count` facts about one subject, at times about two or three of the same kind."""
    subjects = max(1, -(-count // len(kind.attributes)))
    if count > 1 and draw.random() < SEVERAL:
        subjects = max(subjects, draw.randint(2, min(3, count)))
    entities: list[str] = []
    for _ in range(subjects):
        entities.append(entity_of(kind, draw, values, tuple(entities)))
    # The same attributes for all subjects, as far as they go: what is asked of one is then told of the others too.
    attributes = draw.sample(kind.attributes, -(-count // subjects))
    pairs = [(entity, attribute) for attribute in attributes for entity in entities][:count]
    facts: list[Fact] = []
    for entity, attribute in pairs:
        value = value_of(attribute, draw, values)
        for _ in range(9):  # values that tell subjects apart, where there are enough of them
            if value not in (entity, *(fact.value for fact in facts)):
                break
            value = value_of(attribute, draw, values)
        facts.append(Fact(entity, attribute, value))
    return facts


class Teller:
    """Puts facts into sentences, one after the other, and asks about them.

    Args:
        kind: Kind of the document.
        facts: All facts of the note.
        names: Names of the split.
        draw: Source of randomness.
    """

    def __init__(self, kind: Kind, facts: list[Fact], names: Names, draw: random.Random) -> None:
        self._kind = kind
        self._names = names
        self._draw = draw
        self._entities = {fact.entity for fact in facts}
        self._alone = len(self._entities) == 1
        self.begin()

    def begin(self) -> None:
        """Begin another text: no role and no alias is used yet."""
        self._roles = self._draw.sample(_ROLES, len(_ROLES))
        self._aliases: dict[str, str] = {}

    def statement(self, fact: Fact, named: bool, follows: bool) -> tuple[list[Sentence], str]:
        """The sentence of a fact, or the two from which it follows, and its value as it stands there.

        Args:
            fact: The fact.
            named: The note has named the subject before.
            follows: The sentence before is about the same subject.
        """
        texts = self._texts(fact, named, follows)
        value = fact.value if any(fact.value in text for text in texts) else fact.value[0].upper() + fact.value[1:]
        return [Sentence(text, fact.entity) for text in texts], value

    def questions(self, entity: str, attribute: Attribute, count: int = 1) -> list[str]:
        """Wordings of a question about an attribute; half of them without the subject's name, if it is the only one."""
        draw = self._draw
        asked = []
        for template in draw.sample(attribute.questions, min(count, len(attribute.questions))):
            noun = draw.choice(self._kind.nouns)
            bare = self._alone and entity in self._entities and draw.random() < 0.5
            asked.append(fill(template, noun if bare and not repeats(template, noun) else entity))
        return asked

    def _texts(self, fact: Fact, named: bool, follows: bool) -> list[str]:
        draw = self._draw
        template = self._template(fact)
        by_role = self._by_role(fact, named) if fact.attribute.specs == ("person",) and draw.random() < BY_ROLE else []
        if by_role:
            return by_role
        if not named and draw.random() < ALIASED:
            alias = self._aliases[fact.entity] = draw.choice(_ALIASES).format(draw.randint(1, 40))
            first = draw.choice(_ALIAS_SENTENCES).replace("{alias}", alias)
            return [fill(first, fact.entity), fill(template, alias, fact.value)]
        return [self._about(template, fact, named, follows)]

    def _template(self, fact: Fact) -> str:
        """A statement; not one whose first word would be a value in small letters, if there is another."""
        statements = fact.attribute.statements
        if fact.value[0].islower():
            statements = tuple(one for one in statements if not one.startswith("{value}")) or statements
        return self._draw.choice(statements)

    def _about(self, template: str, fact: Fact, named: bool, follows: bool) -> str:
        """The sentence, with an alias, a pronoun or a noun for a subject that was named before."""
        draw = self._draw
        if named and fact.entity in self._aliases and draw.random() < 0.6:
            return fill(template, self._aliases[fact.entity], fact.value)
        chance = draw.random()
        noun = draw.choice(self._kind.nouns)
        pronoun = self._pronoun(fact.entity)
        if named and follows and pronoun and chance < 0.35:
            changed = with_pronoun(template, pronoun)
            if changed is not None:
                return fill(changed, fact.entity, fact.value)
        if named and self._alone and chance < 0.8 and not repeats(template, noun):
            return fill(template, noun, fact.value)
        return fill(template, fact.entity, fact.value)

    def _pronoun(self, entity: str) -> str:
        """The pronoun of a subject; empty for persons whose first name belongs to both genders."""
        if not set(self._kind.entity) & {"person", "first_name"}:
            return "it"
        first = entity.split()[0]
        return "she" if first in self._names.female else "he" if first in self._names.male else ""

    def _by_role(self, fact: Fact, named: bool) -> list[str]:
        """'The manager signs the lease.' 'The manager is Ana Duarte.'; nothing where no statement allows it."""
        fit = [
            one
            for one in fact.attribute.statements
            if not any(word in one for word in ("is {value}", "name", "called"))
        ]
        words = " ".join((fact.attribute.name, fact.attribute.label, *fit)).casefold()
        role = next((one for one in self._roles if one.split()[-1] not in words), None)
        if not fit or role is None:
            return []
        self._roles.remove(role)
        second = self._draw.choice(_ROLE_SENTENCES).replace("{role}", role)
        first = self._about(self._draw.choice(fit), Fact(fact.entity, fact.attribute, role), named, False)
        return [first, fill(second, fact.entity, fact.value)]
