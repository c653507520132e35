"""OpenAI's realtime protocol over a WebSocket: sound goes in and comes out while both sides speak."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra.errors import BadDefinition, InvalidInput, ModelUnavailable, ResponseMalformed, StreamBroken
from mastra.ports.speech import LiveEvent, LiveSession, LiveVoice, Speaker
from mastra.providers.failures import make_error
from mastra.providers.keys import KeyReader, KeySource, redact
from mastra.providers.transport import USER_AGENT
from mastra.types.json import dumps, loads
from mastra.types.model import ToolCall
from mastra.types.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from mastra.types.model import ToolSpec

URL = "wss://api.openai.com/v1"
KEY_ENV = ("OPENAI_API_KEY",)
SPEAKERS = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin",
            "cedar")  # fmt: skip
OPEN_S = 15.0
MOST_BYTES = 16 << 20
# One event carries at most this much sound; longer recordings are sent in pieces.
PIECE = 1 << 20
_PCM = {"type": "audio/pcm", "rate": 24000}


class OpenAILive(LiveVoice):
    """A model like `gpt-realtime`. Sound is PCM of 16 bits, 24,000 samples a second, one channel, both ways.

    Options of `connect` go into the session: `turn_detection`, `transcription` (a model that writes down what the
    person says; False for none), and whatever the protocol knows by another name.
    """

    provider = "openai"

    def __init__(
        self,
        model_id: str,
        *,
        url: str | None = None,
        api_key: KeySource = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.model_id = model_id
        self._url = (url or URL).rstrip("/")
        if not self._url.startswith(("ws://", "wss://")):
            raise BadDefinition("The URL of a live voice must begin with ws:// or wss://.", hint=f"Got {url!r}.")
        self._keys = KeyReader(api_key, env=KEY_ENV, provider=self.provider)
        self._key_required = url is None
        self._headers = dict(headers or {})

    async def connect(
        self,
        *,
        instructions: str = "",
        tools: Sequence[ToolSpec] = (),
        speaker: str | None = None,
        transcription: str | bool = "gpt-4o-mini-transcribe",
        turn_detection: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> LiveSession:
        """Begin a conversation."""
        heard: dict[str, Any] = {"format": _PCM}
        if transcription:
            heard["transcription"] = {"model": "gpt-4o-mini-transcribe" if transcription is True else transcription}
        if turn_detection is not None:
            heard["turn_detection"] = dict(turn_detection)
        session = {
            **options,
            "type": "realtime",
            "audio": {"input": heard, "output": {"format": _PCM, "voice": speaker or SPEAKERS[-2]}},
            "instructions": instructions,
            "tools": [
                {"type": "function", "name": one.name, "description": one.description, "parameters": one.parameters}
                for one in tools
            ],
        }
        key = await self._keys.read(required=self._key_required)
        made = _Session(await self._open(key), key)
        try:
            await made.put({"type": "session.update", "session": session})
        except BaseException:
            await made.close()
            raise
        return made

    async def _open(self, key: Secret | None) -> Any:
        from websockets.asyncio.client import connect  # noqa: PLC0415 - only who converses needs it
        from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415 - the same

        headers = {**self._headers, **({} if key is None else {"authorization": f"Bearer {key.reveal()}"})}
        url = f"{self._url}/realtime?model={quote(self.model_id, safe='')}"
        try:
            return await connect(
                url, additional_headers=headers, user_agent_header=USER_AGENT, open_timeout=OPEN_S, max_size=MOST_BYTES
            )
        except InvalidStatus as error:
            said = error.response.body or b""
            raise make_error(
                error.response.status_code, "", redact(bytes(said).decode("utf-8", "replace"), [key]),
                provider=self.provider, secrets=[key],
            ) from error  # fmt: skip
        except (WebSocketException, OSError, TimeoutError) as error:
            raise ModelUnavailable(
                f"{self.provider} could not be reached.",
                adapter=self.provider,
                details={"cause": type(error).__name__},
            ) from error

    async def speakers(self) -> list[Speaker]:
        """The voices there are."""
        return [Speaker(name, {"name": name.title()}) for name in SPEAKERS]


class _Session(LiveSession):
    """One connection."""

    def __init__(self, socket: Any, key: Secret | None) -> None:
        self._socket = socket
        self._key = key

    async def put(self, event: Mapping[str, Any]) -> None:
        """Send one event of the protocol."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - loaded by `connect`

        try:
            await self._socket.send(dumps(event))
        except ConnectionClosed as error:
            raise self._lost() from error

    def _lost(self) -> StreamBroken:
        said = redact(self._socket.close_reason or "", [self._key])[:200]
        return StreamBroken(f"openai ended the conversation{f': {said}' if said else '.'}", adapter="openai")

    async def send(self, audio: bytes) -> None:
        """Sound of the person, as it comes."""
        if not isinstance(audio, bytes | bytearray | memoryview):
            raise InvalidInput("Sound is bytes.", hint="16-bit PCM, 24,000 samples a second.")
        for at in range(0, len(audio), PIECE):
            piece = base64.b64encode(bytes(audio[at : at + PIECE])).decode()
            await self.put({"type": "input_audio_buffer.append", "audio": piece})

    async def say(self, text: str) -> None:
        """Written words of the person, which ask for an answer."""
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.put({"type": "conversation.item.create", "item": said})
        await self.ask()

    async def answer_call(self, call_id: str, output: str) -> None:
        """What a tool answered."""
        said = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.put({"type": "conversation.item.create", "item": said})

    async def ask(self) -> None:
        """Ask for an answer now."""
        await self.put({"type": "response.create"})

    async def events(self) -> AsyncIterator[LiveEvent]:
        """What happens, until the end."""
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK  # noqa: PLC0415 - loaded by `connect`

        try:
            while True:
                event = self._read(await self._socket.recv())
                if event is not None:
                    yield event
        except ConnectionClosedOK:
            return
        except ConnectionClosed as error:
            raise self._lost() from error

    def _read(self, message: str | bytes) -> LiveEvent | None:
        try:
            return read_event(loads(message if isinstance(message, str) else message.decode()))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, InvalidInput) as error:
            raise ResponseMalformed(
                "openai sent an event of an unknown shape.", adapter="openai", details={"cause": type(error).__name__}
            ) from error

    async def close(self) -> None:
        """End the conversation."""
        await self._socket.close()


def read_event(event: Mapping[str, Any]) -> LiveEvent | None:
    """An event of the protocol as one of ours; None for those that tell a listener nothing."""
    match event["type"]:
        case "response.output_audio.delta" | "response.audio.delta":
            return LiveEvent("speaking", audio=base64.b64decode(event["delta"], validate=True))
        case (
            "response.output_audio_transcript.delta" | "response.audio_transcript.delta" | "response.output_text.delta"
        ):
            return LiveEvent("writing", text=event["delta"], role="assistant")
        case "response.output_audio_transcript.done" | "response.audio_transcript.done":
            return LiveEvent("writing", text=event["transcript"], role="assistant", done=True)
        case "response.output_text.done":
            return LiveEvent("writing", text=event["text"], role="assistant", done=True)
        case "conversation.item.input_audio_transcription.delta":
            return LiveEvent("writing", text=event["delta"], role="user")
        case "conversation.item.input_audio_transcription.completed":
            return LiveEvent("writing", text=event["transcript"], role="user", done=True)
        case "input_audio_buffer.speech_started":
            return LiveEvent("interrupted")
        case "response.function_call_arguments.done":
            return LiveEvent("tool-call", data=_call(event))
        case "response.done":
            return LiveEvent("answered", data=event.get("response", {}).get("usage"))
        case "error":
            return LiveEvent("error", text=redact(str(event["error"].get("message", ""))))
    return None


def _call(event: Mapping[str, Any]) -> ToolCall:
    raw = event["arguments"]
    try:
        arguments = loads(raw)
    except (ValueError, InvalidInput):
        arguments = None  # the model wrote no JSON; whoever runs the call tells it so
    whole = arguments if isinstance(arguments, dict) else None
    return ToolCall(call_id=event["call_id"], name=event["name"], arguments=whole, raw_arguments=raw)
