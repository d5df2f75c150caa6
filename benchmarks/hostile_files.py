"""Templates, GGUF files and pickles of more kinds for `hostile_models.py`."""

from __future__ import annotations

import io
import struct
import zipfile

_TOUCH = "touch work/EXECUTED"

# Each comes in front of nano's own template.
TEMPLATES = {
    "loop that calls itself": "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "filter in a filter": "{% filter upper %}" * 2_000 + "{% endfilter %}" * 2_000,
    "call of itself": "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
    "block without an end": "{% raw %}",
    "comment without an end": "{# ",
    "replaced by more": "{{ ('a' * 99999)|replace('a', 'b' * 99999)|length }}",
    "indented far": "{{ ('a\n' * 99)|indent(999999999)|length }}",
    "indented JSON": "{{ messages|tojson(indent=999999999) }}",
    "joined": "{{ ['a'] * 999999999 }}",
    "messages without end": "{{ (messages|list * 999999999)|length }}",
    "half a surrogate": "{{ '\\ud800' }}",
    "half a surrogate in an error": "{{ raise_exception('\\ud800') }}",
    "a NUL": "{{ '\\x00' * 100 }}",
    "number of many digits": "{{ 10 ** 100000 }}",
    "shifted": "{{ 2 ** 2 ** 40 }}",
    "divided by nothing": "{{ 1 / 0 }}",
    "sorted without an order": "{{ [1, 'a', none]|sort }}",
    "rounded": "{{ 1.5|round(10 ** 9) }}",
    "messages are changed": "{% set _ = messages.clear() %}{% set _ = messages.append(5) %}",
    "names are changed": "{% set messages = 5 %}{% set bos_token = none %}",
    "namespace of itself": "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__init__.__globals__ }}",
    "by attribute of a list": "{{ [[].__class__.__base__]|map(attribute='__subclasses__')|list }}",
    "by a generator": "{{ (messages|map('upper')).gi_frame.f_globals }}",
    "by selecting": "{{ [cycler]|selectattr('__init__.__globals__')|list|length }}",
    "by a format": "{{ '{0.__globals__[os]}'.format(raise_exception) }}{{ '%c' % 1114112 }}",
    "by an exception": "{% if true %}{{ messages.__class__.__mro__[1].__subclasses__() }}{% endif %}",
    "by a macro": "{% macro f() %}{% endmacro %}{{ f.__call__.__func__.__globals__['os'].system('" + _TOUCH + "') }}",
    "by the loader": "{{ self._TemplateReference__context.environment.from_string('x') }}",
    "by strftime": "{{ strftime_now.__globals__['os'].system('" + _TOUCH + "') }}",
    "imports itself": "{% from 'chat_template.jinja' import f %}",
    "extends a name": "{% extends messages %}",
    "breaks off": "{% for i in range(9) %}{% break %}{% endfor %}{% continue %}",
    "generation in generation": "{% generation %}{% generation %}{% endgeneration %}{% endgeneration %}",
    "debug": "{% debug %}{% do messages %}",
    "wide pieces": "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
    "quadratic": "{% set ns = namespace(t='') %}{% for i in range(99999) %}{% set ns.t = ns.t ~ 'xxxx' %}{% endfor %}",
    "escapes in its text": "\x1b[2J\x1b]0;owned\x07",
    "a million variables": "".join(f"{{% set v{n} = {n} %}}" for n in range(50_000)),
    "truncated": "{{ ('x' * 99999)|truncate(999999999, true, 'y' * 9999)|length }}",
    "grouped": "{{ range(99999)|groupby('x')|list|length }}{{ range(99999)|slice(99999)|list|length }}",
    "in other units": "{{ ('9' * 99999)|int|filesizeformat }}{{ ('9' * 9999)|float|filesizeformat }}",
}


def gguf() -> dict[str, bytes]:
    """Files whose header lies."""

    def header(tensors: int, keys: int, *rest: bytes) -> bytes:
        return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join(rest)

    def text(value: bytes, length: int | None = None) -> bytes:
        return struct.pack("<Q", len(value) if length is None else length) + value

    def string(key: bytes, value: bytes) -> bytes:
        return text(key) + struct.pack("<I", 8) + text(value)

    def number(key: bytes, value: int) -> bytes:
        return text(key) + struct.pack("<IQ", 10, value)

    def words(key: bytes, *values: bytes) -> bytes:
        return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))

    def tensor(name: bytes, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
        return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)

    llama = string(b"general.architecture", b"llama")
    shape = [
        number(b"llama." + key, value)
        for key, value in (
            (b"block_count", 1), (b"embedding_length", 32), (b"feed_forward_length", 32), (b"context_length", 64),
            (b"attention.head_count", 1), (b"attention.head_count_kv", 1), (b"rope.dimension_count", 32),
        )
    ]  # fmt: skip
    tokens = [string(b"tokenizer.ggml.model", b"gpt2"), words(b"tokenizer.ggml.tokens", b"a", b"b")]
    data = b"\0" * (1 << 16)

    def lies(*pairs: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
        every = [llama, *shape, *tokens, *pairs]
        return header(len(tensors), len(every), *every, *tensors, data)

    def without(*places: int) -> bytes:
        every = [one for place, one in enumerate([llama, *shape, *tokens]) if place not in places]
        return header(1, len(every), *every, tensor(b"token_embd.weight", 32, 2), data)

    def changed(place: int, pair: bytes) -> bytes:
        every = [llama, *shape, *tokens]
        every[place] = pair
        return header(1, len(every), *every, tensor(b"token_embd.weight", 32, 2), data)

    embedding = tensor(b"token_embd.weight", 32, 2)
    return {
        "odd size": lies(tensors=(embedding,))[:-7] + b"\0\0\0",
        "half a number": header(0, 1, text(b"a") + struct.pack("<I", 10) + b"\0\0\0"),
        "text of 2^63": header(0, 1, text(b"a") + struct.pack("<I", 8) + text(b"x", 1 << 63)),
        "text of 2^64 - 1": header(0, 1, text(b"a") + struct.pack("<I", 8) + text(b"x", (1 << 64) - 1)),
        "key of 2^63": header(0, 1, text(b"a", 1 << 63)),
        "array of 2^63 texts": header(0, 1, text(b"a") + struct.pack("<IIQ", 9, 8, 1 << 63)),
        "tensor twice": lies(tensors=(embedding, embedding)),
        "key twice": lies(llama),
        "alignment of three": lies(text(b"general.alignment") + struct.pack("<II", 4, 3)),
        "alignment of 2^31": lies(text(b"general.alignment") + struct.pack("<II", 4, 1 << 31)),
        "alignment in words": lies(string(b"general.alignment", b"32")),
        "alignment is true": lies(text(b"general.alignment") + struct.pack("<IB", 7, 1)),
        "unknown encoding": lies(tensors=(tensor(b"token_embd.weight", 32, 2, kind=99),)),
        "encoding of the future": lies(tensors=(tensor(b"token_embd.weight", 32, 2, kind=(1 << 32) - 1),)),
        "half a block": lies(tensors=(tensor(b"token_embd.weight", 33, 2, kind=8),)),
        "sizes that overflow": lies(tensors=(tensor(b"token_embd.weight", 1 << 33, 1 << 31),)),
        "size of nothing": lies(tensors=(tensor(b"token_embd.weight", 0, 2),)),
        "five dimensions": lies(tensors=(tensor(b"token_embd.weight", 1, 1, 1, 1, 2),)),
        "no dimension": lies(tensors=(tensor(b"token_embd.weight"),)),
        "tensors overlap": lies(tensors=(embedding, tensor(b"output.weight", 32, 2))),
        "offset between": lies(tensors=(tensor(b"token_embd.weight", 32, 2, offset=7),)),
        "escapes in a tensor's name": lies(tensors=(tensor(b"\x1b[2J\n.weight", 32, 2),)),
        "NUL in a tensor's name": lies(tensors=(tensor(b"token_embd\0.weight", 32, 2),)),
        "blocks without end": changed(1, number(b"llama.block_count", 1 << 62)),
        "no blocks": changed(1, number(b"llama.block_count", 0)),
        "blocks in words": changed(1, string(b"llama.block_count", b"one")),
        "blocks as true": changed(1, text(b"llama.block_count") + struct.pack("<IB", 7, 1)),
        "no heads": changed(5, number(b"llama.attention.head_count", 0)),
        "a head a layer": changed(5, text(b"llama.attention.head_count") + struct.pack("<IIQ2I", 9, 4, 2, 1, 0)),
        "context without end": changed(4, number(b"llama.context_length", (1 << 64) - 1)),
        "without a context": without(4),
        "without a width": without(2),
        "without heads": without(5, 6),
        "without a tokenizer": without(8, 9),
        "without an architecture": without(0),
        "architecture is a number": changed(0, number(b"general.architecture", 5)),
        "architecture with escapes": changed(0, string(b"general.architecture", b"\x1b[2J\nthoth: all is well")),
        "architecture is a path": changed(0, string(b"general.architecture", b"../../etc/passwd")),
        "tokens are numbers": changed(9, text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ2I", 9, 4, 2, 1, 2)),
        "no tokens": changed(9, words(b"tokenizer.ggml.tokens")),
        "tokens twice": changed(9, words(b"tokenizer.ggml.tokens", *[b"a"] * 2)),
        "tokens with escapes": changed(9, words(b"tokenizer.ggml.tokens", b"\x1b[2J", b"\0")),
        "merges of nothing": lies(words(b"tokenizer.ggml.merges", b"x y", b"z"), tensors=(embedding,)),
        "tokenizer of its own": changed(8, string(b"tokenizer.ggml.model", b"evil")),
        "end beyond the tokens": lies(number(b"tokenizer.ggml.eos_token_id", 1 << 40), tensors=(embedding,)),
        "template that does not end": lies(
            string(b"tokenizer.chat_template", b"{% for i in range(10**9) %}x{% endfor %}"), tensors=(embedding,)
        ),
        "template that runs code": lies(
            string(b"tokenizer.chat_template", b"{{ cycler.__init__.__globals__.os.system('%s') }}" % _TOUCH.encode()),
            tensors=(embedding,),
        ),
        "rope of nonsense": lies(
            string(b"llama.rope.scaling.type", b"evil"),
            text(b"llama.rope.scaling.factor") + struct.pack("<If", 6, float("nan")),
            tensors=(embedding,),
        ),
        "a billion parts": lies(number(b"split.count", 10**9), number(b"split.no", 0), tensors=(embedding,)),
        "part of none": lies(number(b"split.count", 0), number(b"split.no", 5), tensors=(embedding,)),
        "one tensor of a model": lies(tensors=(embedding,)),
        "a name for each of 65,000 tensors": header(
            65_000, 1, llama, *(tensor(b"t%d" % n, 1, offset=32 * n) for n in range(65_000)), bytes(32 * 65_000)
        ),
    }


def pickles() -> dict[str, bytes]:
    """Archives and streams of `torch.save` that lie."""
    good = b"\x80\x02}X\x01\x00\x00\x00kK\x01s."

    def archive(*members: tuple[str, bytes], compressed: bool = False) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as made:
            for name, data in members:
                made.writestr(name, data)
        return file.getvalue()

    usual = archive(("a/data.pkl", good), ("a/version", b"3\n"))
    end = usual.rindex(b"PK\x05\x06")
    directory = usual.index(b"PK\x01\x02")

    def poked(place: int, data: bytes) -> bytes:
        return usual[:place] + data + usual[place + len(data) :]

    nested = archive(("a/data.pkl", good))
    for _ in range(50):
        nested = archive(("a/data.pkl", nested))
    torch = b"ctorch._utils\n_rebuild_tensor_v2\n"

    def tensor(persistent: bytes) -> bytes:
        return b"\x80\x02}X\x01\x00\x00\x00k" + torch + b"(" + persistent + b"QK\x00)))tRs."

    return {
        "archive in archives": nested,
        "archive that is encrypted": poked(directory + 8, b"\x01\x00"),
        "archive with a wrong method": poked(directory + 10, b"\x63\x00"),
        "archive with a wrong sum": poked(directory + 16, b"\0\0\0\0"),
        "archive of 4 GB in words": poked(directory + 20, b"\xfe\xff\xff\xff\xfe\xff\xff\xff"),
        "archive of 65,535 members in words": poked(end + 8, b"\xff\xff\xff\xff"),
        "archive with its directory elsewhere": poked(end + 16, b"\xff\xff\xff\x7f"),
        "archive without a directory": usual[:directory],
        "archive with escapes in names": archive(("\x1b[2J/data.pkl", good), ("\x1b[2J/version", b"3\n")),
        "archive with names that climb": archive(("../../data.pkl", good), ("../../version", b"3\n")),
        "archive of a folder": archive(("a/", b""), ("a/data.pkl/", b"")),
        "archive of many zeros": archive(("a/data.pkl", good), ("a/data/0", b"\0" * (200 << 20)), compressed=True),
        "archive with a byte order of its own": archive(("a/data.pkl", good), ("a/byteorder", b"\xff" * 100)),
        "archive with a long comment": usual[:-2] + struct.pack("<H", 65_535) + b"x" * 65_535,
        "storage without a name": tensor(b"(X\x07\x00\x00\x00storage)))))t"),
        "storage is a number": tensor(b"K\x05"),
        "storage of a list": tensor(b"](K\x01e"),
        "stops before it begins": b".",
        "ends nowhere": b"\x80\x02}" + b"0" * 10,
        "mark without a list": b"\x80\x02e.",
        "text that is no UTF-8": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
        "half a surrogate": b"\x80\x02}X\x03\x00\x00\x00\xed\xa0\x80K\x01s.",
        "a name of a megabyte": b"\x80\x02}X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"K\x01s.",
        "a number of 255 bytes": b"\x80\x02}X\x01\x00\x00\x00k\x8a\xff" + b"\xff" * 255 + b"s.",
        "a number that is none": b"Fnan\n.",
        "text by quotes": b"S'\\x1b[2J'\n.",
        "text without an end": b"V" + b"\\u0041" * 100_000,
        "dictionary of itself": b"\x80\x02}q\x00X\x01\x00\x00\x00kh\x00s.",
        "list of itself as a key": b"\x80\x02}](h\x00e\x85K\x01s.",
        "a function of 64 kB": b"\x80\x02c" + b"a" * 65_536 + b"\n" + b"b" * 65_536 + b"\n.",
    }
