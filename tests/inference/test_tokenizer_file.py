"""What makes the tokenizers library panic is refused before it reads the file; the rest is left to it."""

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import normalizers

from mlx_hypernet.format.tokenizer_file import TokenizerFileError, check

Units = list[int]


def charsmap(change: Callable[[Units], object] = lambda _: None, replaced: bytes = b"a\0", size: int = 2048) -> bytes:
    """A trie that turns A into a: the root's children are at 256, the one of A is 321 and has its value at 300."""
    units = [0] * 512
    units[0] = 256 << 10
    units[321] = ord("A") | 1 << 8 | (321 ^ 300) << 10
    units[300] = 1 << 31
    change(units)
    return struct.pack("<I512I", size, *units) + replaced


def file(folder: Path, **parts: Any) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(parts))
    return path


def with_map(folder: Path, data: bytes) -> Path:
    step = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}
    return file(folder, normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, step]})


def test_a_sound_map_of_letters_is_taken(tmp_path: Path) -> None:
    assert normalizers.Precompiled(charsmap()).normalize_str("BAA") == "Baa"
    check(with_map(tmp_path, charsmap()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"AAA" * 1000,
        charsmap(size=0),
        charsmap(size=1 << 31),
        charsmap(size=1200),  # A is beyond it
        charsmap(lambda units: units.__setitem__(0, 512 << 10)),
        charsmap(lambda units: units.__setitem__(321, units[321] + (512 << 10))),
        charsmap(lambda units: units.__setitem__(300, 1 << 31 | 3)),
        charsmap(lambda units: units.__setitem__(300, 1 << 31 | 1), "\u00e4\0".encode()),
    ],
)
def test_a_map_of_letters_that_leads_out_of_itself_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TokenizerFileError, match="precompiled_charsmap"):
        check(with_map(tmp_path, data))


@pytest.mark.parametrize(
    ("prefix", "merges", "reason"),
    [
        ("", [["a", "b"]], None),
        ("##", [["a", "##b"], "##b ##c"], None),
        ("##", [["a", "b"]], "lacks its continuing_subword_prefix"),
        ("##", ["##a b"], "lacks its"),
        ("##", [["##a"]], "lacks its"),
        ("#" * 17, [], "longer than 16"),
    ],
)
def test_the_library_cuts_each_merge_by_the_prefix(
    tmp_path: Path, prefix: str, merges: list[Any], reason: str | None
) -> None:
    path = file(tmp_path, model={"type": "BPE", "continuing_subword_prefix": prefix, "merges": merges})
    hidden = path.read_text().replace("continuing", r"\u0063ontinuing")  # the library reads escapes in keys too
    for text in (path.read_text(), hidden):
        path.write_text(text)
        if reason is None:
            check(path)
        else:
            with pytest.raises(TokenizerFileError, match=reason):
                check(path)


@pytest.mark.parametrize("text", ["", "{", '["Precompiled"]', '"Precompiled', "[" * 100_000 + '"Precompiled"'])
def test_what_is_no_tokenizer_is_left_to_the_library(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokenizer.json"
    check(path)
    path.write_text(text)
    check(path)
