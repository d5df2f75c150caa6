"""What fewer bits a number would cost in the adapters of chunks: bytes, logits, greedy answers, time to attach.

    python -m benchmarks.adapter_bits [--notes 24] [--pair FOLDER]

Notes of nano's test split, one to four facts each; every third time four of them are attached together. They are
compared with the adapters as they were made. "error": of a matrix, relative to its length. "logits": largest difference
at a position of the greedy answer, divided by the largest logit there. "changed": answers in which another token is the
most likely one somewhere, so that greedy decoding would leave them. "attach": processor time of a chunk, to read its
file and to bring it into the form that the base's layers take.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import harness
from benchmarks.accuracy import SEED
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.engine.loading import LoadedPair, load_pair
from thoth.models.registry import Pair
from torch_train.nano.language import Language

if TYPE_CHECKING:
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

ANSWER_TOKENS = 24
Packed = dict[str, "mx.array"]


def main() -> None:
    """Print the range of the numbers, then a row for each form."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--notes", type=int, default=24, help="times that notes are drawn and asked")
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    options = parser.parse_args()
    preload_blas()
    pair = load_pair(Pair("measured", options.pair / "base", options.pair / "hypernet"))
    cases = [*asked(pair, options.notes)]
    ranges([chunk for case in cases for chunk in case.documents])
    table = harness.Table(
        "stored as", "bytes a chunk", "error", "answers", "changed", "logits: largest", "median", "attach, ms"
    )
    for name, (pack, unpack) in forms().items():
        table.row(name, *measure(pair, cases, pack, unpack))


class Case:
    """Notes that are attached together, and what the adapters as they were made answer.

    Args:
        pair: the pair.
        documents: adapters of the notes.
        questions: about all of them.
    """

    def __init__(self, pair: LoadedPair, documents: Sequence[ChunkAdapters], questions: Sequence[str]) -> None:
        from mlx_hypernet.format.template import template_ids

        self.documents = documents
        attach(pair, documents)
        self.answers = []
        for text in questions:
            prompt = template_ids(pair.tokenizer, [{"role": "user", "content": text}])
            ids = [*prompt, *answer(pair, prompt)]
            self.answers.append((ids, len(prompt) - 1, logits(pair, ids, len(prompt) - 1)))


def asked(pair: LoadedPair, count: int) -> Iterator[Case]:
    """Draw notes, absorb them, and ask about them."""
    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.format.chunking import split
    from mlx_hypernet.format.template import document_ids

    language, config = Language(SEED, "test"), pair.bundle.config
    for number in range(count):
        notes = [language.note(1 + number % 4, number % 3) for _ in range(1 if number % 3 else 4)]
        ids = [document_ids(pair.tokenizer, note.text) for note in notes]
        chunks = [split(one, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids) for one in ids]
        documents = [absorb(pair.model, pair.bundle, one) for one in chunks]
        yield Case(pair, documents, [question.text for note in notes for question in note.questions])


def attach(pair: LoadedPair, documents: Sequence[ChunkAdapters]) -> None:
    """Attach documents together."""
    from mlx_hypernet import live
    from mlx_hypernet.adapter import Composition

    live.attach(pair.model, Composition(documents))


def answer(pair: LoadedPair, prompt: list[int]) -> list[int]:
    """Return the greedy answer, with the token that ends it."""
    import mlx.core as mx
    from mlx_lm.generate import generate_step

    tokens: list[int] = []
    for token, _ in generate_step(mx.array(prompt), pair.model, max_tokens=ANSWER_TOKENS):
        tokens.append(int(token))
        if token in pair.tokenizer.eos_token_ids:
            break
    return tokens


def logits(pair: LoadedPair, ids: list[int], first: int) -> mx.array:
    """Return the logits of every token after `first`, (T, vocabulary)."""
    import mlx.core as mx

    found = pair.model(mx.array([ids[:-1]]))[0, first:].astype(mx.float32)
    mx.eval(found)
    return found


def forms() -> dict[str, tuple[Callable[[mx.array], Packed], Callable[[Packed], mx.array]]]:
    """Return name -> (what a tensor becomes in the file, what it is when attached)."""
    import mlx.core as mx

    def cast(dtype: mx.Dtype) -> tuple[Callable[[mx.array], Packed], Callable[[Packed], mx.array]]:
        return lambda x: {"": x.astype(dtype)}, lambda packed: packed[""]

    def quantised(bits: int, group: int) -> tuple[Callable[[mx.array], Packed], Callable[[Packed], mx.array]]:
        def pack(x: mx.array) -> Packed:
            # From fp16, so that scales and offsets of the groups have 16 bits.
            return dict(zip(("", "s", "b"), mx.quantize(x.astype(mx.float16), group, bits), strict=True))

        def unpack(packed: Packed) -> mx.array:
            return mx.dequantize(packed[""], packed["s"], packed["b"], group_size=group, bits=bits)

        return pack, unpack

    return {
        "fp32": cast(mx.float32),
        "fp16": cast(mx.float16),
        "bf16": cast(mx.bfloat16),
        "8 bits, groups of 32": quantised(8, 32),
        "8 bits, groups of 64": quantised(8, 64),
        "6 bits, groups of 64": quantised(6, 64),
        "4 bits, groups of 32": quantised(4, 32),
    }


def measure(
    pair: LoadedPair,
    cases: Sequence[Case],
    pack: Callable[[mx.array], Packed],
    unpack: Callable[[Packed], mx.array],
) -> tuple[Any, ...]:
    """Store the adapters of all cases in one form, attach them from the files, and compare."""
    import mlx.core as mx

    from mlx_hypernet.storage import read_tensors, write_tensors

    sizes, errors, differences, seconds, changed = [], [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            files = []
            for number, document in enumerate(case.documents):
                files.append(Path(folder) / f"{number}.safetensors")
                write_tensors(files[-1], packed(document, pack))
                sizes.append(files[-1].stat().st_size / document.num_chunks)
            started = time.process_time()
            read = [
                restored(one, read_tensors(file)[0], unpack) for one, file in zip(case.documents, files, strict=True)
            ]
            attach(pair, read)
            seconds.append((time.process_time() - started) / len(read))
            for one, other in zip(case.documents, read, strict=True):
                pairs = [
                    (side[name], again[name]) for side, again in ((one.A, other.A), (one.B, other.B)) for name in side
                ]
                errors += [(mx.linalg.norm(x - y) / mx.linalg.norm(x)).item() for x, y in pairs]
            for ids, first, expected in case.answers:
                found = logits(pair, ids, first)
                changed += bool((found.argmax(-1) != expected.argmax(-1)).any().item())
                differences.append((mx.abs(found - expected).max(-1) / mx.abs(expected).max(-1)).max().item())
    return (
        round(statistics.mean(sizes)),
        f"{statistics.mean(errors):.2%}",
        len(differences),
        changed,
        f"{max(differences):.2%}",
        f"{statistics.median(differences):.3%}",
        f"{1000 * statistics.median(seconds):.1f}",
    )


def packed(document: ChunkAdapters, pack: Callable[[mx.array], Packed]) -> Packed:
    """Return what the file of a document's chunks holds."""
    sides = {"A": document.A, "B": document.B}
    return {
        f"{side}.{name}.{part}": stored
        for side, tensors in sides.items()
        for name, tensor in tensors.items()
        for part, stored in pack(tensor).items()
    }


def restored(document: ChunkAdapters, stored: Packed, unpack: Callable[[Packed], mx.array]) -> ChunkAdapters:
    """Return a document with the pairs that a file holds; the bias pair is as it was."""

    def tensor(side: str, name: str) -> mx.array:
        start = f"{side}.{name}."
        return unpack({key.removeprefix(start): part for key, part in stored.items() if key.startswith(start)})

    return replace(
        document, A={name: tensor("A", name) for name in document.A}, B={name: tensor("B", name) for name in document.B}
    )


def ranges(documents: Sequence[ChunkAdapters]) -> None:
    """Print how large the numbers are, and how many are below what fp16 holds with all its bits (2^-14)."""
    import mlx.core as mx

    for side in ("A", "B"):
        tensors = [tensor for document in documents for tensor in getattr(document, side).values()]
        sizes = mx.concatenate([mx.abs(tensor).flatten() for tensor in tensors])
        rows = mx.concatenate([mx.linalg.norm(tensor, axis=-1).flatten() for tensor in tensors])
        low, zero = (sizes < 2.0**-14).mean().item(), (sizes < 2.0**-25).mean().item()
        print(
            f"{side}: largest {sizes.max().item():.3g}, median {mx.median(sizes).item():.3g}, length of a rank's row "
            f"{rows.min().item():.3g} to {rows.max().item():.3g}; {low:.2%} below 2^-14, {zero:.3%} zero in fp16"
        )
    print()


if __name__ == "__main__":
    main()
