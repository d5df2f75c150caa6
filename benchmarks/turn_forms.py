"""How a turn of a chat is written decides whether a hypernetwork can read it: exact answers from the adapter alone.

    python -m benchmarks.turn_forms [--facts 60] [--pair FOLDER]

Each fact of nano's language (test split) is absorbed by itself in every form, with the reply that the base gives when
it is told the fact, and asked about once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import harness
from benchmarks.accuracy import Model
from mlx_hypernet.blas import preload_blas
from thoth import nano
from torch_train.nano.language import Language, NoteQuestion

Form = Callable[[str, str, NoteQuestion], str]  # fact, reply, question -> text

FORMS: dict[str, Form] = {
    "the fact alone": lambda fact, reply, _: fact,
    "fact, empty line, reply": lambda fact, reply, _: f"{fact}\n\n{reply}",
    'fact, empty line, "I don\'t know."': lambda fact, reply, _: f"{fact}\n\nI don't know.",
    '"User: " fact': lambda fact, reply, _: f"User: {fact}",
    '"User: " fact, "Assistant: " reply': lambda fact, reply, _: f"User: {fact}\nAssistant: {reply}",
    '"User, 28 November 2026, 20:03:", fact': lambda fact, reply, _: f"User, 28 November 2026, 20:03:\n{fact}",
    "question, empty line, answer": lambda fact, reply, question: f"{question.text}\n\n{question.answer}",
}


def main() -> None:
    from mlx_hypernet import adapter, live

    parser = harness.argument_parser(__doc__)
    parser.add_argument("--facts", type=int, default=60)
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    arguments = parser.parse_args()
    preload_blas()
    model, language = Model(arguments.pair), Language("conversation", "test")
    right = dict.fromkeys(FORMS, 0)
    for _ in range(arguments.facts):
        note = language.note(1, unanswerable=0)
        reply = model.answer(note.text)
        for form, write in FORMS.items():
            live.attach(model.base, adapter.compose([model.absorb(write(note.text, reply, note.questions[0]))]))
            right[form] += model.answer(note.questions[0].text) == note.questions[0].answer
            live.detach(model.base)
    table = harness.Table("what is absorbed", "facts", "exact")
    for form, count in right.items():
        table.row(form, arguments.facts, f"{count / arguments.facts:.1%}")


if __name__ == "__main__":
    main()
