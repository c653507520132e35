import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.agents.options import DEFAULTS, is_named_choice, read_choice, read_options, read_settings
from mastra.errors import InvalidInput, MastraError


def test_nothing_given_is_the_defaults_themselves():
    assert read_options(DEFAULTS, {}) is DEFAULTS


def test_names_of_python_and_of_the_wire_mean_the_same_settings():
    wire = read_settings({"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "timeout": {"totalMs": 1500}})
    python = read_settings({"max_output_tokens": 5, "top_p": 0.5, "stop_sequences": ("x",), "timeout_s": 1.5})
    assert wire == python


def test_one_stop_sequence_is_not_split_into_letters():
    settings = read_settings({"stop_sequences": "END"})
    assert settings is not None
    assert settings.stop_sequences == ("END",)


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
    assert is_named_choice(read) is named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"),
        ("temperature", float("nan")),
        ("temperature", True),
        ("maxOutputTokens", 1.5),
        ("seed", "7"),
        ("stopSequences", [1]),
        ("stopSequences", {"a": 1}),
        ("headers", {"x-a": "b\r\nevil: 1"}),
        ("headers", {"x-a": 1}),
        ("headers", ["x-a"]),
        ("timeout", "soon"),
        ("timeout", {"totalMs": "soon"}),
    ],
)
def test_a_model_setting_of_the_wrong_kind_is_refused(name, value):
    with pytest.raises(InvalidInput) as caught:
        read_settings({name: value})
    assert "evil" not in str(caught.value)


def test_model_settings_of_the_right_kind_are_taken():
    settings = read_settings({
        "temperature": 1, "topP": 0.5, "maxOutputTokens": 10, "stopSequences": "end", "seed": None,
        "headers": {"x-a": "b"}, "timeout": {"totalMs": 1500},
    })  # fmt: skip
    assert settings is not None
    assert (settings.temperature, settings.top_p, settings.max_output_tokens) == (1, 0.5, 10)
    assert (settings.stop_sequences, settings.headers, settings.timeout_s) == (("end",), {"x-a": "b"}, 1.5)
