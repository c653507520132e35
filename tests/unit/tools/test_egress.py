import httpx
import pytest

from mastra.errors import AccessDenied, InvalidInput, ToolFailed
from mastra.tools.egress import Egress, public


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "172.16.0.1", "0.0.0.0", "::1", "fe80::1", "fc00::1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "100.64.0.1", "nonsense"],
)  # fmt: skip
def test_private_addresses_are_closed(address):
    assert not public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"])
def test_public_addresses_are_open(address):
    assert public(address)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost:1/", "http://2130706433/", "http://[::1]/"])
async def test_a_request_into_the_own_network_is_refused(url):
    with pytest.raises((AccessDenied, ToolFailed)):
        await Egress().request("GET", url)


@pytest.mark.parametrize("url", ["ftp://x.no/", "file:///etc/passwd", "http://", "http://u:p@x.no/", "x", "http://[::"])
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(InvalidInput):
        Egress().check_url(url)


def test_only_the_named_hosts_and_those_below_them_are_allowed():
    gate = Egress(hosts=["example.org"])
    assert gate.check_url("https://api.example.org/x") == ("https", "api.example.org", 443)
    for url in ("https://example.com/", "https://badexample.org/", "https://example.org.evil.com/"):
        with pytest.raises(AccessDenied):
            gate.check_url(url)


class Fixed(Egress):
    """A gate whose names are in a table: no name server is asked."""

    table = {"a.test": "1.1.1.1", "inside.test": "10.0.0.1"}  # noqa: RUF012 - a table

    async def address(self, host, port):
        found = self.table[host]
        if not public(found):
            raise AccessDenied("private")
        return found


def answer(request: httpx.Request) -> httpx.Response:
    asked = f"{request.headers['host']}{request.url.path}"
    if asked == "a.test/go":
        return httpx.Response(302, headers={"location": "http://inside.test/"})
    if asked == "a.test/loop":
        return httpx.Response(302, headers={"location": "/loop"})
    return httpx.Response(200, text="x" * 100, headers={"x-host": str(request.url.host)})


def gate(**options):
    return Fixed(transport=httpx.MockTransport(answer), **options)


async def test_the_address_that_was_checked_is_the_one_that_is_asked():
    reply = await gate().request("GET", "http://a.test/")
    assert reply.headers["x-host"] == "1.1.1.1"
    assert reply.url == "http://a.test/"


async def test_a_redirect_passes_the_same_gate():
    with pytest.raises(AccessDenied):
        await gate().request("GET", "http://a.test/go")
    with pytest.raises(ToolFailed, match="redirects"):
        await gate().request("GET", "http://a.test/loop")


async def test_a_body_is_cut_at_its_limit():
    reply = await gate(max_bytes=10).request("GET", "http://a.test/")
    assert (reply.text, reply.truncated) == ("x" * 10, True)
