"""One question, one answer: what embedders, rerankers and speech share with the streams of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from mastra.errors import BadDefinition, ResponseMalformed
from mastra.providers.failures import error_of_event, error_of_response
from mastra.providers.keys import KeyReader, KeySource
from mastra.providers.transport import Exchange, Http, HttpOptions, shared_http
from mastra.providers.wire import USER_AGENT
from mastra.types.json import dumps
from mastra.types.secrets import Secret

MOST_BYTES = 256 << 20
JSON = "application/json"


class JsonEndpoint:
    """A provider's API for questions that are answered whole."""

    def __init__(
        self,
        *,
        provider: str,
        model: str,
        url: str,
        api_key: KeySource = None,
        key_env: tuple[str, ...] = (),
        key_required: bool = True,
        key_header: str = "authorization",
        key_scheme: str = "Bearer",
        headers: Mapping[str, str] | None = None,
        http: Http | HttpOptions | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadDefinition(f"The URL of {provider!r} must begin with http:// or https://.", hint=f"Got {url!r}.")
        self.provider = provider
        self.model = model
        self.url = url.rstrip("/")
        self.keys = KeyReader(api_key, env=key_env, provider=provider)
        self.key_required = key_required
        self.key_header = key_header
        self.key_scheme = key_scheme
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.http = shared_http(provider) if http is None else http if isinstance(http, Http) else Http(http)

    async def send(
        self, path: str, content: bytes, *, content_type: str = JSON, accept: str = JSON, method: str = "POST"
    ) -> tuple[Exchange, Secret | None]:
        """The answer to `content` while it is read, and the key that asked; a bad status is a typed error."""
        key = await self.keys.read(required=self.key_required)
        headers = {"content-type": content_type, "accept": accept, "user-agent": USER_AGENT}
        headers.update(self.headers)
        if key is not None:
            scheme = f"{self.key_scheme} " if self.key_header == "authorization" else ""
            headers[self.key_header] = f"{scheme}{key.reveal()}"
        exchange = await self.http.send(
            self.url + path, content=content, headers=headers, provider=self.provider, method=method
        )
        if 200 <= exchange.status < 300:
            return exchange, key
        try:
            raise error_of_response(
                exchange.status,
                exchange.headers,
                await exchange.error_body(),
                provider=self.provider,
                model=self.model,
                secrets=[key],
            )
        finally:
            await exchange.close()

    async def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to `body`; everything but a JSON object is a typed error."""
        return await self.ask_with(path, dumps(body).encode())

    async def ask_with(
        self, path: str, content: bytes, *, content_type: str = JSON, method: str = "POST"
    ) -> dict[str, Any]:
        """The same for a body of any kind."""
        exchange, key = await self.send(path, content, content_type=content_type, method=method)
        try:
            raw = await exchange.body(MOST_BYTES)
        finally:
            await exchange.close()
        try:
            answer = from_json(raw, allow_inf_nan=False)
        except ValueError as error:
            raise self.malformed("something that is not JSON") from error
        if not isinstance(answer, dict):
            raise self.malformed("something that is not a JSON object")
        if answer.get("error"):
            raise error_of_event(answer, provider=self.provider, model=self.model, secrets=[key])
        return answer

    def malformed(self, what: str) -> ResponseMalformed:
        """The error for an answer that the protocol does not allow."""
        return ResponseMalformed(
            f"{self.provider} answered with {what}.", adapter=self.provider, details={"model": self.model}
        )

    async def close(self) -> None:
        """Give back connections."""
        await self.http.close()
