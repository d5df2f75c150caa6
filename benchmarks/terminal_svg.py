"""A terminal's screen as a small SVG: text as text, no fonts from elsewhere."""

from __future__ import annotations

from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.color import ColorTriplet
from rich.style import Style
from rich.text import Text

_WIDTH, _HEIGHT, _SIZE, _MARGIN = 8.43, 17.0, 14, 8
_FONTS = "ui-monospace,Menlo,'DejaVu Sans Mono','Liberation Mono',monospace"


def svg(screen: str, columns: int, ground: str, ink: str) -> str:
    """Draw a screen.

    Args:
        screen: its lines, with the escape codes of colours and styles.
        columns: width of the terminal, in characters.
        ground: colour where the screen names none, "#1e1e1e" for example.
        ink: colour of text where the screen names none.
    """
    # One decoder for all lines: a style holds across line ends until the next style.
    rows = [_runs(line, columns) for line in AnsiDecoder().decode(screen.rstrip("\n"))]
    width, height = columns * _WIDTH + 2 * _MARGIN, len(rows) * _HEIGHT + 2 * _MARGIN
    texts = []
    boxes: dict[tuple[int, int, str], list[tuple[int, int]]] = {}  # columns from, to, colour -> rows from, to
    for row, runs in enumerate(rows):
        column = 0
        grounds: list[tuple[int, int, str]] = []
        for text, style in runs:
            front, back = _colours(style, ground, ink)
            if text.strip():
                texts.append(_text(text, style, _MARGIN + column * _WIDTH, _MARGIN + (row + 0.76) * _HEIGHT, front))
            if grounds and grounds[-1][2] == back:
                grounds[-1] = (grounds[-1][0], column + len(text), back)
            else:
                grounds.append((column, column + len(text), back))
            column += len(text)
        for box in grounds:
            above = boxes.setdefault(box, [])
            if above and above[-1][1] == row:
                above[-1] = (above[-1][0], row + 1)
            elif box[2] != ground:
                above.append((row, row + 1))
    drawn = [_box(*box, *rows) for box, every in boxes.items() for rows in every]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:g} {height:g}">'
        f"<style>text{{font:{_SIZE}px {_FONTS};white-space:pre}}</style>"
        f'<rect width="100%" height="100%" rx="6" fill="{ground}"/>\n' + "\n".join([*drawn, *texts]) + "\n</svg>\n"
    )


def _box(left: int, right: int, colour: str, top: int, bottom: int) -> str:
    """Draw a ground; a little larger than its characters, so that there are no gaps."""
    x, y = _MARGIN + left * _WIDTH, _MARGIN + top * _HEIGHT
    width, height = (right - left) * _WIDTH + 0.2, (bottom - top) * _HEIGHT + 0.3
    return f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" fill="{colour}"/>'


def _runs(text: Text, columns: int) -> list[tuple[str, Style]]:
    """Return the pieces of a line with their styles, spaces up to its end included."""
    text.pad_right(max(columns - len(text), 0))
    runs: list[tuple[str, Style]] = []
    styles = [Style()] * len(text)
    for span in text.spans:
        style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
        for at in range(span.start, min(span.end, len(text))):
            styles[at] = style
    for letter, style in zip(text.plain, styles, strict=True):
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + letter, style)
        else:
            runs.append((letter, style))
    return runs


def _colours(style: Style, ground: str, ink: str) -> tuple[str, str]:
    front = _hex(style.color.get_truecolor()) if style.color and not style.color.is_default else ink
    back = _hex(style.bgcolor.get_truecolor()) if style.bgcolor and not style.bgcolor.is_default else ground
    return (back, front) if style.reverse else (front, back)


def _hex(colour: ColorTriplet) -> str:
    return colour.hex


def _text(text: str, style: Style, x: float, y: float, colour: str) -> str:
    """Draw a piece; its length is given, so that other fonts keep the columns."""
    before = len(text) - len(text.lstrip())
    shown = text.strip()
    x += before * _WIDTH
    extra = ' font-weight="bold"' if style.bold else ""
    extra += ' font-style="italic"' if style.italic else ""
    extra += ' text-decoration="underline"' if style.underline else ""
    extra += ' opacity=".6"' if style.dim else ""
    length = f' textLength="{len(shown) * _WIDTH:.1f}"' if len(shown) > 1 else ""
    place = f'x="{x:.1f}" y="{y:.1f}"{length} lengthAdjust="spacingAndGlyphs"'
    return f'<text {place} fill="{colour}"{extra}>{escape(shown)}</text>'
