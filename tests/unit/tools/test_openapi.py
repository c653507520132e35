import json

import httpx
import pytest

from mastra.errors import BadDefinition, MastraError
from mastra.tools.egress import Egress
from mastra.tools.openapi import openapi_tools

DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.test/v1"}],
    "components": {
        "schemas": {
            "Pet": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "example": {"type": "string"}},
                "required": ["name"],
            }
        }
    },
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "getPet",
                "summary": "One pet",
                "parameters": [
                    {"name": "full", "in": "query", "schema": {"type": "boolean"}, "description": "All of it"}
                ],
            },
        },
        "/pets": {
            "post": {
                "summary": "Add a pet",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
            }
        },
    },
}


class Fixed(Egress):
    async def address(self, host, port):
        return "1.1.1.1"


def answer(request):
    if request.url.path.endswith("broken"):
        return httpx.Response(500, text="oh")
    said = {"path": request.url.raw_path.decode(), "auth": request.headers.get("authorization")}
    said["body"] = json.loads(request.content) if request.content else None
    return httpx.Response(200, json=said)


GATE = Fixed(transport=httpx.MockTransport(answer))


def tools(**options):
    return {tool.name: tool for tool in openapi_tools(DOCUMENT, egress=GATE, **options)}


async def test_an_operation_becomes_a_tool():
    get = tools(headers={"authorization": "Bearer s"})["getPet"]
    assert get.description == "One pet"
    assert get.json_schema["properties"]["full"] == {"type": "boolean", "description": "All of it"}
    assert get.json_schema["required"] == ["id"]
    assert "authorization" not in str(get.json_schema)
    assert await get(id="7", full=True) == {"path": "/v1/pets/7?full=true", "auth": "Bearer s", "body": None}


async def test_a_value_cannot_become_a_path_of_its_own():
    assert (await tools()["getPet"](id="../admin"))["path"] == "/v1/pets/..%2Fadmin"


async def test_what_changes_something_asks_first_and_its_body_is_checked():
    post = tools()["post_pets"]
    assert post.require_approval
    assert post.json_schema["properties"]["body"]["properties"].keys() == {"name", "example"}
    assert (await post(body={"name": "Rex"}))["body"] == {"name": "Rex"}
    with pytest.raises(MastraError):
        await post(body={})


async def test_an_error_of_the_server_is_an_error_of_the_tool():
    with pytest.raises(MastraError, match="500"):
        await tools()["getPet"](id="broken")


def test_operations_are_chosen_by_name():
    assert list(tools(include=["getPet"])) == ["getPet"]
    assert list(tools(exclude=["getPet"])) == ["post_pets"]


@pytest.mark.parametrize("document", [{}, {"openapi": "3.0.0", "paths": {}}, {"swagger": "2.0", "paths": {}}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(BadDefinition):
        openapi_tools(document)
