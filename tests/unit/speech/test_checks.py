"""What is refused before it is sent, and forms that another's parser reads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadDefinition, InvalidInput
from mastra.server.multipart import Upload, parse_form
from mastra.speech.checks import check_audio, check_text, form_of, pick_form


@pytest.mark.parametrize("text", ["", "  \n", None, b"bytes", "x" * 11])
def test_what_cannot_be_spoken_is_refused(text):
    with pytest.raises(InvalidInput):
        check_text(text, 10)


@pytest.mark.parametrize("audio", [b"", "text", None, b"x" * 11])
def test_what_cannot_be_heard_is_refused(audio):
    with pytest.raises(InvalidInput):
        check_audio(audio, 10)


def test_a_form_of_sound_is_known_or_suggested():
    assert pick_form({"mp3": "audio/mpeg"}, "mp3") == "audio/mpeg"
    with pytest.raises(BadDefinition, match="mp4") as refused:
        pick_form({"mp3": "audio/mpeg"}, "mp4")
    assert "mp3" in (refused.value.hint or "")


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(lambda s: "-" + s))
def test_any_recording_and_any_text_come_back_from_a_form(audio, text):
    content, kind = form_of(audio, "audio/mpeg; codecs=x", {"prompt": text, "diarize": True, "temperature": 0.5})
    fields = parse_form(content, kind)
    assert fields == {
        "prompt": text,
        "diarize": "true",
        "temperature": "0.5",
        "file": Upload(audio, "audio/mpeg", "audio.mp3"),
    }


@pytest.mark.parametrize(("kind", "fields"), [("nonsense", {}), ("audio/wav\r\nx: y", {}), ("audio/wav", {'a"; b': 1})])
def test_nothing_can_be_smuggled_into_a_form(kind, fields):
    with pytest.raises(InvalidInput):
        form_of(b"x", kind, fields)
