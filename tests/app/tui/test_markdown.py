"""Markdown in parts: nothing is lost, and a text that grows ends up as the same text at once."""

from __future__ import annotations

import pytest
from rich.style import Style

from thoth.tui.markdown import Painter, Part, Splitter, code_blocks, split

TEXT = """# Title

A paragraph with **bold**
in two lines.

- one
- two

  still two
- three

1. first
2. second

| a | b |
|---|---|
| 1 | 2 |

```python
def f():

    return 1
```

> quoted

Last.
"""

PAINTER_STYLES = {name: Style() for name in ("heading", "code", "quote", "link", "muted")}


def painted(text: str, width: int = 60) -> str:
    painter = Painter(width, PAINTER_STYLES, "monokai")
    return "\n".join(strip.text.rstrip() for part in split(text) for strip in painter.part(part))


def test_blocks_and_list_items_are_parts() -> None:
    assert [part.kind for part in split(TEXT)] == (
        ["block", "block", "bullet", "bullet", "bullet", "ordered", "ordered", "block", "code", "block", "block"]
    )
    assert split(TEXT)[3] == Part("bullet", "- two\n\n  still two")


@pytest.mark.parametrize("step", [1, 3, 17])
def test_a_growing_text_has_the_parts_of_the_whole(step: int) -> None:
    splitter = Splitter()
    for end in range(step, len(TEXT) + step, step):
        splitter.feed(TEXT[:end])
        assert "".join("".join(part.text.split()) for part in splitter.parts if part.kind != "code")  # never empty
    assert splitter.parts == split(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "```",
        "```py\n",
        "~~~~\n```\n~~~~",
        "-",
        "1.",
        "|",
        "#",
        "\r\n\r",
        "\x0c\x1c a",
        "a\r\rb\r\rc",
        "-\ra\r\r\r-",
    ],
)
def test_odd_texts_are_split_and_painted(text: str) -> None:
    splitter = Splitter()
    for end in range(len(text) + 1):
        splitter.feed(text[:end])
    assert splitter.parts == split(text)
    painted(text)


@pytest.mark.parametrize("newline", ["\r", "\r\n"])
def test_every_newline_is_one(newline: str) -> None:
    splitter, text = Splitter(), TEXT.replace("\n", newline)
    for end in range(len(text) + 1):
        splitter.feed(text[:end])
    assert splitter.parts == split(text)
    assert painted(text) == painted(TEXT)
    assert [strip.text for strip in Painter(60, PAINTER_STYLES, "monokai").plain(f"a{newline}b")] == ["a", "b"]


def test_another_text_begins_anew() -> None:
    splitter = Splitter()
    for text in (TEXT, "", "Short.", "Another *text*.\n\nOf two parts."):
        splitter.feed(text)
        assert splitter.parts == split(text)


def test_long_code_is_in_pieces_that_are_code() -> None:
    code = "\n".join(f"x = {number}" for number in range(500))
    parts = split(f"```python\n{code}\n```")
    assert len(parts) > 5
    assert {part.kind for part in parts} == {"code"}
    shown = [line.strip() for line in painted(f"```python\n{code}\n```").splitlines()]
    assert shown == code.splitlines()


def test_an_open_fence_is_code_already() -> None:
    splitter = Splitter()
    splitter.feed("Look:\n\n```py\nx = 1\n")
    assert [part.kind for part in splitter.parts] == ["block", "code"]


def test_every_word_is_painted() -> None:
    shown = painted(TEXT)
    for word in (
        "Title",
        "bold",
        "two lines",
        "still two",
        "three",
        "2 second",
        "def f():",
        "return 1",
        "▌ quoted",
        "Last.",
    ):
        assert word in shown
    assert "**" not in shown
    assert "```" not in shown


def test_html_and_addresses_are_shown_as_they_are() -> None:
    shown = painted("Use <name> or [this](javascript:x) or [that](http://x.org) &amp; more.", 100)
    assert "<name>" in shown
    assert "that (http://x.org)" in shown
    assert "& more" in shown


def test_what_is_too_long_to_lay_out_is_still_there() -> None:
    text = "word " * 5_000
    assert painted(text).split() == text.split()


@pytest.mark.parametrize("theme", ["monokai", "tango", "ansi_dark"])
def test_code_leaves_the_background_as_it_is(theme: str) -> None:
    (part,) = split("```python\nreturn 'x'  # why\n```")
    styles = [segment.style for strip in Painter(40, PAINTER_STYLES, theme).part(part) for segment in strip]
    assert len({style.color for style in styles if style}) > 1
    assert all(style is None or style.bgcolor is None for style in styles)


def test_code_blocks_in_order() -> None:
    assert code_blocks("```py\na\n```\n\n- item\n\n  ```\n  b\n  ```\n\ntext `c`") == ["a\n", "b\n"]
