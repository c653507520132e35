import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition
from mastra.evals import prebuilt


def call(name, **facts):
    return {"type": "tool-invocation", "toolInvocation": {"toolName": name, "toolCallId": name, **facts}}


def answer(*calls):
    return [{"role": "assistant", "content": {"format": 2, "parts": list(calls)}}]


ABC = answer(call("a"), call("b"), call("c"))


@pytest.mark.parametrize(
    ("scorer", "run", "expected"),
    [
        (prebuilt.completeness(), {"input": "Paris and Berlin weather", "output": "The weather in Berlin"}, 2 / 3),
        (prebuilt.completeness(), {"input": "the", "output": ""}, 1.0),
        (prebuilt.content_similarity(), {"input": "Hello World", "output": "hello  world"}, 1.0),
        (prebuilt.content_similarity(), {"input": "abc", "output": "xyz"}, 0.0),
        (prebuilt.keyword_coverage(keywords=["red", "blue"]), {"output": "A red bluebird"}, 0.5),
        (prebuilt.textual_difference(), {"input": "abcd", "output": "abcd"}, 1.0),
        (prebuilt.tone(), {"input": "I love it", "output": "It is great"}, 1.0),
        (prebuilt.tone(target=1), {"output": "It is not good"}, 0.0),
        (prebuilt.includes("Oslo"), {"output": "in oslo"}, 1.0),
        (prebuilt.excludes("Oslo"), {"output": "in oslo"}, 0.0),
        (prebuilt.equals(), {"output": " a ", "ground_truth": "a"}, 1.0),
        (prebuilt.matches(r"\d+"), {"output": "no number"}, 0.0),
        (prebuilt.similarity(), {"output": "abc", "ground_truth": "ABC"}, 1.0),
        (prebuilt.called_tool("a"), {"output": ABC}, 1.0),
        (prebuilt.called_tool("a", times=2), {"output": ABC}, 0.0),
        (prebuilt.did_not_call("a"), {"output": ABC}, 0.0),
        (prebuilt.tool_order(["a", "c"]), {"output": ABC}, 1.0),
        (prebuilt.tool_order(["c", "a"]), {"output": ABC}, 0.0),
        (prebuilt.max_tool_calls(2), {"output": ABC}, 0.0),
        (prebuilt.used_no_tools(), {"output": "text"}, 1.0),
        (prebuilt.no_tool_errors(), {"output": answer(call("a", isError=True))}, 0.0),
        (prebuilt.tool_call_accuracy("b"), {"output": ABC}, 1.0),
        (prebuilt.tool_call_accuracy("b", strict=True), {"output": ABC}, 0.0),
        (prebuilt.tool_call_accuracy(order=["a", "b", "c"], strict=True), {"output": ABC}, 1.0),
        (prebuilt.trajectory(["a", "x", "c"]), {"output": ABC}, 2 / 3),
        (prebuilt.trajectory(["c", "a"]), {"output": ABC}, 0.5),
        (prebuilt.trajectory(["c", "a"], ordered=False), {"output": ABC}, 1.0),
    ],
)
async def test_the_scorer_gives_the_score_a_person_would(scorer, run, expected):
    assert (await scorer.run(**run)).score == pytest.approx(expected)


async def test_without_a_ground_truth_there_is_nothing_to_compare():
    assert (await prebuilt.equals().run(output="a")).not_scorable


def test_a_scorer_that_expects_nothing_is_refused():
    with pytest.raises(BadDefinition):
        prebuilt.tool_call_accuracy()
    with pytest.raises(BadDefinition):
        prebuilt.matches("(")


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_symmetric_and_between_0_and_1(a, b):
    assert prebuilt.dice(a, b) == prebuilt.dice(b, a)
    assert 0.0 <= prebuilt.dice(a, b) <= 1.0
    assert prebuilt.dice(a, a) == 1.0


@given(st.text(max_size=60))
def test_sentiment_stays_in_its_range(text):
    assert -1.0 <= prebuilt.sentiment(text) <= 1.0
