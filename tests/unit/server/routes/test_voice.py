"""Speaking and hearing over HTTP, as the recorded exchanges have it."""

from __future__ import annotations

import base64

import httpx
import pytest

from mastra import Agent, Mastra
from mastra.errors import SpeechError
from mastra.ports.speech import Speaker, Synthesizer, Transcriber
from mastra.server.http import create_app
from mastra.voice.voice import Voice

KIND = "multipart/form-data; boundary=----formdata-undici-053866100714"
FORM = (
    b'------formdata-undici-053866100714\r\nContent-Disposition: form-data; name="audio"; filename="blob"\r\n'
    b"Content-Type: audio/wav\r\n\r\nxx\r\n------formdata-undici-053866100714--\r\n"
)


class Mouth(Synthesizer):
    async def speak(self, text, *, speaker=None, **options):
        if text == "busy":
            raise SpeechError("Out of order.", adapter="mouth")
        yield b"AU"
        yield b"DIO" + (speaker or "").encode()

    async def speakers(self):
        return [Speaker("v1", {"name": "Voice One"})]


class Ear(Transcriber):
    async def transcribe(self, audio, *, media_type="audio/wav", **options):
        assert audio == b"xx"
        return " ".join(["heard text", *(f"{key}={value}" for key, value in options.items())])


def by_request(context):
    return Voice(output=Mouth(), speaker=context.get("speaker")) if context.get("paid") else None


@pytest.fixture
async def client():
    agents = [
        Agent("talker", model="scripted/hi", voice=Voice(output=Mouth(), input=Ear())),
        Agent("mute", model="scripted/hi"),
        Agent("choosy", model="scripted/hi", voice=by_request),
    ]
    app = create_app(Mastra(agents=agents))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/agents") as made:
        yield made


async def test_the_recorded_exchanges(client):
    assert (await client.get("/talker/voice/speakers")).json() == [{"voiceId": "v1", "name": "Voice One"}]
    assert (await client.get("/mute/voice/speakers")).json() == []
    assert (await client.get("/talker/voice/listener")).json() == {"enabled": True}
    spoken = await client.post("/talker/voice/speak", json={"text": "hi"})
    assert (spoken.status_code, spoken.headers["content-type"], spoken.content) == (200, "audio/mpeg", b"AUDIO")
    heard = await client.post("/talker/voice/listen", content=FORM, headers={"content-type": KIND})
    assert heard.json() == {"text": "heard text"}


async def test_the_older_paths_speakers_and_options(client):
    assert (await client.get("/talker/speakers")).json()[0]["voiceId"] == "v1"
    spoken = await client.post("/talker/speak", json={"text": "hi", "speakerId": "v2"})
    assert spoken.content == b"AUDIOv2"
    body = {"audio": base64.b64encode(b"xx").decode(), "options": {"language": "en", "secret": "x"}}
    assert (await client.post("/talker/listen", json=body)).json() == {"text": "heard text language=en"}


async def test_a_voice_may_depend_on_the_request(client):
    assert (await client.get("/choosy/voice/listener")).json() == {"enabled": False}
    given = base64.b64encode(b'{"paid": true, "speaker": "vip"}').decode()
    assert (await client.get(f"/choosy/voice/speakers?requestContext={given}")).json()[0]["voiceId"] == "v1"


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/mute/voice/speak", {"json": {"text": "hi"}}, 400),
        ("/mute/voice/listen", {"json": {"audio": "eHg="}}, 400),
        ("/nobody/voice/speak", {"json": {"text": "hi"}}, 404),
        ("/talker/voice/speak", {"json": {}}, 400),
        ("/talker/voice/speak", {"json": {"text": "busy"}}, 500),
        ("/talker/voice/speak", {"content": FORM, "headers": {"content-type": KIND}}, 415),
        ("/talker/voice/listen", {"json": {"audio": "no base64!"}}, 400),
        ("/talker/voice/listen", {"json": {"audio": 3}}, 400),
        ("/talker/voice/listen", {"content": FORM[:-20], "headers": {"content-type": KIND}}, 400),
    ],
)
async def test_what_cannot_be_done_is_refused(client, path, sent, status):
    answer = await client.post(path, **sent)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
