"""Distances in numpy beside the compiled kernels."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mastra.errors import MastraError
from mastra.native import distance as compiled

Load = Callable[[str], ModuleType]
FLOATS = st.floats(-1e3, 1e3, width=32)
PAIRS = npst.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 40)), elements=FLOATS)


@given(PAIRS)
def test_two_vectors_are_as_near_as_in_the_core(load_fallback: Load, pair: Any) -> None:
    twin = load_fallback("distance")
    size = max(float(np.abs(pair.astype(np.float64)).max()) ** 2 * pair.shape[1], 1e-30)
    for name in ("dot", "l2"):
        expected = getattr(compiled, name)(*pair)
        assert getattr(twin, name)(*pair) == pytest.approx(expected, rel=1e-5, abs=4e-6 * size)
    if np.abs(pair).max(1).min() > 1e-10:
        assert twin.cosine(*pair) == pytest.approx(compiled.cosine(*pair), abs=1e-5)


def operands() -> list[tuple[str, Any, Any, dict[str, str]]]:
    rng = np.random.default_rng(3)
    floats, many = rng.normal(size=(2, 8)).astype(np.float32), rng.normal(size=(5, 8)).astype(np.float32)
    small, packed = rng.integers(-128, 128, size=(2, 8)).astype(np.int8), rng.integers(0, 256, (2, 8)).astype(np.uint8)
    halves = floats.astype(np.float16)
    return [
        ("dot", floats[0], many, {}), ("l2", many, floats[1], {}), ("cosine", many, many[::-1], {}),
        ("dot", small[0], small[1], {}), ("l2", small[0], small[1], {}), ("hamming", packed[0], packed[1], {}),
        ("hamming", packed, packed[0], {}), ("dot", packed[0], packed[1], {"element": "u4"}),
        ("l2", packed[0], packed[1], {"element": "u4"}), ("cosine", halves[0], halves[1], {}),
        ("dot", halves[0].view(np.uint16), halves[1].view(np.uint16), {"element": "f16"}),
        ("dot", floats[0].view(np.uint32).astype(np.uint16), floats[1].view(np.uint32).astype(np.uint16),
         {"element": "bf16"}),
        ("dot", [1.0, 2.0], [3.0, 4.0], {}), ("cosine", np.zeros(4), np.ones(4), {}),
        ("dot", floats[0], many[:, ::2], {}), ("dot", floats, many, {}), ("dot", floats[0], small[0], {}),
        ("dot", "abc", floats[0], {}), ("dot", np.ones(3, np.int64), np.ones(3, np.int64), {}),
        ("dot", floats, floats, {"element": "f7"}), ("dot", floats, floats, {"element": "i8"}),
        ("hamming", floats, floats, {}), ("l2", np.ones((2, 2, 2)), np.ones(2), {}),
        ("l2", [[1.0], [1.0, 2]], [1.0], {}),
    ]  # fmt: skip


def outcome(module: ModuleType, name: str, a: Any, b: Any, options: dict[str, str]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(getattr(module, name)(a, b, **options), dtype=np.float64)
    except MastraError as error:
        return type(error)


@pytest.mark.parametrize("case", range(len(operands())))
def test_each_kind_of_operand_gives_the_same_or_is_refused_alike(load_fallback: Load, case: int) -> None:
    name, a, b, options = operands()[case]
    expected, got = (outcome(m, name, a, b, options) for m in (compiled, load_fallback("distance")))
    if isinstance(expected, type):
        assert got is expected
    else:
        np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("k", [1, 7, 700, 10_000])
def test_an_exact_search_finds_what_the_core_finds(load_fallback: Load, metric: str, k: int) -> None:
    rng = np.random.default_rng(4)
    base, queries = rng.normal(size=(700, 24)).astype(np.float32), rng.normal(size=(3, 24)).astype(np.float32)
    base[100:140] = base[0]  # ties
    expected = compiled.exact_search(base, queries, k, metric=metric)
    ids, scores = load_fallback("distance").exact_search(base, queries, k, metric=metric)
    assert (ids.dtype, scores.dtype) == (np.uint64, np.float32)
    np.testing.assert_allclose(scores, expected[1], rtol=1e-4, atol=1e-4)
    assert (ids == expected[0]).mean() > 0.99


def test_of_equal_rows_the_first_ones_are_found_and_rows_of_nan_never(load_fallback: Load) -> None:
    twin = load_fallback("distance")
    assert twin.exact_search(np.ones((9, 2), np.float32), [1.0, 1.0], 4)[0].tolist() == [0, 1, 2, 3]
    base = np.array([[np.nan, 1], [1, 0], [0, 1]], np.float32)
    assert twin.exact_search(base, [1.0, 0.1], 1, metric="dot")[0].tolist() == [1]


@pytest.mark.parametrize(
    "arguments",
    [{"k": 0}, {"threads": 0}, {"metric": "manhattan"}, {"queries": np.full(4, np.nan)}, {"queries": np.ones(5)},
     {"base": np.ones(4)}, {"base": "text"}],
)  # fmt: skip
def test_an_exact_search_is_judged_alike(load_fallback: Load, arguments: dict[str, Any]) -> None:
    found = []
    for module in (compiled, load_fallback("distance")):
        known = {"base": np.ones((2, 4), np.float32), "queries": np.ones(4, np.float32), **arguments}
        with pytest.raises(MastraError) as caught:
            module.exact_search(known.pop("base"), known.pop("queries"), **known)
        found.append(type(caught.value))
    assert found[0] is found[1]


def test_there_is_one_kernel(load_fallback: Load) -> None:
    twin = load_fallback("distance")
    assert twin.kernels() == [twin.active_kernel()] == ["numpy"]
