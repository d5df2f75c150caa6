"""Adapters are stored in 16 bits: once, where they fit, beside those that were stored in 32 before."""

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_hypernet.adapter import ChunkAdapters, compose
from mlx_hypernet.storage import read_header
from tests.app import made_up
from thoth.library import adapters
from thoth.library.library import Library
from thoth.library.records import ChunkRef
from thoth.library.rounding import in_16_bits

NOTE = made_up.document(["The founder of Velmar is Ana Dor.", "Velmar makes lamps."])
OTHER = made_up.document(["Korvan sells rope.", "Its rope is blue."], "other.txt")


def drawn(seed: int) -> ChunkAdapters:
    """Adapters of two chunks as a hypernetwork makes them: small numbers, none of them round."""
    made, key = made_up.adapters([0, 1]), mx.random.key(seed)
    a, b = ({name: 0.1 * mx.random.normal(x.shape, key=key) for name, x in side.items()} for side in (made.A, made.B))
    return replace(made, A=a, B=b, bias_A={name: bias / 3 for name, bias in made.bias_A.items()})


def stored(library: Library, adapters: ChunkAdapters, document=NOTE) -> list[ChunkRef]:
    id = made_up.begin(library, document).id
    library.store(id, [0, 1], adapters, made_up.features([0, 1]))
    return [ChunkRef(id, 0), ChunkRef(id, 1)]


def types(path: Path) -> dict[str, str]:
    return {name: info.dtype for name, info in read_header(path).items()}


@pytest.mark.parametrize("factor", [1.0, 300.0, 2.0**-10])
def test_no_number_moves_by_more_than_half_a_step(factor: float) -> None:
    matrices = factor * mx.random.normal((3, 4, 64), key=mx.random.key(0))
    rounded = in_16_bits(matrices)
    assert rounded.dtype == mx.float16
    moved = mx.abs(matrices - rounded).max(axis=(1, 2)) / mx.abs(matrices).max(axis=(1, 2))
    assert 2.0**-14 < moved.max().item() <= 2.0**-11


@pytest.mark.parametrize("numbers", [[1e5, 1.0], [1e-5, 1e-6], [float("nan"), 1.0], [float("-inf"), 1.0]])
def test_what_does_not_fit_stays(numbers: list[float]) -> None:
    """One layer with such numbers is enough."""
    matrices = mx.array([[[1.0, 0.5]], [numbers]])
    assert in_16_bits(matrices) is matrices


def test_other_types_stay_and_zeros_fit() -> None:
    half = mx.full((2, 3, 4), 1e-6, mx.bfloat16)
    assert in_16_bits(half) is half
    assert in_16_bits(mx.zeros((2, 3, 4))).dtype == mx.float16


def test_a_chunk_is_rounded_once_and_its_bundles_bias_is_not(home: Path) -> None:
    library, made = Library(home), drawn(1)
    refs = stored(library, made)
    now, later = library.adapters(refs), Library(home).adapters(refs)
    for side in ("A", "B"):
        exact, rounded = getattr(made, side)["down_proj"], getattr(now, side)["down_proj"]
        np.testing.assert_array_equal(rounded, np.array(exact).astype(np.float16))
        np.testing.assert_array_equal(rounded, getattr(later, side)["down_proj"])
    np.testing.assert_array_equal(now.bias_A["down_proj"], made.bias_A["down_proj"])
    files = home / "documents" / refs[0].document
    assert {kind for path in files.iterdir() for kind in types(path).values()} == {"F16"}
    assert compose([now]).A["down_proj"].dtype == mx.float32


def test_only_the_side_that_does_not_fit_stays_in_32_bits(home: Path) -> None:
    library, made = Library(home), drawn(2)
    large = made.B["down_proj"] * mx.array([1.0, 1e7]).reshape(2, 1, 1, 1)  # of the second chunk
    first, second = stored(library, replace(made, B={"down_proj": large}))
    files = home / "documents" / first.document
    assert types(files / "00000.safetensors") == {"A.down_proj": "F16", "B.down_proj": "F16"}
    assert types(files / "00001.safetensors") == {"A.down_proj": "F16", "B.down_proj": "F32"}
    np.testing.assert_array_equal(library.adapters([second]).B["down_proj"][0], large[1])


def test_chunks_from_before_go_together_with_new_ones(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, before, now = Library(home), drawn(3), drawn(4)
    with monkeypatch.context() as older:
        older.setattr(adapters, "in_16_bits", lambda matrix: matrix)
        old = stored(library, before)
    new = stored(library, now, OTHER)
    joined = Library(home).adapters([old[0], new[1]]).A["down_proj"]
    np.testing.assert_array_equal(joined[0], before.A["down_proj"][0])
    np.testing.assert_array_equal(joined[1], now.A["down_proj"][1].astype(mx.float16))
    sizes = [
        sum(path.stat().st_size for path in (home / "documents" / ref.document).iterdir()) for ref in (old[0], new[0])
    ]
    assert sizes[1] < sizes[0]
