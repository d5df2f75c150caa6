"""Chunks: equal lengths, every token once, the template's ids around each."""

import math

import pytest

from mlx_hypernet.format.chunking import split
from mlx_hypernet.format.template import document_ids

PREFIX, SUFFIX = (1, 3), (4,)


def test_short_document_stays_as_it_is():
    ids = [1, 3, 50, 51, 4]
    assert split(ids, 5, PREFIX, SUFFIX) == [ids]


def test_long_document_is_cut_evenly():
    ids = [1, 3, *range(50, 57), 4]
    assert split(ids, 4, PREFIX, SUFFIX) == [[1, 3, 50, 51, 4], [1, 3, 52, 53, 54, 55, 4], [1, 3, 56, 4]]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 101])
@pytest.mark.parametrize("limit", [1, 2, 7, 8, 1000])
def test_no_token_is_lost(length, limit):
    body = list(range(50, 50 + length))
    chunks = split(body, limit, PREFIX, SUFFIX)
    inner = [chunk[2:-1] for chunk in chunks]
    assert [token for chunk in inner for token in chunk] == body
    assert all(len(chunk) <= limit for chunk in inner)
    assert len(chunks) <= math.ceil(length / limit)
    assert len({len(chunk) for chunk in inner[:-1]}) <= 1
    assert all(chunk[:2] == [1, 3] and chunk[-1] == 4 for chunk in chunks)


def test_half_a_prefix_is_not_a_prefix():
    assert split([1, 50, 4], 8, PREFIX, SUFFIX) == [[1, 3, 1, 50, 4]]


def test_without_affixes():
    assert split([7, 8, 9], 2, (), ()) == [[7, 8], [9]]


@pytest.mark.parametrize(("ids", "limit"), [([], 4), ([1], 0)])
def test_nothing_to_cut_is_an_error(ids, limit):
    with pytest.raises(ValueError, match="cannot cut"):
        split(ids, limit, PREFIX, SUFFIX)


def test_document_is_the_stripped_user_message():
    class Tokenizer:
        def __init__(self):
            self.added_tokens_decoder = {}

            self.special_tokens_map = {"bos_token": "<s>"}

        def get_chat_template(self):
            said = "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}"
            return "{{ bos_token }}" + said + "{% if add_generation_prompt %}now{% endif %}"

        def encode(self, text, add_special_tokens):
            assert text == "<s>system=;user=text;now"
            assert not add_special_tokens
            return [1, 3, 50, 4]

    assert document_ids(Tokenizer(), " \n text\n") == [1, 3, 50, 4]
