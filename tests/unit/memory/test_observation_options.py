"""What observational memory can be told, and what it cannot."""

from datetime import timedelta

import pytest

from mastra.errors import BadDefinition
from mastra.memory.observation_options import ObservationalMemory


def test_a_share_of_the_limit_may_be_given():
    options = ObservationalMemory(model="scripted/x", message_tokens=1_000, buffer_tokens=0.2, block_after=1.5)
    assert (options.piece_tokens, options.block_tokens, options.message_limit(0)) == (200, 1_500, 1_000)
    plain = ObservationalMemory(model="scripted/x", message_tokens=1_000)
    assert (plain.piece_tokens, plain.block_tokens) == (None, None)
    shared = ObservationalMemory(model="scripted/x", observation_tokens=500, share_token_budget=True)
    assert (shared.message_limit(100), shared.message_limit(900)) == (30_400, 30_000)


def test_wrong_options_are_refused():
    for wrong in ({"message_tokens": 0}, {"scope": "world"}, {"keep_last": -1}):
        with pytest.raises(BadDefinition):
            ObservationalMemory(model="scripted/x", **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"buffer_tokens": 0}, {"buffer_tokens": 0.0}, {"buffer_tokens": 2_000}, {"buffer_activation": 0},
        {"buffer_activation": 1.1}, {"block_after": 10}, {"block_after": 0.5}, {"extract": "task"},
        {"extract": ["a", "a"]}, {"extract": ["a:b"]}, {"extract": ["a\nb"]}, {"extract": [str(n) for n in range(21)]},
        {"activate_after_idle": timedelta(minutes=5)},
        {"activate_after_idle": timedelta(0), "buffer_tokens": 10},
    ],
)  # fmt: skip
def test_knobs_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadDefinition):
        ObservationalMemory(model="scripted/x", message_tokens=1_000, **wrong)
