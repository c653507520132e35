"""The samples are what botocore and the SSE format say they are."""

from __future__ import annotations

import pytest

from mastra.testing.wire_samples import WIRE_FORMATS, event_stream_message


def test_botocore_reads_our_event_stream():
    eventstream = pytest.importorskip("botocore.eventstream", reason="botocore is the oracle of this test")
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(
        event_stream_message("contentBlockDelta", b'{"a":1}') + event_stream_message("!someException", b"{}")
    )
    first, second = list(buffer)
    assert (first.headers[":event-type"], first.payload) == ("contentBlockDelta", b'{"a":1}')
    assert second.headers[":exception-type"] == "someException"


@pytest.mark.parametrize("wire", WIRE_FORMATS.values(), ids=WIRE_FORMATS)
def test_every_format_has_its_samples(wire):
    assert 0 < wire.terminal < len(wire.text(["x"]))
    assert wire.encode(wire.call("t", "c", ['{"a":1}'])).count(b"t") > 0
    assert wire.encode([wire.overloaded])
