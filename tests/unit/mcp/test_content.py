"""Resources, templates and prompts: what they show, and what they refuse."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, InvalidInput
from mastra.mcp import Prompt, Resource, ResourceTemplate


async def test_a_resource_gives_texts_bytes_and_values():
    async def later():
        return "späť"

    assert await Resource("a://1", later).contents() == {"uri": "a://1", "mimeType": "text/plain", "text": "späť"}
    data = await Resource("a://2", b"\x00\xff", mime_type="image/png").contents()
    assert data == {"uri": "a://2", "mimeType": "image/png", "blob": base64.b64encode(b"\x00\xff").decode()}
    value = await Resource("a://3", {"one": [1, None]}).contents()
    assert value["text"] == '{"one":[1,null]}'
    assert value["mimeType"] == "application/json"
    assert Resource("a://3", "", "Name", "About", "x/y").to_wire() == {
        "uri": "a://3", "name": "Name", "description": "About", "mimeType": "x/y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("notes://{id}", "notes://7", {"id": "7"}),
        ("notes://{id}", "notes://", None),
        ("notes://{id}", "notes://7/8", None),
        ("db://{table}/row/{id}.json", "db://users/row/a.b.json", {"table": "users", "id": "a.b"}),
        ("db://{table}/row/{id}.json", "db://users/row/.json", None),
        ("db://{table}/row/{id}.json", "db://users/column/1.json", None),
        ("{all}", "x", {"all": "x"}),
        ("a{x}b{y}c", "a1b2c", {"x": "1", "y": "2"}),
        ("a{x}b{y}c", "a1b2cd", None),
    ],
)
def test_a_template_matches_whole_uris_segment_by_segment(template, uri, values):
    assert ResourceTemplate(template, str).match(uri) == values


@pytest.mark.parametrize("wrong", ["notes://all", "x{", "x{a b}", "{a}{b}", "{a}-{a}", "x{}"])
def test_a_template_that_is_none_is_refused(wrong):
    with pytest.raises(BadDefinition):
        ResourceTemplate(wrong, str)


@given(st.text(max_size=40), st.text(alphabet="abc/{}", min_size=1, max_size=40))
def test_what_is_matched_makes_the_uri_again(left, right):
    template = ResourceTemplate("x://{a}-{b}/end", str)
    uri = f"x://{left}-{right}/end"
    values = template.match(uri)
    if values is not None:
        assert f"x://{values['a']}-{values['b']}/end" == uri


async def test_a_template_reads_with_its_values():
    template = ResourceTemplate("notes://{key}", lambda key: f"note {key}", mime_type="text/markdown")
    assert await template.contents("notes://7", {"key": "7"}) == {
        "uri": "notes://7", "mimeType": "text/markdown", "text": "note 7",
    }  # fmt: skip


async def test_a_prompt_checks_its_arguments():
    wanted = {"name": "whom", "tone?": ""}
    prompt = Prompt("greet", lambda name, tone="kind": f"Greet {name}, {tone}.", arguments=wanted)
    said = await prompt.messages({"name": "Ada"})
    assert said == [{"role": "user", "content": {"type": "text", "text": "Greet Ada, kind."}}]
    assert prompt.to_wire()["arguments"][1] == {"name": "tone", "description": "", "required": False}
    with pytest.raises(InvalidInput, match="needs 'name'"):
        await prompt.messages({})
    with pytest.raises(InvalidInput, match="does not know 'mood'"):
        await prompt.messages({"name": "Ada", "mood": "x"})
    with pytest.raises(BadDefinition, match="without the role"):
        await Prompt("bad", lambda: [{"content": "x"}]).messages({})
    with pytest.raises(BadDefinition, match="gave a int"):
        await Prompt("bad", lambda: 3).messages({})
