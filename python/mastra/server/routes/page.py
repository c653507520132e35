"""The page of `mastra dev`: three files, served only where the server was told to."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from mastra.server.problems import Refused
from mastra.server.replies import Raw
from mastra.server.table import Route

if TYPE_CHECKING:
    from mastra.server.call import Call

_FILES = {
    "//": ("page.html", b"text/html; charset=utf-8"),
    "//page.js": ("page.js", b"text/javascript; charset=utf-8"),
    "//page.css": ("page.css", b"text/css; charset=utf-8"),
}
_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
)


@cache
def _read(name: str) -> bytes:
    return resources.files("mastra.server").joinpath(name).read_bytes()


async def page(call: Call) -> Raw:
    """One of the page's files."""
    if not call.state.options.page:
        raise Refused(404, {"error": "Not found"})
    name, kind = _FILES[call.route.path]
    return Raw(_read(name), kind, headers=(_POLICY,))


ROUTES: dict[str, object] = {}
OWN = [Route("GET", path, out="raw", permissions=("system:read",), handler=page) for path in _FILES]
