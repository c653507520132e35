"""Keys: where they come from, that they can be changed, and that they do not show."""

from __future__ import annotations

import base64
import pickle
from typing import Any, cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, BadSetting, MissingKey
from mastra.providers.keys import MASK, KeyReader, redact
from mastra.settings import LiveSettings
from mastra.types.secrets import Secret


async def shown(reader: KeyReader) -> str | None:
    key = await reader.read()
    return None if key is None else key.reveal()


async def test_a_text_is_the_key():
    assert await shown(KeyReader("abc")) == "abc"


async def test_a_key_comes_from_the_first_variable_that_is_set_and_is_read_anew(monkeypatch):
    reader = KeyReader(None, env=("FIRST_KEY", "SECOND_KEY"), provider="acme")
    monkeypatch.setenv("SECOND_KEY", "two")
    assert await shown(reader) == "two"
    monkeypatch.setenv("FIRST_KEY", "one")
    assert await shown(reader) == "one"


async def test_a_key_comes_from_a_named_variable_or_a_file_that_may_change(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_PLACE", "from-env")
    assert await shown(KeyReader("env:MY_PLACE")) == "from-env"
    path = tmp_path / "key"
    path.write_text("first\n")
    reader = KeyReader(f"file:{path}")
    assert await shown(reader) == "first"
    path.write_text("second\n")
    assert await shown(reader) == "second"


async def test_a_key_comes_from_a_function_now_or_later():
    async def later():
        return "later"

    assert await shown(KeyReader(lambda: "now")) == "now"
    assert await shown(KeyReader(later)) == "later"


async def test_a_key_comes_from_the_settings_and_follows_them(tmp_path):
    file = tmp_path / "mastra.toml"
    file.write_text('[server]\ntoken = "first-token-0123"\n')
    live = LiveSettings(file, dotenv=None, environ={})
    fixed, following = KeyReader(live.current.server.token), KeyReader(lambda: live.current.server.token)

    async def later():
        return live.current.server.token

    file.write_text('[server]\ntoken = "second-token-0123"\n')
    assert live.reload()
    assert await shown(fixed) == "first-token-0123"
    assert await shown(following) == "second-token-0123"
    assert await shown(KeyReader(later)) == "second-token-0123"
    assert "token-0123" not in f"{fixed!r} {following!r}"


async def test_a_key_function_that_fails_or_returns_nonsense_is_named_without_its_words():
    def fail():
        raise LookupError("canary-vault-token")

    async def fail_later():
        raise LookupError("canary-vault-token")

    for source in (fail, fail_later):
        with pytest.raises(MissingKey, match="LookupError") as caught:
            await KeyReader(source, provider="acme").read()
        assert "canary" not in str(caught.value)
        assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(BadSetting, match="returns a int"):
        await KeyReader(cast("Any", lambda: 5), provider="acme").read()
    with pytest.raises(BadDefinition, match="api_key of 'acme' is a int"):
        KeyReader(cast("Any", 5), provider="acme")
    with pytest.raises(MissingKey, match="There is no API key"):
        await KeyReader(cast("Any", lambda: None), provider="acme").read()


async def test_a_missing_key_names_the_places(tmp_path):
    with pytest.raises(MissingKey, match="Set ACME_API_KEY"):
        await KeyReader(None, env=("ACME_API_KEY",), provider="acme").read()
    with pytest.raises(MissingKey, match="cannot be read"):
        await KeyReader(tmp_path / "none", provider="acme").read()
    assert await KeyReader(None).read(required=False) is None


async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it():
    with pytest.raises(BadSetting) as caught:
        await KeyReader("abc\u201ddef", provider="acme").read()
    assert "abc" not in str(caught.value)
    with pytest.raises(BadSetting):
        await KeyReader("abc\r\nx-evil: 1", provider="acme").read()


def test_a_secret_shows_nothing_and_cannot_be_pickled():
    secret = Secret("canary-123456", passing=True)
    assert "canary" not in f"{secret!r} {secret}"
    assert "canary" not in repr(KeyReader("canary-123456"))
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=60))
def test_no_form_of_a_secret_survives(raw):
    forms = [raw, quote(raw, safe=""), base64.b64encode(raw.encode()).decode(), raw.encode().hex()]
    for form in forms:
        cleaned = redact(f"before {form} after", [Secret(raw, passing=True)])
        assert form not in cleaned
        assert MASK in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop1234",
        "AIzaSyA1234567890abcdefghijk",
        "gsk_abcdefghij1234567890",
        "Bearer abcdefgh.ijkl",
    ],
)
def test_what_looks_like_a_key_is_hidden_even_when_it_is_not_ours(text):
    assert text not in redact(f"Incorrect API key provided: {text}. See the docs.")


def test_ordinary_words_stay():
    said = "The model gpt-5-mini does not exist or you do not have access to it (sk-)."
    assert redact(said, [Secret("abc", passing=True), None]) == said
