"""Voice: what an agent speaks and hears over HTTP."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, Unsupported
from mastra.server.multipart import Upload
from mastra.server.problems import Refused
from mastra.server.replies import Stream
from mastra.server.table import takes_files

if TYPE_CHECKING:
    from mastra.server.call import Call
    from mastra.voice.voice import Voice


async def _voice(call: Call) -> Voice | None:
    agent = call.mastra.get_agent(call.params["agentId"])
    if agent.voice is None:
        return None
    try:
        voice: Voice = await agent.voice_for(call.context)
    except Unsupported:
        return None  # a function of the request that gives this caller no voice
    return voice


async def _needed(call: Call) -> Voice:
    voice = await _voice(call)
    if voice is None:
        raise Refused(400, {"error": "Agent does not have voice capabilities"})
    return voice


async def speakers(call: Call) -> list[dict[str, Any]]:
    """The voices of an agent; none when it has no voice."""
    voice = await _voice(call)
    return [] if voice is None else await voice.speakers()


async def listener(call: Call) -> dict[str, bool]:
    """Whether an agent can hear."""
    voice = await _voice(call)
    return {"enabled": voice is not None and (voice.can_hear or voice.can_converse)}


async def speak(call: Call) -> Stream:
    """A text as sound, sent while it is made."""
    voice = await _needed(call)
    sound = voice.speak(call.body["text"], speaker=call.body.get("speakerId"))
    return Stream(sound, content_type=voice.media_type.encode(), beats=False)


@takes_files
async def listen(call: Call) -> dict[str, str]:
    """The words in a recording: a file of a form, or base64 in JSON."""
    voice = await _needed(call)
    audio, media_type = _recording(call.body["audio"])
    return {"text": await voice.listen(audio, media_type=media_type, **_options(call.body.get("options")))}


def _recording(given: Any) -> tuple[bytes, str | None]:
    if isinstance(given, Upload):
        known = given.media_type.startswith(("audio/", "video/"))
        return given.body, given.media_type if known else None
    if not isinstance(given, str):
        raise InvalidInput("audio is a file of a form, or base64.")
    try:
        return base64.b64decode(given, validate=True), None
    except (ValueError, binascii.Error):
        raise InvalidInput("audio is not base64.") from None


# What a caller may say about the recording; a provider's other options are the server's.
_SAID = ("language", "prompt", "temperature")


def _options(given: dict[str, Any] | None) -> dict[str, Any]:
    return {name: given[name] for name in _SAID if given and isinstance(given.get(name), str | int | float)}


_ONE = "/agents/:agentId"
ROUTES = {
    f"GET {_ONE}/voice/speakers": speakers,
    f"GET {_ONE}/speakers": speakers,
    f"GET {_ONE}/voice/listener": listener,
    f"POST {_ONE}/voice/speak": speak,
    f"POST {_ONE}/speak": speak,
    f"POST {_ONE}/voice/listen": listen,
    f"POST {_ONE}/listen": listen,
}
