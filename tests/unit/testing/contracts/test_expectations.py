"""How contract suites complain."""

import pytest

from mastra.testing.contracts.expectations import expect, expect_raises


def test_a_difference_shows_both_sides():
    expect(1, 1)
    with pytest.raises(AssertionError, match=r"found 1, wanted 2 \(for 'x'\)"):
        expect(1, 2, "x")


async def test_the_error_is_handed_back():
    async def fail():
        raise ValueError("why")

    async def succeed():
        return 5

    assert str(await expect_raises(ValueError, fail())) == "why"
    with pytest.raises(AssertionError, match="answer was 5"):
        await expect_raises(ValueError, succeed())
