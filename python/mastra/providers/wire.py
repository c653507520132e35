"""What every wire format shares: one request, one stream of frames, one decoder, and no success without an end."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from mastra.errors import BadDefinition, ModelError, ResponseMalformed, StreamBroken, Unsupported
from mastra.ports.model import ChatModel
from mastra.providers import catalog
from mastra.providers.composer import Composer, parse_object
from mastra.providers.endpoint import CallerOptions, EndpointOptions
from mastra.providers.failures import error_of_event, error_of_response
from mastra.providers.framing import Framing, SseFraming
from mastra.providers.keys import KeyReader, KeySource, redact
from mastra.providers.transport import USER_AGENT, Exchange, Http, HttpOptions, shared_http, with_timeout
from mastra.types.json import dump_bytes, dumps
from mastra.types.model import ModelDelta, ModelProfile, ModelRequest, OutputSpec
from mastra.types.prompt import ReasoningPart, SystemMessage
from mastra.types.secrets import Secret

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
_HIDDEN_HEADERS = frozenset({"set-cookie"})
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_HEADER = re.compile(r"[\t\x20-\x7e]*")


class Decoder(Protocol):
    """Reads the frames of one answer into a composer."""

    composer: Composer

    def read(self, event: str, data: str | bytes) -> None:
        """One frame; raises a `ModelError` for what the protocol does not allow."""
        ...

    def end(self) -> None:
        """The bytes ended. Finish if the protocol's terminal event was seen before."""
        ...


class AnswerReader:
    """The way of one answer from bytes to deltas, whatever brings the bytes."""

    __slots__ = ("composer", "decoder", "failure", "framing", "provider")

    def __init__(self, framing: Framing, decoder: Decoder, provider: str) -> None:
        self.framing = framing
        self.decoder = decoder
        self.composer = decoder.composer
        self.provider = provider
        # Why the answer does not count. What came whole before it is handed out first, however the bytes were cut.
        self.failure: ModelError | None = None

    @property
    def ended(self) -> bool:
        """There is nothing more to read: the terminal event came, or a failure."""
        return self.composer.done or self.failure is not None

    def feed(self, chunk: bytes) -> list[ModelDelta]:
        """The deltas that `chunk` completes."""
        composer = self.composer
        read = self.decoder.read
        try:
            for frame in self.framing.feed(chunk):
                read(frame.event, frame.data)
                if composer.done:
                    break
        except ModelError as error:
            self.failure = error
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            self.failure = self._strange(error)
        return composer.take()

    def end(self) -> list[ModelDelta]:
        """The deltas that the end of the bytes completes; without a terminal event it is a failure."""
        composer = self.composer
        incomplete = self.framing.incomplete
        try:
            for frame in self.framing.close():
                self.decoder.read(frame.event, frame.data)
            if not composer.done:
                self.decoder.end()
        except ModelError as error:
            # Half a line is no broken JSON but a broken stream.
            self.failure = None if incomplete and isinstance(error, ResponseMalformed) else error
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            self.failure = self._strange(error)
        if not composer.done and self.failure is None:
            where = "in the middle of an event" if incomplete else "before its terminal event"
            self.failure = StreamBroken(f"The answer of {self.provider} ended {where}.", adapter=self.provider)
        return composer.take()

    def _strange(self, error: Exception) -> ResponseMalformed:
        """JSON of another shape than the protocol's."""
        malformed = ResponseMalformed(
            f"{self.provider} sent an event of an unknown shape.",
            adapter=self.provider,
            details={"cause": type(error).__name__},
        )
        malformed.__cause__ = error
        return malformed


class ModelOptions(CallerOptions, total=False):
    """What a caller may say of any model behind HTTP."""

    profile: ModelProfile | None


class WireOptions(EndpointOptions, total=False):
    """The same, and where the vendor is and which key it wants."""

    profile: ModelProfile | None


class WireModel(ChatModel):
    """A chat model behind HTTP. A subclass says how a request is written and how its answer is read."""

    # What stands for the vendor itself, where a call does not say otherwise.
    vendor: ClassVar[str]
    home: ClassVar[str] = ""
    key_env: ClassVar[tuple[str, ...]] = ()
    key_required: ClassVar[bool] = True
    own_headers: ClassVar[Mapping[str, str]] = {}
    framing: ClassVar[type[Any]] = SseFraming
    accept: ClassVar[str] = "text/event-stream"

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
        profile: ModelProfile | None = None,
        http: Http | HttpOptions | None = None,
    ) -> None:
        provider = provider or self.vendor
        url = url or self.default_url()
        if not url.startswith(("http://", "https://")):
            raise BadDefinition(f"The URL of {provider!r} must begin with http:// or https://.", hint=f"Got {url!r}.")
        self.provider = provider
        self.model_id = model_id
        self.url = url.rstrip("/")
        self.keys = KeyReader(api_key, env=self.key_env if key_env is None else key_env, provider=provider)
        self.needs_key = self.key_required if key_required is None else key_required
        self.headers = {name.lower(): value for name, value in {**self.own_headers, **(headers or {})}.items()}
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(value) or not _HEADER.fullmatch(name):
                raise BadDefinition(f"The header {name!r} has a value that no HTTP header can carry.")
        self.profile = profile or catalog.profile_of(provider, model_id)
        self.http = shared_http(provider) if http is None else http if isinstance(http, Http) else Http(http)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model_id})"

    # ------------------------------------------------------------ what a wire format says

    def default_url(self) -> str:
        """Where the API is when nobody says."""
        return self.home

    @abstractmethod
    def path(self, request: ModelRequest) -> str:
        """What follows the base URL."""

    @abstractmethod
    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request as the provider wants it; what had to be left out is named in `warnings`."""

    @abstractmethod
    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""

    def auth(self, key: Secret | None) -> dict[str, str]:
        """The headers that carry the key."""
        return {} if key is None else {"authorization": f"Bearer {key.reveal()}"}

    def sign(self, url: str, headers: dict[str, str], content: bytes, key: Secret | None) -> dict[str, str]:
        """The headers of the finished request; for protocols that sign it."""
        del url, content
        return {**headers, **self.auth(key)}

    # ------------------------------------------------------------ one call

    def reader(self, request: ModelRequest) -> AnswerReader:
        """What turns the bytes of one answer into deltas; knows nothing of the network."""
        composer = Composer(output_tool_of(request.output))
        framing = self.framing(self.provider, self.http.options.max_event_bytes)
        return AnswerReader(framing, self.decoder(request, composer), self.provider)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas of one answer."""
        warnings: list[str] = []
        body = self.body(request, warnings)
        reader = self.reader(request)
        composer = reader.composer
        composer.warnings = tuple(warnings)
        composer.request_body = body
        exchange, secrets = await self._send(request, dump_bytes(body))
        try:
            await self._check_head(exchange, secrets)
            composer.headers = {k: v for k, v in exchange.headers.items() if k not in _HIDDEN_HEADERS}
            chunks = exchange.chunks()
            feed = reader.feed
            try:
                async for chunk in chunks:
                    for delta in feed(chunk):
                        yield delta
                    if reader.ended:
                        break
                else:
                    for delta in reader.end():
                        yield delta
                if reader.failure is not None:
                    raise self._told(reader.failure, secrets)
                await exchange.drain(chunks)
            finally:
                await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        finally:
            await exchange.close()

    def _told(self, error: ModelError, secrets: Sequence[Secret | None]) -> ModelError:
        """The error with the facts that only the model knows, free of secrets."""
        error.message = redact(error.message, secrets)
        error.args = (error.message,)
        error.details = {k: redact(v, secrets) if isinstance(v, str) else v for k, v in error.details.items()}
        error.details.setdefault("model", self.model_id)
        return error

    async def _send(self, request: ModelRequest, content: bytes) -> tuple[Exchange, list[Secret | None]]:
        key = await self.keys.read(required=self.needs_key)
        settings = request.settings
        headers = {
            "content-type": "application/json",
            "accept": self.accept,
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
            **self.headers,
            **{name.lower(): value for name, value in settings.headers.items()},
        }
        url = self.url + self.path(request)
        secrets: list[Secret | None] = [key]
        secrets.extend(Secret(value, passing=True) for name, value in headers.items() if _SECRET_HEADER.search(name))
        timeouts = self.http.options.timeouts
        exchange = await self.http.send(
            url,
            content=content,
            headers=self.sign(url, headers, content, key),
            provider=self.provider,
            timeouts=with_timeout(timeouts, settings.timeout_s),
            deadline=request.deadline,
        )
        return exchange, secrets

    async def _check_head(self, exchange: Exchange, secrets: Sequence[Secret | None]) -> None:
        """A bad status, or a good one with something else than a stream, is an error."""
        kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        good = 200 <= exchange.status < 300
        if good and (not kind or kind in self.framing.content_types or kind == "application/octet-stream"):
            return
        body = await exchange.error_body()
        if not good:
            raise error_of_response(
                exchange.status,
                exchange.headers,
                body,
                provider=self.provider,
                model=self.model_id,
                secrets=secrets,
            )
        payload = parse_object(body)
        if payload is not None and ("error" in payload or payload.get("type") == "error"):
            raise error_of_event(payload, provider=self.provider, model=self.model_id, secrets=secrets)
        raise ResponseMalformed(
            f"{self.provider} answered with {kind or 'no type'} instead of a stream.",
            adapter=self.provider,
            status=exchange.status,
            hint="Check that the URL is that of the provider's API.",
            details={"model": self.model_id},
        )

    async def close(self) -> None:
        """Give back connections."""
        await self.http.close()


def output_tool_of(output: OutputSpec | None) -> str | None:
    """The name of the tool that stands for the shape of the answer, when that is how it is asked for."""
    return output.name if output is not None and output.mode == "tool" else None


def own_signature(part: ReasoningPart, provider: str) -> str | None:
    """The signature of a thought, when it was `provider` that signed it."""
    options = part.provider_options or {}
    facts = options.get(provider, {})
    own = facts.get("signature") or facts.get("thoughtSignature") or facts.get("reasoningEncryptedContent")
    return own or (part.signature if is_own(part, provider) else None)


def is_own(part: ReasoningPart, provider: str) -> bool:
    """Whether a thought is `provider`'s: another's is refused with the whole request. Nobody's counts as anybody's."""
    thinkers = (part.provider_options or {}).keys() - {"mastra"}
    return not thinkers or provider in thinkers


def snake_case(name: str) -> str:
    """`reasoningEffort` as `reasoning_effort`."""
    return _CAMEL.sub(r"_\1", name).lower()


def output_instruction(output: OutputSpec) -> str:
    """What tells a model in words which shape its answer must have."""
    return (
        "Answer with one JSON value and nothing else: no explanation, no code fence. It must be valid under this "
        f"JSON schema:\n{dumps(output.json_schema)}"
    )


def with_instruction(request: ModelRequest) -> tuple[Any, ...]:
    """The messages, with the answer's shape in words after the instructions when it is prompted for."""
    if request.output is None or request.output.mode != "prompted":
        return request.messages
    shape = dumps(request.output.json_schema)
    if any(message.role == "system" and shape in message.text for message in request.messages):
        # Who asks has said it in words of its own.
        return request.messages
    at = 0
    while at < len(request.messages) and request.messages[at].role == "system":
        at += 1
    said = SystemMessage(output_instruction(request.output))
    return (*request.messages[:at], said, *request.messages[at:])


def left_out(who: str, what: str) -> str:
    """The warning about a setting that was not sent."""
    return f"{who} does not take {what}; it was left out."


def take_out(body: dict[str, Any], names: Iterable[str], who: str) -> list[str]:
    """Take fields out of a request; a warning for each that was there."""
    return [left_out(who, name) for name in names if body.pop(name, None) is not None]


def unsupported(provider: str, what: str) -> Unsupported:
    """The error for something that a wire format cannot carry."""
    return Unsupported(f"{provider} cannot take {what}.", hint="Choose another model, or leave it out.")
