# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import pytest

from mastra.agents.model_settings import read_settings
from mastra.errors import InvalidInput


def test_names_of_python_and_of_the_wire_mean_the_same_settings():
    wire = read_settings({"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "timeout": {"totalMs": 1500}})
    python = read_settings({"max_output_tokens": 5, "top_p": 0.5, "stop_sequences": ("x",), "timeout_s": 1.5})
    assert wire == python


def test_one_stop_sequence_is_not_split_into_letters():
    settings = read_settings({"stop_sequences": "END"})
    assert settings is not None
    assert settings.stop_sequences == ("END",)


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
