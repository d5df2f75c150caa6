"""How long absorbing takes, beside one prefill of the same note by the same base, in one run.

python -m benchmarks.absorb [--pair FOLDER] [--tokens 256] [--repeats 20]
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano
from torch_train.nano.language import Language


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--pair", type=Path, default=nano.folder())
    parser.add_argument("--tokens", type=int, default=256, help="length of the note, template included")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    blas = preload_blas()

    import mlx.core as mx
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache

    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.adapter import compose
    from mlx_hypernet.bundle import load_bundle
    from mlx_hypernet.format.template import document_ids
    from mlx_hypernet.live import attach, detach

    base, tokenizer = load(str(arguments.pair / "base"))
    if mx.default_device() == mx.Device(mx.cpu):
        base.set_dtype(mx.float32)
    bundle = load_bundle(arguments.pair / "hypernet")
    suffix = list(bundle.config.suffix_ids)
    language = Language(1, "test")
    text = " ".join(language.note(12, 12).text for _ in range(1 + arguments.tokens // 128))
    chunk = document_ids(tokenizer, text)[: arguments.tokens - len(suffix)] + suffix
    parameters = sum(weight.size for _, weight in _flat(bundle.hypernet.parameters()))

    def prefill() -> None:
        mx.eval(base(mx.array([chunk]), cache=make_prompt_cache(base)))

    def read() -> None:
        absorb(base, bundle, [chunk])

    adapter = compose([absorb(base, bundle, [chunk])])

    def swap() -> None:
        attach(base, adapter)
        detach(base)

    seconds = {task.__name__: harness.median_seconds(task, arguments.repeats) for task in (prefill, read, swap)}
    print(f"OpenBLAS: {blas or 'not loaded'}; device {mx.default_device()}; {parameters:,} hypernetwork parameters")
    table = harness.Table(f"a note of {len(chunk)} tokens", "seconds", "of one prefill")
    for name, label in (
        ("prefill", "prefill, note in context"),
        ("read", "absorb"),
        ("swap", "attach and detach"),
    ):
        table.row(label, f"{seconds[name]:.4f}", f"{seconds[name] / seconds['prefill']:.2f}")


def _flat(parameters: object) -> list[tuple[str, object]]:
    from mlx.utils import tree_flatten

    return tree_flatten(parameters)


if __name__ == "__main__":
    main()
