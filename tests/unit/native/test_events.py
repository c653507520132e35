"""An event of a stream is a named tuple that reads its own JSON."""

import pytest

from mastra.native.events import SseEvent


def test_an_event_reads_its_data_as_json():
    assert SseEvent("message", '{"a": [1]}', "", None).json() == {"a": [1]}


def test_data_that_is_no_json_is_an_error():
    with pytest.raises(ValueError):
        SseEvent("message", "[DONE]", "", None).json()
