"""Every wire format against the shipped contract suite, over a real server on this machine."""

from __future__ import annotations

import pytest

from mastra.testing.contracts.model import CHECKS
from mastra.testing.wire_samples import WIRE_FORMATS


@pytest.mark.parametrize("wire", WIRE_FORMATS.values(), ids=WIRE_FORMATS)
@pytest.mark.parametrize("sentence", CHECKS)
async def test_model(sentence: str, wire) -> None:
    await CHECKS[sentence](wire)
