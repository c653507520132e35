import json

import httpx
import pytest

from mastra.errors import MastraError, MissingKey
from mastra.tools.builtin.web import post_tool, search_tool, web_tools
from mastra.tools.egress import Egress


class Fixed(Egress):
    async def address(self, host, port):
        return "1.1.1.1"


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/page":
        return httpx.Response(200, html="<script>x</script><p>Hello</p>")
    if request.url.path == "/json":
        return httpx.Response(200, json={"a": 1})
    if request.url.path == "/search":
        assert request.headers["x-subscription-token"] == "key"
        found = [{"title": request.url.params["q"], "url": "u", "description": "d", "more": 1}]
        return httpx.Response(200, json={"web": {"results": found}})
    if request.method == "POST":
        return httpx.Response(200, text=request.content.decode())
    return httpx.Response(404)


GATE = Fixed(transport=httpx.MockTransport(answer))
TOOLS = {tool.name: tool for tool in web_tools(GATE)}


async def test_pages_and_json_are_read():
    page = await TOOLS["fetch_page"](url="http://x.test/page")
    assert page == {"url": "http://x.test/page", "status": 200, "text": "Hello"}
    assert await TOOLS["fetch_json"](url="http://x.test/json") == {"a": 1}
    assert (await TOOLS["check_url"](url="http://x.test/nothing"))["status"] == 404
    with pytest.raises(MastraError, match="404"):
        await TOOLS["fetch_page"](url="http://x.test/nothing")


async def test_the_web_is_searched_through_an_api():
    search = search_tool(api_key="key", url="http://x.test/search", egress=GATE)
    assert await search(query="cats") == [{"title": "cats", "url": "u", "description": "d"}]
    with pytest.raises(MissingKey):
        search_tool(api_key="")


async def test_posting_asks_a_person_first():
    post = post_tool("notify", "http://x.test/hook", description="Notify.", egress=GATE)
    assert post.require_approval
    assert json.loads((await post(body={"a": 1}))["text"]) == {"a": 1}
