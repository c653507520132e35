"""What Chroma is sent, and how its failures are told; the contract suite runs against its server."""

import json
import re

import httpx
import pytest

from mastra.errors import BadSetting, IndexMissing, VectorError
from mastra.ports.vectors import VectorRow
from mastra.vectors.chroma import ChromaVectors, _metadata, _narrowed


def store(answer):
    made = ChromaVectors.from_url("chroma://h:1?token=secret&tenant=a/b")
    base, headers = made._client.base_url, made._client.headers
    made._client = httpx.AsyncClient(base_url=base, headers=headers, transport=httpx.MockTransport(answer))
    return made


def test_metadata_are_scalars_and_lists_are_marked():
    facts = _metadata(VectorRow("a", [1], {"kind": "x", "tags": ["a", "b"], "n": 1, "a.b": "c"}, None))
    assert json.loads(facts.pop("raw")) == {"kind": "x", "tags": ["a", "b"], "n": 1, "a.b": "c"}
    assert facts == {"has_document": False, "f_kind": "x", "l_tags": True}
    assert all(re.fullmatch(r"[fl]_\w+|has_document", key) for key in facts)


def test_filters_take_rows_with_lists_along():
    assert _narrowed({}) == {}
    one = _narrowed({"kind": ["x"]})["where"]
    assert one == {"$or": [{"f_kind": {"$in": ["x"]}}, {"l_kind": True}]}
    assert len(_narrowed({"kind": ["x"], "n": ["y", "z"]})["where"]["$and"]) == 2


async def test_a_failure_names_no_secret_and_says_whether_to_try_again():
    for status, retryable in ((500, True), (429, True), (401, False), (400, False)):
        made = store(lambda _request, status=status: httpx.Response(status, text="secret"))
        with pytest.raises(VectorError) as caught:
            await made.describe("index")
        assert (caught.value.retryable, "secret" in f"{caught.value}{caught.value.hint}") == (retryable, False)
        await made.close()


async def test_names_of_tenants_are_one_segment_of_the_path_and_a_missing_index_is_named():
    seen = []

    def answer(request):
        seen.append(request.url.raw_path.decode())
        return httpx.Response(404)

    made = store(answer)
    with pytest.raises(IndexMissing):
        await made.describe("index")
    assert seen == ["/api/v2/tenants/a%2Fb/databases/default_database/collections/m.index.v"]
    await made.close()


async def test_a_server_that_is_not_there_is_worth_another_try():
    def answer(_request):
        raise httpx.ConnectError("no")

    made = store(answer)
    with pytest.raises(VectorError) as caught:
        await made.names()
    assert caught.value.retryable
    await made.close()


def test_unknown_options_are_refused():
    with pytest.raises(BadSetting):
        ChromaVectors.from_url("chroma://h?toekn=x")
