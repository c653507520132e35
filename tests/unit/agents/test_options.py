import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.agents.options import CHOICES, DEFAULTS, read_choice, read_options
from mastra.errors import InvalidInput, MastraError


def test_nothing_given_is_the_defaults_themselves():
    assert read_options(DEFAULTS, {}) is DEFAULTS


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_steps": "5"}, "max_steps"),
        ({"max_steps": True}, "max_steps"),
        ({"max_steps": None}, "max_steps"),
        ({"tool_call_concurrency": 0}, "tool_call_concurrency"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"approval_ttl_s": "1"}, "approval_ttl_s"),
        ({"model_settings": ["x"]}, "settings"),
        ({"tool_choice": {}}, "tool choice"),
        ({"memory_options": {"last_mesages": 5}}, "last_mesages"),
        ({"memory_options": {"thread_id": "x"}}, "thread_id"),
        ({"memory_options": {"last_messages": True}}, "last_messages"),
        ({"memory_options": {"semantic_recall": {"top_k": 0}}}, "top_k"),
        ({"provider_options": ["x"]}, "provider_options"),
        ({"require_tool_approval": "yes"}, "require_tool_approval"),
        ({"detached": "no"}, "detached"),
        ({"background": 0}, "background"),
        ({"hooks": {"befor_tool_call": print}}, "befor_tool_call"),
        ({"hooks": {"before_tool_call": 3}}, "before_tool_call"),
        ({"stop_when": [3]}, "int cannot stop"),
        ({"delegation": 3}, "delegation"),
        ({"delegation": {"message_filtr": print}}, "message_filtr"),
        ({"delegation": {"memory": "owned"}}, "owned"),
        ({"tracing_options": 3}, "tracing_options"),
        ({"tracing_options": {"hideinput": True}}, "hideinput"),
        ({"tracing_options": {"hideInput": "yes"}}, "hideInput"),
        ({"tracing_options": {"tags": [1]}}, "tags"),
        ({"tracing_options": {"traceId": "xyz"}}, "trace_id"),
        ({"max_processor_retries": -1}, "max_processor_retries"),
    ],
)
def test_a_wrong_value_is_named(options, named):
    with pytest.raises(InvalidInput, match=named):
        read_options(DEFAULTS, options)


@given(st.dictionaries(st.sampled_from(DEFAULTS._fields), st.none() | st.integers() | st.text(max_size=5), max_size=4))
def test_options_are_read_or_refused_with_a_typed_error(options):
    try:
        read = read_options(DEFAULTS, options)
    except MastraError:
        return
    assert read.max_steps >= 1


@pytest.mark.parametrize(
    ("choice", "read", "named"),
    [("auto", "auto", False), ({"type": "required"}, "required", False), ({"toolName": "add"}, "add", True)],
)
def test_a_tool_choice_may_be_written_as_the_wire_does(choice, read, named):
    assert read_choice(choice) == read
    assert (read not in CHOICES) is named


def test_tracing_options_have_one_name_each_however_they_are_written():
    options = {"tracing_options": {"rootSpanName": "x", "hide_input": True, "requestContextKeys": ["a"], "tags": None}}
    read = read_options(DEFAULTS, options).tracing_options
    assert read == {"root_span_name": "x", "hide_input": True, "request_context_keys": ["a"]}


def test_a_misspelt_field_has_a_hint():
    with pytest.raises(InvalidInput) as caught:
        read_options(DEFAULTS, {"delegation": {"on_delegation_strat": print}})
    assert "on_delegation_start" in caught.value.hint
