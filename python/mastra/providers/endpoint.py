"""One question, one answer: what embedders, rerankers and speech share with the streams of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

from pydantic_core import from_json

from mastra.errors import BadDefinition, ResponseMalformed
from mastra.providers.failures import error_of_event, error_of_response
from mastra.providers.keys import KeyReader, KeySource
from mastra.providers.transport import USER_AGENT, Exchange, Http, HttpOptions, shared_http
from mastra.types.json import dump_bytes
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
        return await self.ask_with(path, dump_bytes(body))

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


class CallerOptions(TypedDict, total=False):
    """What a caller may say of any adapter behind HTTP."""

    api_key: KeySource
    headers: Mapping[str, str] | None
    http: Http | HttpOptions | None


class EndpointOptions(CallerOptions, total=False):
    """The same, and where the vendor is and which key it wants."""

    provider: str | None
    url: str | None
    key_env: tuple[str, ...] | None
    key_required: bool | None


class EndpointAdapter:
    """An adapter of any port that asks one endpoint: its vendor's facts stand in the class."""

    vendor: ClassVar[str]
    home: ClassVar[str] = ""
    key_env: ClassVar[tuple[str, ...]] = ()
    key_required: ClassVar[bool] = True
    key_header: ClassVar[str] = "authorization"
    key_scheme: ClassVar[str] = "Bearer"

    def __init__(
        self,
        model_id: str,
        *,
        provider: str | None = None,
        url: str | None = None,
        api_key: KeySource = None,
        key_env: tuple[str, ...] | None = None,
        key_required: bool | None = None,
        headers: Mapping[str, str] | None = None,
        http: Http | HttpOptions | None = None,
    ) -> None:
        self.provider = provider or self.vendor
        self.model_id = model_id
        self.endpoint = JsonEndpoint(
            provider=self.provider,
            model=model_id,
            url=url or self.default_url(),
            api_key=api_key,
            key_env=self.key_env if key_env is None else key_env,
            key_required=self.key_required if key_required is None else key_required,
            key_header=self.key_header,
            key_scheme=self.key_scheme,
            headers=headers,
            http=http,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model_id})"

    def default_url(self) -> str:
        """Where the API is when nobody says."""
        return self.home

    async def close(self) -> None:
        """Give back connections."""
        await self.endpoint.close()
