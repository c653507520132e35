"""Layouts: what is there may be older than this release, and never newer."""

from __future__ import annotations

import pytest

from mastra.errors import SchemaTooNew
from mastra.storage.layouts import known_layout


@pytest.mark.parametrize("found", [0, 1, 2])
def test_what_is_known_is_told(found):
    assert known_layout(found, 2, "app.db", "sqlite") == (found, 2)


def test_a_newer_layout_is_refused_by_name():
    with pytest.raises(SchemaTooNew, match=r"app\.db has layout 3; this mastra knows 2") as caught:
        known_layout(3, 2, "app.db", "sqlite")
    assert "--upgrade" in caught.value.hint
