"""What Pinecone is sent: its names, ids and limits, and how its failures are told."""

import re

import httpx
import pytest
from tests.conformance.pinecone_stub import KEY, PineconeStub

from mastra.errors import BadSetting, InvalidInput, MissingKey, VectorError
from mastra.ports.vectors import VectorRow
from mastra.vectors.pinecone import PineconeVectors, _id, _name


def store(stub, key=KEY):
    return PineconeVectors(key, transport=stub)


@pytest.mark.parametrize("index", ["docs", "Docs", "docs_1", "_x", "m--x", "x" * 48, "a-"])
def test_every_name_of_ours_becomes_one_that_pinecone_takes(index):
    name = _name(index)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?", name)
    assert (name == index) == (index == "docs")
    assert name != _name(f"{index[:47]}y")


def test_ids_are_ascii_whatever_was_given():
    assert _id("ключ").isascii()
    assert _id("a") != _id("b")


async def test_a_write_returns_when_it_can_be_found_and_large_ones_are_split():
    stub = PineconeStub()
    made = store(stub)
    await made.create("docs", 1536)
    rows = [VectorRow(f"r{n}", [n + 0.123456789] * 1536, {"n": n}) for n in range(150)]
    await made.upsert("docs", rows)
    upserts = [path for _, path in stub.requests if path == "/vectors/upsert"]
    assert len(upserts) > 1, "a request of theirs holds 2 MB"
    assert (await made.describe("docs")).row_count == 150
    await made.close()


async def test_what_pinecone_would_refuse_is_refused_before():
    made = store(PineconeStub())
    await made.create("docs", 2)
    with pytest.raises(InvalidInput, match="40,960"):
        await made.upsert("docs", [VectorRow("a", [1, 0], None, "x" * 50_000)])
    assert (await made.describe("docs")).row_count == 0
    await made.close()


async def test_a_wrong_key_is_told_without_naming_it():
    made = store(PineconeStub(), "hunter2")
    with pytest.raises(VectorError) as caught:
        await made.names()
    assert not caught.value.retryable
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    await made.close()


async def test_a_failure_of_theirs_is_worth_another_try():
    made = store(httpx.MockTransport(lambda _request: httpx.Response(503)))
    with pytest.raises(VectorError) as caught:
        await made.names()
    assert caught.value.retryable
    await made.close()


def test_settings_that_cannot_be_are_refused(monkeypatch):
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    with pytest.raises(MissingKey):
        PineconeVectors.from_url("pinecone:")
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    with pytest.raises(BadSetting):
        PineconeVectors.from_url("pinecone:?regoin=x")
    assert PineconeVectors.from_url("pinecone:?region=eu-west-1")._spec["serverless"]["region"] == "eu-west-1"
