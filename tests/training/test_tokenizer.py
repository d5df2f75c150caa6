"""Nano's tokenizer: any text survives it, and values are the same few tokens in the note and in the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from torch_train.nano.language import Language
from torch_train.nano.tree_rows import closed_rows, document_rows, open_rows, tokenise
from torch_train.nano.vocabulary import CHOICES


@pytest.mark.parametrize(
    "text",
    [
        "Hello world, naïve café\n",
        "日本語 🎉 \t tabs",
        "a  b   c\n\n\nd ",
        "12345 67,8 3.14",
        "\x00\u200d\ufeff",
    ],
)
def test_any_text_survives(words: Tokenizer, text: str) -> None:
    assert words.decode(words.encode(text).ids) == text


def test_the_parts_of_a_row_are_the_tokens_of_the_whole(words: Tokenizer) -> None:
    language = Language(3, "train")
    for _ in range(50):
        note = language.note(5, 2)
        for question in note.questions:
            whole = words.encode(f"{note.text}\n\n{question.text}").ids
            parts = (note.text, "\n", "\n", question.text)
            assert whole == [token for part in parts for token in words.encode(part).ids]


def test_a_value_is_the_same_tokens_in_note_and_answer(words: Tokenizer) -> None:
    for value in (value for values in CHOICES.values() for value in values):
        inside = words.encode(f"It is {value}.").tokens
        assert words.encode(f" {value}").tokens == inside[2:-1]


def test_rows_are_what_the_chat_template_says(words: Tokenizer, words_folder: Path) -> None:
    chat = AutoTokenizer.from_pretrained(words_folder)
    notes = [Language(8, "train").note(2, chat=1.0)]
    items = tokenise(words, notes)
    conversation = []
    for question in notes[0].questions:
        conversation += [
            {"role": "user", "content": question.text},
            {"role": "assistant", "content": question.answer},
        ]
    closed = chat.apply_chat_template(conversation, return_dict=False)
    assert closed_rows(items).ids[0].tolist() == closed
    conversation[0]["content"] = f"{notes[0].text}\n\n{conversation[0]['content']}"
    in_context = chat.apply_chat_template(conversation, return_dict=False)
    assert open_rows(items, words.encode("\n").ids[0]).ids[0].tolist() == in_context
    document = [{"role": "system", "content": ""}, {"role": "user", "content": notes[0].text}]
    templated = chat.apply_chat_template(document, add_generation_prompt=True, return_dict=False)
    assert document_rows(items)[0][0].tolist() == templated
