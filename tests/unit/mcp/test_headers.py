"""Headers and body must say one thing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.mcp.headers import METHOD, NAME, VERSION, check_headers, status_of
from mastra.mcp.protocol import HEADER_MISMATCH, MODERN, UNSUPPORTED_VERSION, RpcError


def message(name: str = "add", version: str | None = MODERN) -> dict[str, object]:
    meta = {} if version is None else {"io.modelcontextprotocol/protocolVersion": version}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "_meta": meta}}


def headers(name: bytes = b"add", method: bytes = b"tools/call", version: bytes = MODERN.encode()):
    return [(VERSION, version), (METHOD, method), (NAME, name)]


def refused(pairs, body, *, legacy: bool = False) -> int:
    with pytest.raises(RpcError) as caught:
        check_headers(pairs, body, legacy=legacy)
    return caught.value.code


def test_what_agrees_passes():
    check_headers(headers(), message(), legacy=False)
    check_headers([], message(version=None), legacy=True)


@pytest.mark.parametrize(
    "pairs",
    [headers(name=b"ADD"), headers(name=b""), headers(method=b"tools/list"), headers(version=b"2025-06-18"),
     headers()[:2], headers()[1:], [*headers(), (NAME, b"add")], headers(name=b"=?base64?!?=")],
)  # fmt: skip
def test_what_disagrees_is_refused(pairs):
    assert refused(pairs, message()) == HEADER_MISMATCH


def test_an_old_revision_is_named():
    assert refused([(VERSION, b"2025-06-18")], message(version=None)) == UNSUPPORTED_VERSION
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
    assert refused([], hello) == UNSUPPORTED_VERSION
    check_headers([], hello, legacy=True)


@given(st.text(min_size=1, max_size=30))
def test_any_name_travels_in_base64(name):
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return
    wrapped = b"=?base64?" + base64.b64encode(raw) + b"?="
    check_headers(headers(name=wrapped), message(name), legacy=False)


@given(st.lists(st.tuples(st.sampled_from([VERSION, METHOD, NAME, b"x"]), st.binary(max_size=20)), max_size=5))
def test_nothing_that_is_sent_breaks_it(pairs):
    agreed = dict(pairs) == dict(headers()) and len(pairs) == 3
    if not agreed:
        assert refused(pairs, message()) in {HEADER_MISMATCH, UNSUPPORTED_VERSION}


def test_statuses():
    assert status_of({"result": {}}) == 200
    assert status_of({"error": {"code": -32601}}) == 404
    assert status_of({"error": {"code": HEADER_MISMATCH}}) == 400
    assert status_of({"error": {"code": -32603}}) == 200
