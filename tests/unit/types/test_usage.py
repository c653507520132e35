from __future__ import annotations

from mastra.types.usage import Usage


def test_sums_add_what_is_known() -> None:
    total = Usage(1, 2, reasoning_tokens=3).plus(Usage(10, 20, cached_input_tokens=4))
    assert total == Usage(11, 22, 3, 4, None)
    assert total.total_tokens == 33


def test_the_wire_leaves_unknown_counts_out() -> None:
    assert Usage(1, 2).to_wire() == {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    assert Usage(1, 2, 3, 4, 5, {"x": 1}).to_wire() == {
        "inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "reasoningTokens": 3, "cachedInputTokens": 4,
        "cacheCreationInputTokens": 5, "raw": {"x": 1},
    }  # fmt: skip
