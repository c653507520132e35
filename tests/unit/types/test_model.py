"""What a model's answer costs, by the prices that are known of it."""

from __future__ import annotations

import pytest

from mastra.types.model import ModelProfile
from mastra.types.usage import Usage

MILLION = 1_000_000
FLAT = ModelProfile(input_price=2, output_price=10, cached_input_price=0.2, cache_write_price=2.5)
TIERED = ModelProfile(
    input_price=0.1, output_price=0.5, cached_input_price=0.01, cache_write_price=0.125,
    long_from_tokens=100_000, long_input_price=0.5, long_output_price=2.5, long_cached_input_price=0.05,
)  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "usage", "dollars"),
    [
        (ModelProfile(), Usage(MILLION, MILLION), 0),
        (ModelProfile(input_price=2), Usage(MILLION, MILLION), 2),
        (ModelProfile(output_price=3), Usage(MILLION, MILLION), 3),
        (FLAT, Usage(MILLION, MILLION), 12),
        (FLAT, Usage(MILLION, 0, cached_input_tokens=MILLION), 0.2),
        (FLAT, Usage(MILLION, 0, cache_creation_input_tokens=MILLION), 2.5),
        (FLAT, Usage(4 * MILLION, 0, cached_input_tokens=MILLION, cache_creation_input_tokens=MILLION), 6.7),
        # A price that is not known is that of the input.
        (ModelProfile(input_price=2), Usage(MILLION, 0, cached_input_tokens=MILLION), 2),
        # Some count what came from the cache apart: it never makes anything cheaper than nothing.
        (FLAT, Usage(0, 0, cached_input_tokens=MILLION), 0.2),
        (TIERED, Usage(100_000, 100_000), 0.06),
        (TIERED, Usage(200_000, 100_000), 0.35),
        (TIERED, Usage(200_000, 0, cached_input_tokens=200_000), 0.01),
        (TIERED, Usage(200_000, 0, cache_creation_input_tokens=200_000), 0.125),
    ],
)
def test_the_cost_of_an_answer(profile: ModelProfile, usage: Usage, dollars: float) -> None:
    assert profile.cost_of(usage) == pytest.approx(dollars)
