"""Rich's Markdown with what we want different: headings at the left, code on the screen's own background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.syntax import Syntax

if TYPE_CHECKING:
    from markdown_it.token import Token


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Code(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        yield Syntax(
            code, self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 2), background_color="default"
        )


class RichMarkdown(Markdown):
    """Markdown that others parse, and put into `parsed` before each rendering: making one takes as long as that.

    Args:
        code_theme: of Pygments.
    """

    parsed: list[Token]

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, code_theme: str) -> None:
        # No hyperlinks: an address that a model made up should be read before it is opened.
        super().__init__("", code_theme=code_theme, hyperlinks=False)
