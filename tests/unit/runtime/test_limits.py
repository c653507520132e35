import pytest

from mastra.errors import BadDefinition, LimitReached
from mastra.runtime.limits import Budget, Limits
from mastra.types.usage import Usage


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(tokens=10), "tokens"),
        (Limits(input_tokens=6), "input_tokens"),
        (Limits(output_tokens=4), "output_tokens"),
        (Limits(cost=0.5), "cost"),
        (Limits(seconds=0), "seconds"),
        (Limits(model_calls=1), "model_calls"),
    ],
)
def test_each_limit_stops_the_next_model_call_by_name(limits, name):
    budget = Budget(limits, run_id="r")
    if name != "seconds":
        budget.before_model()
    budget.charge(Usage(6, 4), 0.5)
    with pytest.raises(LimitReached) as caught:
        budget.before_model()
    assert caught.value.details["limit"] == name
    assert caught.value.run_id == "r"


def test_tool_calls_are_refused_before_they_are_made():
    budget = Budget(Limits(tool_calls=3))
    budget.before_tools(2)
    with pytest.raises(LimitReached):
        budget.before_tools(2)
    assert budget.tool_calls == 2


def test_what_was_paid_for_is_delivered():
    budget = Budget(Limits(tokens=1))
    budget.before_model()
    budget.charge(Usage(1000, 1000))
    assert budget.output_tokens == 1000


def test_a_negative_limit_is_refused():
    with pytest.raises(BadDefinition):
        Limits(tokens=-1)
