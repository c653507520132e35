from __future__ import annotations

from typing import Any, Literal

import pytest

from mastra.errors import BadSetting
from mastra.settings.values import Given, convert
from mastra.types.secrets import Secret

FREE = {"low": None, "high": None}


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ("on", bool, True),
        ("No", bool, False),
        (True, bool, True),
        ("12", int, 12),
        (12, int, 12),
        ("1e3", float, 1000.0),
        (2, float, 2.0),
        ("a,, b", tuple[str, ...], ("a", "b")),
        (["a"], tuple[str, ...], ("a",)),
        ("x", Literal["x", "y"], "x"),
        ("", str | None, None),
        ("z", str | None, "z"),
        ("s3cret-s3cret", Secret, Secret("s3cret-s3cret")),
    ],
)
def test_texts_and_json_values_become_the_type(given: Any, kind: Any, value: Any) -> None:
    assert convert("a.b", Given(given, "here"), kind, FREE) == value


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("maybe", bool),
        (True, int),
        (1.0, int),
        ([], int),
        ("inf", float),
        (1, str),
        ([1], tuple[str, ...]),
        ({}, tuple[str, ...]),
        ("w", Literal["x", "y"]),
        (5, Secret),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(given: Any, kind: Any) -> None:
    with pytest.raises(BadSetting, match=r"a\.b \(here\)"):
        convert("a.b", Given(given, "here"), kind, FREE)


def test_bounds_are_named() -> None:
    with pytest.raises(BadSetting, match="between 1 and 5"):
        convert("a.b", Given(9, "here"), int, {"low": 1, "high": 5})
    with pytest.raises(BadSetting, match="at least 1"):
        convert("a.b", Given(0, "here"), int, {"low": 1, "high": None})


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(BadSetting) as refused:
        convert("a.b", Given({"k": "hunter2hunter2"}, "here"), Secret, FREE)
    assert "hunter2" not in str(refused.value)
