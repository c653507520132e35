from __future__ import annotations

import pytest

from mastra.errors import InvalidInput
from mastra.runtime.request_context import RESOURCE_ID, RequestContext


def test_it_is_a_mapping() -> None:
    context = RequestContext({"tier": "gold"})
    context["a"] = 1
    del context["tier"]
    assert dict(context) == {"a": 1}
    assert len(context) == 1
    assert context.to_wire() == {"a": 1}


def test_only_the_server_sets_reserved_keys() -> None:
    context = RequestContext()
    with pytest.raises(InvalidInput, match="reserved"):
        context[RESOURCE_ID] = "u1"
    context.reserve(RESOURCE_ID, "u1")
    with pytest.raises(InvalidInput, match="reserved"):
        del context[RESOURCE_ID]
    assert context[RESOURCE_ID] == "u1"
    assert context.to_wire() == {}


def test_reserved_keys_from_a_client_are_dropped() -> None:
    context = RequestContext.from_client({RESOURCE_ID: "somebody-else", "tier": "gold"})
    assert context.get(RESOURCE_ID) is None
    assert context["tier"] == "gold"
    assert len(RequestContext.from_client(None)) == 0


def test_values_are_not_shown() -> None:
    assert repr(RequestContext({"token": "hunter2"})) == "RequestContext(keys=['token'])"
