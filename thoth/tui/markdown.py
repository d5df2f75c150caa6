"""Markdown -> lines of the screen, part by part: a part is rendered when it comes into view or changes.

Textual's own Markdown makes a widget of every paragraph. An answer of 5,000 tokens is 500 widgets, and each keystroke
then took a second. Here an answer is a list of strips, and only its last part is parsed again while it grows.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.console import Console, RenderableType

    from thoth.tui.rich_markdown import RichMarkdown

Kind = Literal["block", "bullet", "ordered", "code"]

STYLES = ("heading", "code", "quote", "link", "muted")

# A longer part is shown as plain text, and longer code is coloured in pieces: both would delay typing.
_MOST_CHARACTERS = 8_000
_MOST_LINES = 40

# A terminal would interpret them. Newline and tab are harmless.
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}

_BETWEEN = " · "

_NEWLINE = re.compile("\r\n?|\n")  # as CommonMark has it

_LISTS: dict[str, Kind] = {"bullet_list_open": "bullet", "ordered_list_open": "ordered"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of Markdown that can be rendered alone: a block, or one item of an outermost list."""

    kind: Kind
    text: str


class Splitter:
    """Splits a growing Markdown text into parts."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._begins: list[int] = []
        self._text = ""

    def feed(self, text: str) -> None:
        """Set the current text; if it continues the previous one, only the last block is parsed again."""
        if not text.startswith(self._text):
            self.parts, self._begins = [], []
        self._text = text
        last = self._begins[-1] if self._begins else 0
        keep = self._begins.index(last) if self._begins else 0
        found = [*_parts(text[last:])]
        self._begins[keep:] = [last + begin for begin, _ in found]
        self.parts[keep:] = [part for _, part in found]


def split(text: str) -> list[Part]:
    """Return the parts of a whole text."""
    return [part for _, part in _parts(text)]


def code_blocks(text: str) -> list[str]:
    """Return the content of the text's code blocks, in order."""
    return [token.content for token in _blocks(text) if token.type in ("fence", "code_block")]


def warm_up() -> None:
    """Import and compile what the first answer needs; saves it 0.1 s. Call it on a thread."""
    Painter(80, dict.fromkeys(STYLES, Style()), "monokai").part(Part("code", "```python\npass\n```"))
    split("")


@cache
def _parser(*, inline: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    # HTML would vanish from the answer, and `<name>` is not always meant as HTML.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    if not inline:
        parser.disable("inline")
    parser.parse("-")  # the first one sorts the rules, which two threads must not do at once
    return parser


def _blocks(text: str) -> list[Token]:
    """Return the blocks of a text without their inline content, which takes a third of the time."""
    return _parser(inline=False).parse(text)


def _parts(text: str) -> Iterator[tuple[int, Part]]:
    """Yield parts, each with the offset of the block that it belongs to."""
    begins = [0, *(match.end() for match in _NEWLINE.finditer(text)), len(text)]
    starts = [*_starts(_blocks(text))]
    ends = [*(begins[line] for line, _, _ in starts[1:]), len(text)][: len(starts)]
    for (line, kind, fence), end in zip(starts, ends, strict=True):
        if fence is None:
            yield begins[line], Part(kind, text[begins[line] : end].rstrip())
            continue
        lines = fence.content.splitlines()
        for at in range(0, max(len(lines), 1), _MOST_LINES):
            code = "\n".join(lines[at : at + _MOST_LINES])
            yield begins[line], Part("code", f"{fence.markup}{fence.info}\n{code}\n{fence.markup}")


def _starts(tokens: list[Token]) -> Iterator[tuple[int, Kind, Token | None]]:
    """Yield the first line of each part, its kind and, for a fence, its token."""
    kind: Kind = "block"
    for token in tokens:
        if token.map is None:
            continue
        if token.level == 0:
            kind = _LISTS.get(token.type, "block")
            if kind == "block":
                yield token.map[0], kind, token if token.type == "fence" else None
        elif token.level == 1 and token.type == "list_item_open":
            yield token.map[0], kind, None


class Painter:
    """Renders parts and plain texts for one width and one set of colours.

    Args:
        width: width in cells.
        styles: a style for each of `STYLES`.
        code_theme: name of a Pygments theme.
    """

    def __init__(self, width: int, styles: Mapping[str, Style], code_theme: str) -> None:
        from rich.console import Console
        from rich.theme import Theme

        self.width = width
        self._code_theme = code_theme
        heading, link = styles["heading"], styles["link"]
        names = {f"markdown.h{level}": heading for level in range(1, 7)}
        names |= {"markdown.code": styles["code"], "markdown.block_quote": styles["quote"]}
        names |= {"markdown.link": link, "markdown.link_url": link, "markdown.hr": styles["muted"]}
        names |= {"markdown.item.bullet": heading, "markdown.item.number": heading}
        names |= {"markdown.table.border": styles["muted"], "markdown.table.header": heading}
        self._console: Console = Console(
            width=max(width, 1),
            file=io.StringIO(),
            color_system="truecolor",
            force_terminal=True,
            legacy_windows=False,
            theme=Theme(names),
            _environ={},
        )

    def part(self, part: Part) -> list[Strip]:
        """Render Markdown."""
        if len(part.text) > _MOST_CHARACTERS:
            return self.plain(part.text)
        self._markdown.parsed = _parser(inline=True).parse(_safe(part.text))
        return self._lines(self._markdown)

    @cached_property
    def _markdown(self) -> RichMarkdown:
        from thoth.tui.rich_markdown import RichMarkdown

        return RichMarkdown(self._code_theme)

    def plain(self, text: str, style: Style | None = None) -> list[Strip]:
        """Render plain text."""
        from rich.text import Text

        return self._lines(Text(_safe(text), style=style or "", overflow="fold", tab_size=4))

    def facts(self, text: str, style: Style | None = None) -> list[Strip]:
        """Render plain text; what stands between two middots is wrapped as a whole, if it fits a line."""
        from rich.cells import cell_len

        lines: list[str] = []
        for line in text.split("\n"):
            first, *others = line.split(_BETWEEN)
            lines.append(first)
            for fact in others:
                if cell_len(lines[-1] + _BETWEEN + fact) <= self.width:
                    lines[-1] += _BETWEEN + fact
                else:
                    lines.append(fact)
        return self.plain("\n".join(lines), style)

    def _lines(self, renderable: RenderableType) -> list[Strip]:
        rendered = self._console.render_lines(renderable, pad=False)
        strips = [Strip(map(_on_any_background, line)) for line in rendered]
        while strips and not strips[-1].text.strip():
            strips.pop()
        first = next((at for at, strip in enumerate(strips) if strip.text.strip()), 0)
        return strips[first:]


def _safe(text: str) -> str:
    return _NEWLINE.sub("\n", text).translate(_CONTROLS)


def without_background(style: Style) -> Style:
    """Return a style without its background."""
    return Style.from_color(style.color) + Style(
        bold=style.bold, dim=style.dim, italic=style.italic, underline=style.underline, strike=style.strike
    )


def _on_any_background(segment: Segment) -> Segment:
    # Code has the background of the Pygments theme or of the terminal, not that of the screen.
    text, style, control = segment
    return segment if style is None or style.bgcolor is None else Segment(text, without_background(style), control)
