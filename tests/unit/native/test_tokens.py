"""The token estimate is near the exact count in five kinds of language, and both faces agree to the token."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeInvalidArgument, NativeInvalidEncoding
from mastra.native import tokens
from mastra.native.tokens import count_tokens, estimate_tokens

ENCODINGS = ("cl100k_base", "o200k_base")


def load_samples():
    spec = importlib.util.spec_from_file_location("token_samples", Path(__file__).parent / "token_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DATA = load_samples()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", list(DATA.SAMPLES))
def test_the_estimate_is_within_ten_percent(kind, encoding):
    exact = DATA.COUNTS[encoding][kind]
    assert abs(estimate_tokens(DATA.SAMPLES[kind], encoding) / exact - 1) <= 0.10


LETTERS = "aBzÄß é\u4e2d\u3042\uac00\u0416\u0627\u0e01 12 \t\n\r\v.,{}()#\u3001\uff0c\u2026\U0001f642"
LETTERS += "\U00020000\u00d7\u1e00\u0301"


@given(st.text() | st.text(st.sampled_from(LETTERS)), st.sampled_from(ENCODINGS))
def test_both_faces_agree_to_the_token(load_fallback, text, encoding):
    assert estimate_tokens(text, encoding) == load_fallback("tokens").estimate_tokens(text, encoding)


def test_nothing_is_nothing_and_a_little_is_one(face):
    estimate = face("tokens").estimate_tokens
    assert estimate("") == 0
    assert estimate("a") == 1
    assert estimate("a " * 1000) > estimate("a " * 500)


def test_what_cannot_be_estimated_is_refused(face):
    with pytest.raises(NativeInvalidArgument, match="o200k_base"):
        face("tokens").estimate_tokens("a", "gpt2")
    with pytest.raises(NativeInvalidEncoding):
        face("tokens").estimate_tokens("\ud800")


def test_without_a_file_of_the_encoding_the_estimate_is_the_count(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._exact_counter.cache_clear()
    assert count_tokens("hello world") == estimate_tokens("hello world")


def test_with_its_file_the_count_is_exact(monkeypatch, tmp_path):
    class Encoding:
        @staticmethod
        def encode_ordinary(text):
            return text.split()

    class Tiktoken:
        @staticmethod
        def get_encoding(name):
            return Encoding

    address = tokens.ADDRESS.format("o200k_base").encode()
    (tmp_path / hashlib.sha1(address).hexdigest()).touch()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tiktoken", Tiktoken)
    tokens._exact_counter.cache_clear()
    assert count_tokens("one two three") == 3
    tokens._exact_counter.cache_clear()
