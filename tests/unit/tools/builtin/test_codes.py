import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import ToolError
from mastra.tools.builtin import codes


@given(st.text(max_size=50))
def test_what_is_encoded_comes_back(text):
    async def both():
        for safe in (False, True):
            assert await codes.base64_decode(text=await codes.base64_encode(text=text, url_safe=safe)) == text
        assert await codes.url_decode(text=await codes.url_encode(text=text)) == text

    asyncio.run(both())


async def test_values_have_the_form_that_was_asked_for():
    assert await codes.hash_text(text="a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert len(await codes.new_uuid()) == 36
    assert 3 <= await codes.random_number(minimum=3, maximum=5) <= 5
    assert set(await codes.random_choice(items=["a", "b"], count=2)) == {"a", "b"}
    assert len(await codes.new_password(length=12)) == 12


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (codes.base64_decode, {"text": "%%%"}),
        (codes.random_number, {"minimum": 2, "maximum": 1}),
        (codes.random_choice, {"items": [], "count": 1}),
        (codes.new_password, {"length": 3}),
        (codes.hash_text, {"text": "a", "algorithm": "crc"}),
    ],
)
async def test_each_tool_refuses(tool, arguments):
    with pytest.raises(ToolError):
        await tool(arguments)
