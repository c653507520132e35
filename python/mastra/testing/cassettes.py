"""Cassettes: real answers of a provider, recorded once without secrets and played back in every later test."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx

from mastra.errors import BadSetting, NotFound
from mastra.providers.keys import MASK, redact
from mastra.types.secrets import Secret

Mode = Literal["replay", "record", "auto"]
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|credential|signature", re.IGNORECASE)
# Names like these stand for numbers, not for secrets.
_NO_SECRET = re.compile(
    r"(max|min|input|output|total|prompt|completion|reasoning|cached).*tokens?|tokens?_?(count|details)", re.IGNORECASE
)
_KEPT_HEADERS = frozenset({"content-type", "retry-after", "retry-after-ms", "x-request-id", "request-id"})
_SHORTEST_SECRET = 8


class Cassette(httpx.AsyncBaseTransport):
    """A transport that plays a file of recorded exchanges, or records one.

    "replay" never touches the network and refuses what was not recorded; "record" records anew; "auto" records when
    there is no file. Put it under a model: `HttpOptions(transport=Cassette("tests/cassettes/weather.json"))`.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, mode: Mode = "auto", inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.path = Path(path)
        exists = self.path.exists()
        if mode not in ("replay", "record", "auto"):
            raise BadSetting(f"A cassette cannot {mode!r}.", hint="Use replay, record or auto.")
        if mode == "replay" and not exists:
            raise NotFound(f"There is no cassette {self.path}.", hint='Record it once with mode="record".')
        self.recording = mode == "record" or (mode == "auto" and not exists)
        self.exchanges: list[dict[str, Any]] = [] if self.recording else _read(self.path)
        self._played = [False] * len(self.exchanges)
        self._inner = (inner or httpx.AsyncHTTPTransport()) if self.recording else None

    @property
    def unplayed(self) -> int:
        """How many recorded exchanges nobody has asked for."""
        return self._played.count(False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Play or record one exchange."""
        asked = describe_request(request, await request.aread())
        if self._inner is None:
            return self._play(asked)
        response = await self._inner.handle_async_request(request)
        return self._record(asked, response, secrets_of(request))

    def _play(self, asked: dict[str, Any]) -> httpx.Response:
        found = next(
            (at for at, exchange in enumerate(self.exchanges) if not self._played[at] and exchange["request"] == asked),
            None,
        )
        if found is None:
            raise NotFound(
                f"The cassette {self.path} holds no (further) answer to {asked['method']} {asked['url']}.",
                hint="The request changed: record the cassette anew.",
            )
        self._played[found] = True
        answer = self.exchanges[found]["response"]
        pieces = [base64.b64decode(piece["base64"]) if isinstance(piece, dict) else piece.encode()
                  for piece in answer["pieces"]]  # fmt: skip
        return httpx.Response(answer["status"], headers=answer["headers"], stream=_Pieces(pieces))

    def _record(self, asked: dict[str, Any], response: httpx.Response, secrets: list[Secret]) -> httpx.Response:
        headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        exchange = {"request": asked, "response": {"status": response.status_code, "headers": headers, "pieces": []}}
        self.exchanges.append(exchange)

        async def kept() -> AsyncIterator[bytes]:
            source: Any = response.stream
            pieces: list[bytes] = []
            try:
                async for piece in source:
                    pieces.append(piece)
                    yield piece
            finally:
                await source.aclose()
                exchange["response"]["pieces"] = _without_secrets(pieces, secrets)
                self._write()

        return httpx.Response(response.status_code, headers=response.headers, stream=_Stream(kept()))

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": 1, "exchanges": self.exchanges}, ensure_ascii=False, indent=1) + "\n"
        beside = self.path.with_suffix(".part")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path)

    async def aclose(self) -> None:
        """Close what is underneath."""
        if self._inner is not None:
            await self._inner.aclose()


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


class _Stream(httpx.AsyncByteStream):
    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._source:
            yield piece

    async def aclose(self) -> None:
        close: Any = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


def describe_request(request: httpx.Request, body: bytes) -> dict[str, Any]:
    """What a request is known by: method, URL and body, without a secret. Headers do not count."""
    pairs: list[tuple[str, Any]] = [
        (name, MASK if _is_secret(name) else value) for name, value in request.url.params.multi_items()
    ]
    url = request.url.copy_with(query=None, username=None, password=None)
    shown = f"{url}?{httpx.QueryParams(pairs)}" if pairs else str(url)
    secrets = secrets_of(request)
    try:
        content: Any = _scrub(json.loads(body), secrets) if body else None
    except ValueError:
        content = redact(body.decode("utf-8", "replace"), secrets)
    return {"method": request.method, "url": redact(shown, secrets), "body": content}


def secrets_of(request: httpx.Request) -> list[Secret]:
    """The secrets that a request carries in its headers and its URL."""
    values = [value for name, value in request.headers.items() if _SECRET_NAME.search(name)]
    values += [value for name, value in request.url.params.multi_items() if _is_secret(name)]
    values += [value.partition(" ")[2] for value in values if " " in value]
    return [Secret(value, passing=True) for value in values if len(value) >= _SHORTEST_SECRET]


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.search(name)


def _scrub(value: Any, secrets: list[Secret]) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK
            if isinstance(item, str) and _is_secret(key) and key != "prompt_cache_key"
            else _scrub(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_scrub(item, secrets) for item in value]
    return redact(value, secrets) if isinstance(value, str) else value


def _without_secrets(pieces: list[bytes], secrets: list[Secret]) -> list[Any]:
    """The pieces as texts; a secret that lies across two pieces is found all the same."""
    whole = b"".join(pieces)
    try:
        texts = [piece.decode() for piece in pieces]
    except UnicodeDecodeError:
        try:
            return [redact(whole.decode(), secrets)]
        except UnicodeDecodeError:
            return [{"base64": base64.b64encode(piece).decode()} for piece in pieces]
    clean = redact("".join(texts), secrets)
    if clean != "".join(texts):
        return [clean]
    return list(texts)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != 1:
            raise BadSetting(f"The cassette {path} has the unknown version {data['version']!r}.")
        exchanges: list[dict[str, Any]] = data["exchanges"]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadSetting):
            raise
        raise BadSetting(f"{path} is no cassette.") from error
    return exchanges
