"""Rich's Markdown with two changes: headings at the left, code on the background of the screen."""

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
    """Markdown whose tokens are set in `parsed` before each rendering: creating an object takes as long as rendering.

    Args:
        code_theme: name of a Pygments theme.
    """

    parsed: list[Token]

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, code_theme: str) -> None:
        # No hyperlinks: users should read an address from a model before they open it.
        super().__init__("", code_theme=code_theme, hyperlinks=False)
