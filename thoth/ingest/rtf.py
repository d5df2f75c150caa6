"""RTF (TextEdit, WordPad, old Word) -> paragraphs, lists and tables; one pass over control words, groups and letters.

The rules are those of Microsoft's Rich Text Format specification 1.9.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from thoth.errors import DocumentError
from thoth.ingest import scripts
from thoth.ingest.document import Document, LooseBlock, assemble, merged, table
from thoth.ingest.rtf_fonts import Fonts
from thoth.ingest.scripts import Script

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)"
)

# Groups without text of the document.
_LEFT_OUT = set(
    """fonttbl colortbl stylesheet info pict object listtable listoverridetable revtbl rsidtbl generator xmlnstbl
    filetbl themedata colorschememapping datastore latentstyles mmathPr fldinst bkmkstart bkmkend header headerl headerr
    headerf footer footerl footerr footerf ftnsep ftnsepc aftnsep aftnsepc atnid atnauthor annotation atrfstart atrfend
    template operator nonshppict shpinst xe tc expandedcolortbl NeXTGraphic userprops docvar pgptbl bliptag blipuid
    panose falt sp sn sv wgrffmtfilter fchars lchars listname listtext_ private defchp defpap""".split()
)
# Starred groups that hold text all the same.
_KEPT = {"shppict_", "ud", "shptxt", "do", "dptxbxtext", "listtext", "pntext", "fldrslt", "footnote", "nesttableprops"}
_LETTERS = {
    "tab": "\t", "line": "\n", "softline": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "zwj": "",
    "zwnj": "",
}  # fmt: skip
_ESCAPED = {"~": "\u00a0", "_": "-", "-": "", "\\": "\\", "{": "{", "}": "}", "\n": "\n", "\r": "\n", "\t": "\t"}
_MAX_DEPTH = 2_000


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a rich text file.

    Args:
        data: the file.
        name: of the document.
        charset: not looked at; the file says what it is in.

    Raises:
        DocumentError: The file is damaged: its groups are nested thousands deep.
    """
    return assemble(name, parts(data, name))


def parts(data: bytes, name: str) -> Iterator[LooseBlock]:
    """Yield the blocks of a rich text file.

    Raises:
        DocumentError: As `read`.
    """
    reader = _Reader(name)
    at = 0
    while token := _TOKEN.search(data, at):
        at = token.end()
        word, number, hexadecimal, escaped, brace, letters = token.groups()
        if word == b"bin" and number:  # so many bytes of a picture, any of which may look like a brace
            at += max(0, int(number))
        elif word is not None:
            reader.word(word.decode("ascii"), None if number is None else int(number), token.end())
        elif hexadecimal is not None:
            reader.bytes(bytes([int(hexadecimal, 16)]))
        elif escaped is not None:
            reader.escaped(escaped.decode("latin-1"))
        elif brace == b"{":
            reader.open()
        elif brace == b"}":
            if reader.close():
                break
        elif letters is not None:
            reader.bytes(letters)
    yield from merged(reader.finish(), {"list"})


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits from the one around it."""

    skipped: bool = False
    destination: str = ""
    hidden: bool = False
    deleted: bool = False
    struck: bool = False
    script: Script = ""
    font: int = -1
    unicode_skip: int = 1
    in_table: bool = False
    level: int = 0  # outline level, from 1
    list_level: int = 0
    has_list: bool = False


class _Reader:
    """The groups that are open, and the paragraph and table that are being written."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._state = _State()
        self._stack: list[_State] = []
        self._fonts = Fonts()
        self._default_font = 0
        self._starred = False
        self._skip = 0  # letters that stand in for one in Unicode
        self._half = 0  # the first half of a pair of surrogates
        self._pending = bytearray()  # bytes of one letter, perhaps
        self._runs: list[scripts.Run] = []
        self._marker = ""
        self._rows: list[list[str]] = []
        self._row: list[str] = []
        self._cell: list[str] = []
        self._notes: list[str] = []
        self._note_runs: list[list[scripts.Run]] = []
        self._noted = 0
        self._styles: dict[int, int] = {}  # number of a style -> its outline level
        self._style_at = 0
        self._parts: list[LooseBlock] = []

    def open(self) -> None:
        self._flush_bytes()
        if len(self._stack) > _MAX_DEPTH:
            raise DocumentError(f"{self._name} is damaged and cannot be read: export it again")
        self._stack.append(self._state)
        self._starred = False
        self._skip = 0

    def close(self) -> bool:
        """End a group; return whether it was the outermost."""
        self._flush_bytes()
        if not self._stack:
            return True
        ended, self._state = self._state, self._stack.pop()
        self._skip = 0
        if ended.destination == "footnote" and self._state.destination != "footnote" and self._note_runs:
            text = " ".join(scripts.join(self._runs).split())
            self._runs = self._note_runs.pop()
            self._noted += 1
            mark = f"[{self._noted}]"
            self._runs.append((mark, ""))
            self._notes.append(f"{mark} {text.lstrip('[]0123456789 ') if text[:1] == '[' else text}")
        if ended.destination in ("listtext", "pntext") and self._state.destination not in ("listtext", "pntext"):
            self._state = replace(self._state, has_list=True)
        if ended.destination == "shptxt" and self._state.destination != "shptxt":
            self._paragraph()
        return not self._stack

    def word(self, word: str, number: int | None, end: int) -> None:
        if word == "u" and number is not None:
            self._flush_bytes()
            self._unicode(number)
            return
        self._flush_bytes()
        if self._skip and word not in ("bin",):
            self._skip -= 1
            if word in _LETTERS or word in ("par", "cell"):
                return
        state, on = self._state, number != 0
        starred, self._starred = self._starred, False
        if word in _LEFT_OUT or (starred and word not in _KEPT):
            kept_table = word in ("fonttbl", "stylesheet")
            self._state = replace(state, skipped=True, destination=word if kept_table else "skipped")
            return
        if state.skipped and state.destination not in ("fonttbl", "stylesheet"):
            if word == "shptxt" or word == "dptxbxtext":  # a box with text within a drawing
                self._paragraph()
                self._state = replace(state, skipped=False, destination="shptxt")
            return
        if state.destination == "fonttbl":
            self._fonts.define(word, number)
            return
        if state.destination == "stylesheet":
            if word == "s":
                self._style_at = number or 0
            elif word == "outlinelevel" and number is not None and number < 9:
                self._styles[self._style_at] = number + 1
            return
        self._word(word, number, on, state)

    def _word(self, word: str, number: int | None, on: bool, state: _State) -> None:
        match word:
            case "ansicpg" | "mac" | "pc" | "pca":
                self._fonts.choose(word, number)
            case "deff":
                self._default_font = number or 0
                self._state = replace(state, font=self._default_font)
            case "uc":
                self._state = replace(state, unicode_skip=max(0, min(number if number is not None else 1, 8)))
            case "f":
                self._state = replace(state, font=number or 0)
            case "plain":
                self._state = replace(
                    state, hidden=False, deleted=False, struck=False, script="", font=self._default_font
                )
            case "v":
                self._state = replace(state, hidden=on)
            case "deleted":
                self._state = replace(state, deleted=on)
            case "strike" | "striked":
                self._state = replace(state, struck=on)
            case "super" | "up":
                self._state = replace(state, script="sup" if on else "")
            case "sub" | "dn":
                self._state = replace(state, script="sub" if on else "")
            case "nosupersub":
                self._state = replace(state, script="")
            case "pard":
                self._state = replace(state, in_table=False, level=0, list_level=0, has_list=False)
            case "intbl":
                self._state = replace(state, in_table=True)
            case "itap":
                self._state = replace(state, in_table=bool(number))
            case "outlinelevel":
                self._state = replace(state, level=(number or 0) + 1 if (number or 0) < 9 else 0)
            case "s":
                self._state = replace(state, level=self._styles.get(number or 0, 0))
            case "ilvl":
                self._state = replace(state, list_level=max(0, min(number or 0, 8)))
            case "par" | "sect" | "page" | "column":
                if state.destination != "footnote":
                    self._paragraph()
                else:
                    self._letters("\n")
            case "cell" | "nestcell":
                self._end_cell()
            case "row" | "nestrow":
                self._end_row()
            case "footnote":
                self._note_runs.append(self._runs)
                self._runs = []
                self._state = replace(state, destination="footnote", script="")
            case "listtext" | "pntext":
                self._marker = ""
                self._state = replace(state, destination="listtext")
            case "shptxt" | "dptxbxtext":
                self._paragraph()
                self._state = replace(state, destination="shptxt")
            case _ if word in _LETTERS:
                self._letters(_LETTERS[word])

    def escaped(self, character: str) -> None:
        if character == "*":
            self._starred = True
            return
        self._flush_bytes()
        if self._skip:
            self._skip -= 1
        elif character in ("\n", "\r"):
            self.word("par", None, 0)
        elif character in _ESCAPED:
            self._letters(_ESCAPED[character])

    def bytes(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if not data:
            return
        if self._state.destination == "fonttbl":
            self._fonts.name(data)
        elif not self._state.skipped:
            self._pending += data

    def _flush_bytes(self) -> None:
        if self._pending:
            data, self._pending = bytes(self._pending), bytearray()
            self._letters(self._fonts.decoded(data, self._state.font))

    def _unicode(self, number: int) -> None:
        self._skip = self._state.unicode_skip
        code = number + 0x10000 if number < 0 else number
        if self._state.skipped:
            return
        if 0xD800 <= code < 0xDC00:
            self._half = code
        elif 0xDC00 <= code < 0xE000:
            if self._half:
                self._letters(chr(0x10000 + ((self._half - 0xD800) << 10) + (code - 0xDC00)))
            self._half = 0
        elif 0 < code < 0x110000:
            self._letters(chr(code))

    def _letters(self, text: str) -> None:
        state = self._state
        if state.skipped or state.hidden or state.deleted or state.struck:
            return
        text = self._fonts.shown(text, state.font)
        if state.destination == "listtext":
            self._marker += text
        else:
            self._runs.append((text, state.script))

    def _taken(self) -> str:
        self._flush_bytes()
        text, self._runs = scripts.join(self._runs), []
        return text

    def _paragraph(self) -> None:
        text, marker, state = self._taken(), self._marker.strip(), self._state
        self._marker = ""
        if state.in_table:
            self._cell.append(text)
            return
        self._end_table()
        flat = " ".join(text.split())
        if not flat:
            pass
        elif state.level:
            number = f"{marker} " if marker and re.search(r"\w", marker) else ""
            self._parts.append(LooseBlock("heading", number + flat, state.level))
        elif marker or state.has_list:
            sign = marker if re.search(r"\w", marker) else "-"
            self._parts.append(LooseBlock("list", "  " * state.list_level + f"{sign} {flat}"))
        else:
            self._parts.append(LooseBlock("paragraph", re.sub(r" *\n *", "\n", text.strip())))
        if self._notes:
            self._parts += [LooseBlock("paragraph", note) for note in self._notes]
            self._notes = []

    def _end_cell(self) -> None:
        self._cell.append(self._taken())
        self._row.append(" ".join(self._cell))
        self._cell, self._marker = [], ""

    def _end_row(self) -> None:
        if self._row:
            self._rows.append(self._row)
            self._row = []

    def _end_table(self) -> None:
        self._end_row()
        if self._rows:
            if all(len(row) <= 1 for row in self._rows):
                self._parts += [LooseBlock("paragraph", cell.strip()) for row in self._rows for cell in row]
            else:
                self._parts.append(LooseBlock("table", table(self._rows)))
            self._rows = []
            self._parts += [LooseBlock("paragraph", note) for note in self._notes]
            self._notes = []

    def finish(self) -> list[LooseBlock]:
        """End everything that is open and return the blocks."""
        self._flush_bytes()
        self._state = replace(self._state, in_table=False)
        self._paragraph()
        self._end_table()
        return self._parts
