"""Subtitles (SRT, WebVTT, SubStation, SBV, TTML, LRC) -> what is said, in paragraphs without times and styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from thoth.ingest import text
from thoth.ingest.document import Document, LooseBlock, assemble

_TIMES = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})[^\n]*")
_ONE_TIME = re.compile(r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}")
_VOICE = re.compile(r"<v(?:\.[\w.-]*)?[ \t]+([^>]{1,80})>")
_RUBY = re.compile(r"<rt>([^<]{0,200})</rt>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|<\d[\d:.]{0,20}>|\{\\[^{}]{0,100}\}|\{[\d]{1,8}\}")
_BLANK_BEHIND_TIMES = re.compile(
    r"^([^\n]{0,60}-->[^\n]{0,200})\n[ \t]*\n(?!\s*(?:\d+[ \t]*\n)?[^\n]{0,60}-->)", re.MULTILINE
)
_SBV_TIMES = re.compile(r"^(\d{1,3}:\d\d:\d\d\.\d{1,3}),(\d{1,3}:\d\d:\d\d\.\d{1,3})[ \t]*$", re.MULTILINE)
# SubStation Alpha: what a line of events begins with, its fields, how it marks the letters of a line.
_EVENT, _FORMAT = "Dialogue:", "Format:"
_FIELDS = ["Layer", "Start", "End", "Style", "Name", "MarginL", "MarginR", "MarginV", "Effect", "Text"]
_LINE_BREAK = re.compile(r"\\[Nnh]")
_DRAWING = re.compile(r"\\p[1-9]")
_OVERRIDE = re.compile(r"\{[^{}]*\}")
# TTML, which is XML: a paragraph and its times, in seconds or with hours. LRC: a line of a song and when it is sung.
_TIMED = re.compile(r"<(?:\w+:)?p\b([^<>]{0,400})>(.{0,1000}?)</(?:\w+:)?p\s*>", re.DOTALL)
_BEGIN_END = re.compile(r"\b(begin|end)\s*=\s*[\"']((?:\d{1,3}:){0,2}\d{1,9}(?:\.\d{1,9})?)(?:s|:\d\d)?[\"']")
_LYRICS = re.compile(r"^(?:\[(\d{1,3}:\d{2}(?:[.:]\d{1,3})?)\])+([^\n]*)$", re.MULTILINE)
_ABOUT = re.compile(r"^\[(?:ti|ar|al):([^\]\n]{1,200})\]", re.MULTILINE)
_PAUSE_SECONDS = 4.0
_PARAGRAPH_LETTERS = 600


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read subtitles; arguments and errors are those of `text.decode`."""
    content = text.decode(data, name, charset)
    return assemble(name, _parts(content))


def _parts(content: str) -> Iterator[LooseBlock]:
    """Join lines to paragraphs: until a pause, another voice, or a sentence's end in a long one."""
    said: list[str] = []
    length, last_end, speaker = 0, 0.0, ""
    for start, end, voice, line in _cues(content):
        is_long = length > _PARAGRAPH_LETTERS and said and said[-1][-1:] in '.?!…"”。？！'
        if said and (start - last_end > _PAUSE_SECONDS or voice != speaker or is_long):
            yield LooseBlock("paragraph", _paragraph(speaker, said))
            said, length = [], 0
        said.append(line)
        length += len(line)
        last_end, speaker = end, voice
    if said:
        yield LooseBlock("paragraph", _paragraph(speaker, said))


def _paragraph(speaker: str, said: list[str]) -> str:
    return (f"{speaker}: " if speaker else "") + " ".join(said)


def _cues(content: str) -> Iterator[tuple[float, float, str, str]]:
    """Yield start, end, speaker and text of each cue; of text that scrolls up, every line once."""
    if f"\n{_EVENT}" in content:
        yield from sorted(_events(content), key=lambda event: event[:2])
        return
    if "-->" not in content:
        content = _SBV_TIMES.sub(r"\1 --> \2", content)
        if _LYRICS.search(content):
            yield from _lyrics(content)
            return
        if "<tt" in content:
            yield from _timed_text(content)
            return
    shown: list[str] = []
    # Some writers leave an empty line between the times and what is said.
    content = _BLANK_BEHIND_TIMES.sub(r"\1\n", content.strip())
    for cue in re.split(r"\n[ \t]*\n+", content):
        lines = cue.split("\n")
        at = next((i for i, line in enumerate(lines[:3]) if _TIMES.match(line)), None)
        if at is None:
            continue  # the file's head, a note, a style
        times = _TIMES.match(lines[at])
        assert times is not None
        # A file without empty lines between its cues is one piece.
        spoken: list[str] = []
        start, end = _seconds(times[1]), _seconds(times[2])
        for i, line in enumerate(lines[at + 1 :], at + 1):
            if found := _TIMES.match(line):
                if spoken and re.fullmatch(r"\s*\d+\s*", spoken[-1]):
                    spoken.pop()
                yield from _said(spoken, shown, start, end)
                spoken, start, end = [], _seconds(found[1]), _seconds(found[2])
            elif i:
                spoken.append(line)
        yield from _said(spoken, shown, start, end)


def _events(content: str) -> Iterator[tuple[float, float, str, str]]:
    """Yield the cues of SubStation Alpha; drawings and comments are left out."""
    fields = _FIELDS
    for line in content[content.find("[Events]") :].split("\n"):
        if line.startswith(_FORMAT):
            fields = [field.strip() for field in line.removeprefix(_FORMAT).split(",")]
        elif line.startswith(_EVENT) and not _DRAWING.search("".join(_OVERRIDE.findall(line))):
            row = dict(zip(fields, line.removeprefix(_EVENT).split(",", len(fields) - 1), strict=False))
            times = [row.get(field, "").strip() for field in ("Start", "End")]
            said = " ".join(_OVERRIDE.sub("", _LINE_BREAK.sub(" ", row.get("Text", ""))).split())
            if said and all(_ONE_TIME.fullmatch(time) for time in times):
                yield _seconds(times[0]), _seconds(times[1]), row.get("Name", "").strip(), said


def _timed_text(content: str) -> Iterator[tuple[float, float, str, str]]:
    for found in _TIMED.finditer(content):
        times = {name: _seconds(time) for name, time in _BEGIN_END.findall(found[1])}
        said = " ".join(unescape(_TAG.sub("", re.sub(r"<(?:\w+:)?br\b[^<>]*>", " ", found[2]))).split())
        if said:
            begin = times.get("begin", 0.0)
            yield begin, times.get("end", begin), "", said


def _lyrics(content: str) -> Iterator[tuple[float, float, str, str]]:
    about = " - ".join(found.strip() for found in _ABOUT.findall(content))
    if about:
        yield -60.0, -60.0, "", about
    for found in _LYRICS.finditer(content):
        if line := re.sub(r"<\d+:[\d.]+>", "", found[2]).strip():
            at = _seconds(found[1])
            yield at, at, "", line


def _said(lines: list[str], shown: list[str], start: float, end: float) -> Iterator[tuple[float, float, str, str]]:
    voice = ""
    fresh: list[str] = []
    now: list[str] = []
    for line in lines:
        if found := _VOICE.search(line):
            voice = unescape(found[1]).strip()
        plain = " ".join(unescape(_TAG.sub("", _RUBY.sub(r"(\1)", line))).split())
        if plain:
            now.append(plain)
            if plain not in shown:
                fresh.append(plain)
    if now:
        shown[:] = now
    if fresh:
        yield start, end, voice, " ".join(fresh)


def _seconds(time: str) -> float:
    parts = time.replace(",", ".").split(":")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))
