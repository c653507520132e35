from __future__ import annotations

import base64
import copy
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mastra.types.secrets import MASK, Secret, redact, redact_value, remember


def test_a_secret_never_prints() -> None:
    secret = Secret("correct-horse-battery")
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr([secret])):  # noqa: UP031 - printing is the test
        assert "horse" not in shown
        assert "secret" in shown
    assert secret.reveal() == "correct-horse-battery"


def test_a_secret_is_not_copied_out() -> None:
    secret = Secret("correct-horse-battery")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    with pytest.raises(TypeError):
        copy.copy(secret)


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


@given(
    value=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40),
    before=st.text(max_size=7),
    after=st.text(max_size=7),
)
def test_remembered_secrets_disappear_in_every_form(value: str, before: str, after: str) -> None:
    # Of a secret that repeats itself ("0000") the first that looks like it is hidden, and as much of the rest is left.
    whole = before + value + after
    assume(whole.find(value) == whole.rfind(value) == len(before))
    remember(value)
    for text in (value, quote(value, safe=""), value.encode().hex(), value.encode().hex().upper()):
        assert text not in redact(f"{before} {text} {after}")
    encoded = base64.b64encode((before + value + after).encode()).decode()
    lead, mask, rest = redact(encoded).partition(MASK)
    assert mask
    # What is left shows at most two bytes of either end.
    assert len(lead) <= len(base64.b64encode(before.encode())) + 3
    assert len(rest) <= len(base64.b64encode(after.encode())) + 4


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("sk-proj-abcdefghij0123456789", "abcdefghij"),
        ("Authorization: Bearer abc.def-ghi_jkl", "abc.def"),
        ("postgres://app:hunter2hunter@db/x", "hunter2"),
        ("api_key=0123456789abcdef", "0123456789"),
        ('{"password": "swordfish!"}', "swordfish"),
        ("ghp_0123456789abcdefghij", "abcdefghij"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIi"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
    ],
)
def test_what_looks_like_a_secret_disappears(text: str, gone: str) -> None:
    assert gone not in redact(text)
    assert MASK in redact(text)


@pytest.mark.parametrize(
    "text",
    ["Used 120 tokens in 3 steps.", "https://example.com/a?page=2", "The secret of good coffee", "port=4111", ""],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_values_are_cleaned_by_name_and_by_content() -> None:
    value = {"api_key": "k1", "tokens": 5, "nested": [{"cookie": "a=b"}, "Bearer abcdefghijkl"], "empty_secret": ""}
    assert redact_value(value) == {
        "api_key": MASK, "tokens": 5, "nested": [{"cookie": MASK}, f"Bearer {MASK}"], "empty_secret": "",
    }  # fmt: skip
    assert redact_value(Secret("whatever-it-is")) == MASK
