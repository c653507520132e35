from __future__ import annotations

import pytest

from mastra import registry
from mastra.errors import BadSetting, UnknownAdapter


def test_a_built_in_is_found_by_its_name() -> None:
    assert callable(registry.find("mastra.providers", "scripted"))
    assert "scripted" in registry.names("mastra.providers")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownAdapter) as refused:
        registry.find("mastra.providers", "scriptd")
    assert refused.value.hint == "Did you mean 'scripted'?"
    assert refused.value.details == {"group": "mastra.providers", "name": "scriptd"}


def test_a_name_without_a_neighbour_gets_the_list() -> None:
    with pytest.raises(UnknownAdapter, match="Known:"):
        registry.find("mastra.storage", "zzzzzz")


def test_an_unknown_group_is_empty() -> None:
    assert registry.names("mastra.nothing") == []
    with pytest.raises(UnknownAdapter, match="Known: none"):
        registry.find("mastra.nothing", "x")


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(BadSetting, match="scheme://place"):
        registry.open_url("mastra.storage", "app.db")


def test_an_unknown_scheme_names_the_kind() -> None:
    with pytest.raises(UnknownAdapter, match="There is no storage called 'sqllite'"):
        registry.open_url("mastra.storage", "sqllite:///app.db")
