"""The pure-Python stream parsers give the compiled ones' events and errors on any bytes, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeError
from mastra.native import sse

ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\x1e"]
WORDS = [b"data", b"data: ", b":", b": ", b" ", b"x", b"event", b"id", b"retry", b"12", b"\0"]
BYTES = [b"\xc3", b"\xa6", b"\xff", b"\xef\xbb\xbf"]
SMALL = {"max_line_bytes": 12, "max_event_bytes": 9}
RECORD = {"max_record_bytes": 9}


def story(parser, raw, step):
    """Everything that happens: what was handed out, and the error that ended it."""
    out = []
    try:
        for at in range(0, len(raw), step):
            out += parser.feed(raw[at : at + step])
        out.append(parser.incomplete)
        out += parser.close() or []
    except NativeError as error:
        out.append((type(error), error.message))
    return out


@pytest.mark.parametrize(
    ("name", "limits"),
    [("SseParser", SMALL), ("SseParser", {}), ("RecordParser", RECORD), ("NdjsonParser", RECORD)],
)
@given(pieces=st.lists(st.sampled_from(ENDS + WORDS + BYTES), max_size=25), step=st.integers(1, 9))
def test_any_bytes_have_the_same_story_in_both_faces(load_fallback, name, limits, pieces, step):
    raw = b"".join(pieces)
    compiled, twin = getattr(sse, name), getattr(load_fallback("sse"), name)
    assert story(compiled(**limits), raw, step) == story(twin(**limits), raw, step)
