"""How long absorbing and answering take, beside one prefill of the same note by the same base, in one run.

python -m benchmarks.absorb [--pair FOLDER] [--tokens 256] [--repeats 20]
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.models import registry
from torch_train.nano.language import Language


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--pair", type=Path, default=nano.folder())
    parser.add_argument("--tokens", type=int, default=256, help="length of the note, template included")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    blas = preload_blas()

    import mlx.core as mx
    from mlx_lm.models.cache import make_prompt_cache, trim_prompt_cache

    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.adapter import compose
    from mlx_hypernet.format.chunking import split
    from mlx_hypernet.format.template import document_ids
    from mlx_hypernet.live import attach, detach
    from thoth.engine.loading import load_pair

    pair = load_pair(registry.resolve(str(arguments.pair)))  # as the app computes
    base, tokenizer, bundle = pair.model, pair.tokenizer, pair.bundle
    suffix = list(bundle.config.suffix_ids)
    language = Language(1, "test")
    text = " ".join(language.note(12, 12).text for _ in range(1 + arguments.tokens // 128))
    note = document_ids(tokenizer, text)[: arguments.tokens - len(suffix)] + suffix
    config = bundle.config
    chunks = split(note, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids)
    question = document_ids(tokenizer, "What is this note about?")
    parameters = sum(weight.size for _, weight in _flat(bundle.hypernet.parameters()))

    def prefill() -> None:
        mx.eval(base(mx.array([note]), cache=make_prompt_cache(base)))

    def read() -> None:
        absorb(base, bundle, chunks)

    adapter = compose([absorb(base, bundle, chunks)])

    def first() -> None:
        mx.eval(base(mx.array([question]), cache=make_prompt_cache(base)))

    cache = make_prompt_cache(base)
    mx.eval(base(mx.array([question]), cache=cache))

    def step() -> None:
        mx.eval(base(mx.array([question[-1:]]), cache=cache))
        trim_prompt_cache(cache, 1)

    def swap() -> None:
        attach(base, adapter)
        detach(base)

    timed = {
        task.__name__: harness.median_seconds(task, arguments.repeats) for task in (prefill, read, swap, first, step)
    }
    attach(base, adapter)
    adapted = {task.__name__: harness.median_seconds(task, arguments.repeats) for task in (first, step)}
    detach(base)
    print(f"OpenBLAS: {blas or 'not loaded'}; device {mx.default_device()}; {parameters:,} hypernetwork parameters")
    table = harness.Table(f"a note of {len(note)} tokens, chunks: {len(chunks)}", "seconds", "of one prefill")
    for label, seconds in (
        ("prefill, note in context", timed["prefill"]),
        ("absorb", timed["read"]),
        ("attach and detach", timed["swap"]),
        (f"first token after a question of {len(question)} tokens, base alone", timed["first"]),
        ("the same, adapter attached", adapted["first"]),
        (f"each token after it, base alone ({1 / timed['step']:.0f}/s)", timed["step"]),
        (f"the same, adapter attached ({1 / adapted['step']:.0f}/s)", adapted["step"]),
    ):
        table.row(label, f"{seconds:.4f}", f"{seconds / timed['prefill']:.2f}")


def _flat(parameters: object) -> list[tuple[str, object]]:
    from mlx.utils import tree_flatten

    return tree_flatten(parameters)


if __name__ == "__main__":
    main()
