from __future__ import annotations

import pytest

from mastra.runtime.signals import Bail, Suspend, ToolRetry


@pytest.mark.parametrize("signal", [Suspend({"why": "approval"}, label="ask"), Bail(5)])
def test_a_signal_passes_through_except_exception(signal: BaseException) -> None:
    def careless() -> None:
        try:
            raise signal
        except Exception:
            pytest.fail("swallowed")

    with pytest.raises(type(signal)):
        careless()


def test_signals_carry_what_they_are_for() -> None:
    assert Suspend({"a": 1}, label="x").payload == {"a": 1}
    assert Suspend(label="x").label == "x"
    assert Bail("r").result == "r"
    assert ToolRetry("Use metres.").message == str(ToolRetry("Use metres.")) == "Use metres."
