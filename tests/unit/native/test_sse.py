"""Streams are cut into the same events however the bytes arrive, by both faces of the parser."""

import json
from pathlib import Path

import pytest
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeClosed, NativeInvalidArgument, NativeInvalidEncoding, NativeLimit
from mastra.native.sse import NdjsonParser, RecordParser, SseEvent, SseParser

STREAMS = Path(__file__).parent / "streams"
SSE_STREAMS = sorted(STREAMS.glob("*.sse"))


def events_of(parser, *chunks):
    return [event for chunk in chunks for event in parser.feed(chunk)]


def by_httpx(text):
    """The oracle; it keeps what the format drops, so only events with a data line are comparable."""
    lines, decoder, out = SSELineDecoder(), SSEDecoder(), []
    for line in [*lines.decode(text), *lines.flush()]:
        event = decoder.decode(line)
        if event is not None:
            out.append((event.event or "message", event.data, event.id, event.retry))
    return out


@pytest.mark.parametrize("path", SSE_STREAMS, ids=lambda path: path.name)
def test_every_split_point_of_a_recorded_stream_gives_the_same_events(face, path):
    raw = path.read_bytes()
    make = face("sse").SseParser
    whole = make().feed(raw)
    assert len(whole) >= 4
    for at in range(len(raw) + 1):
        assert events_of(make(), raw[:at], raw[at:]) == whole
    assert events_of(make(), *(raw[at : at + 1] for at in range(len(raw)))) == whole


@pytest.mark.parametrize("path", SSE_STREAMS, ids=lambda path: path.name)
def test_a_recorded_stream_reads_as_httpx_sse_reads_it(face, path):
    text = path.read_bytes().decode("utf-8-sig")
    assert face("sse").SseParser().feed(path.read_bytes()) == by_httpx(text)


FIELDS = st.sampled_from(
    [
        "data: x",
        "data:{}",
        "data: é\u2028",
        "data",
        "data:",
        "event: a",
        "event:b",
        "id: 7",
        "id",
        "retry: 10",
        ": c",
        "other: 1",
        "data: ",
    ]
)
BLOCKS = st.lists(FIELDS, max_size=4).map(lambda lines: ["data: always", *lines])


@given(st.lists(BLOCKS, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(1, 12), min_size=1))
def test_any_stream_cut_anywhere_reads_as_httpx_sse_reads_it(blocks, end, steps):
    text = "".join("".join(line + end for line in lines) + end for lines in blocks)
    raw, parser, got, at, turn = text.encode(), SseParser(), [], 0, 0
    while at < len(raw):
        step = steps[turn % len(steps)]
        got += parser.feed(raw[at : at + step])
        at, turn = at + step, turn + 1
    assert got == by_httpx(text)


def test_an_event_is_a_tuple_with_names(face):
    (event,) = face("sse").SseParser().feed(b'event: ping\nid: 4\nretry: 30\ndata: {"a": 1}\n\n')
    assert event == ("ping", '{"a": 1}', "4", 30)
    assert isinstance(event, SseEvent)
    assert (event.event, event.id, event.retry) == ("ping", "4", 30)
    assert event.json() == {"a": 1}


def test_a_block_without_data_is_no_event_but_its_id_and_retry_stay(face):
    parser = face("sse").SseParser()
    assert parser.feed(b"event: x\nid: 9\nretry: 77\n\n") == []
    assert (parser.last_event_id, parser.retry) == ("9", 77)
    assert parser.feed(b"data: y\n\n") == [("message", "y", "9", None)]


@pytest.mark.parametrize(
    "field", [b"retry: +5", b"retry: 5x", b"retry:", b"retry: \xd9\xa5", b"retry: 9999999999999999999"]
)
def test_a_retry_that_is_no_number_is_ignored(face, field):
    assert face("sse").SseParser().feed(field + b"\ndata: a\n\n") == [("message", "a", "", None)]


def test_an_id_with_a_nul_is_ignored(face):
    assert face("sse").SseParser().feed(b"id: a\nid: b\0c\ndata: 1\n\n")[0].id == "a"


def test_only_a_byte_order_mark_at_the_very_start_is_removed(face):
    mark = b"\xef\xbb\xbf"
    assert face("sse").SseParser().feed(mark + b"data: 1\n\n" + mark + b"data: 2\n\n") == [("message", "1", "", None)]


def test_an_unfinished_event_is_dropped_and_the_parser_says_so(face):
    parser = face("sse").SseParser()
    assert parser.feed(b"data: 1\n\ndata: 2\n") == [("message", "1", "", None)]
    assert parser.incomplete
    parser.close()
    with pytest.raises(NativeClosed):
        parser.feed(b"\n")


def test_bytes_that_are_no_utf8_are_an_error_after_the_events_before_them(face):
    parser = face("sse").SseParser()
    assert parser.feed(b"data: 1\n\ndata: \xff\n\ndata: 3\n\n") == [("message", "1", "", None)]
    for call in (lambda: parser.feed(b"data: 4\n\n"), parser.close):
        with pytest.raises(NativeInvalidEncoding, match="line 3") as caught:
            call()
        assert caught.value.code == "native-invalid-encoding"


@pytest.mark.parametrize("bad", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82"])
def test_each_kind_of_wrong_utf8_is_refused(face, bad):
    with pytest.raises(NativeInvalidEncoding):
        face("sse").SseParser().feed(b": " + bad + b"\n")


def test_a_line_over_its_limit_is_refused_before_it_ends(face):
    parser = face("sse").SseParser(max_line_bytes=10)
    assert parser.feed(b"data: 1234\n\ndata: 5") == [("message", "1234", "", None)]
    with pytest.raises(NativeLimit, match="line 3"):
        parser.feed(b"6789")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", range(6, 13))
def test_a_line_is_measured_the_same_however_it_arrives(face, mark, size):
    line, seen = mark + b"data: " + b"x" * size + b"\n\n", set()
    for step in (1, 3, len(line)):
        parser = face("sse").SseParser(max_line_bytes=16)
        try:
            seen.add(str(events_of(parser, *(line[at : at + step] for at in range(0, len(line), step)))))
        except NativeLimit as error:
            seen.add(str(error))
    assert len(seen) == 1


def test_an_event_over_its_limit_is_refused(face):
    parser = face("sse").SseParser(max_event_bytes=5)
    assert parser.feed("data: ü\ndata: ab\n\n".encode())[0].data == "ü\nab"
    with pytest.raises(NativeLimit, match="larger than 5 bytes"):
        parser.feed("data: ü\ndata: abc\n".encode())


@pytest.mark.parametrize("limits", [{"max_line_bytes": 0}, {"max_event_bytes": 0}])
def test_limits_of_nothing_are_refused(face, limits):
    with pytest.raises(NativeInvalidArgument):
        face("sse").SseParser(**limits)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_can_be_fed(face, wrap):
    assert face("sse").SseParser().feed(wrap(b"data: 1\n\n"))[0].data == "1"


def test_text_is_refused_because_only_bytes_can_be_cut_anywhere():
    with pytest.raises(TypeError):
        SseParser().feed("data: 1\n\n")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_workflow_records_are_cut_at_each_separator_from_any_chunking(face):
    raw = (STREAMS / "workflow.rec").read_bytes()
    make = face("sse").RecordParser
    whole = make().feed(raw)
    assert [json.loads(record)["type"] for record in whole] == [
        "workflow-start",
        "workflow-step-start",
        "workflow-finish",
    ]
    for at in range(len(raw) + 1):
        assert events_of(make(), raw[:at], raw[at:]) == whole


def test_lines_of_json_are_cut_from_any_chunking(face):
    raw = (STREAMS / "ollama.ndjson").read_bytes()
    make = face("sse").NdjsonParser
    whole = make().feed(raw)
    assert [json.loads(line)["done"] for line in whole] == [False, False, False, True]
    for at in range(len(raw) + 1):
        assert events_of(make(), raw[:at], raw[at:]) == whole
    assert events_of(make(), *(raw[at : at + 1] for at in range(len(raw)))) == whole


def test_ndjson_takes_crlf_skips_blank_lines_and_returns_the_last_line_on_close(face):
    parser = face("sse").NdjsonParser()
    assert parser.feed(b'{"a":1}\r\n\n  \n{"b":2}\n{"c"') == ['{"a":1}', '{"b":2}']
    assert parser.incomplete
    assert parser.feed(b":3}") == []
    assert parser.close() == ['{"c":3}']
    with pytest.raises(NativeClosed):
        parser.feed(b"\n")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t "), min_size=1)), st.integers(1, 9))
def test_ndjson_gives_back_the_lines_it_was_made_of(lines, step):
    raw, parser = "".join(line + "\n" for line in lines).encode(), NdjsonParser()
    assert [line for at in range(0, len(raw), step) for line in parser.feed(raw[at : at + step])] == lines


def test_a_record_that_is_no_utf8_or_too_long_is_an_error_after_the_records_before_it(face):
    parser = face("sse").RecordParser(max_record_bytes=8)
    assert parser.feed(b"{}\x1e\xff\x1e") == ["{}"]
    with pytest.raises(NativeInvalidEncoding, match="record 2"):
        parser.close()
    with pytest.raises(NativeLimit):
        face("sse").RecordParser(max_record_bytes=8).feed(b"123456789")


def test_records_may_follow_the_json_text_sequence_format():
    assert RecordParser().feed(b'\x1e{"a":1}\n\x1e{"b":2}\n\x1e') == ['{"a":1}', '{"b":2}']
