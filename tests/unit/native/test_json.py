"""A growing JSON text always has its best value, and its final value is the one `json` reads."""

import json
import math
import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeClosed, NativeError, NativeInvalidArgument, NativeInvalidEncoding, NativeLimit
from mastra.native.json import PartialJson, parse

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
LAYOUTS = st.sampled_from(
    [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":"), "ensure_ascii": False}]
)


def outcome(parser, chunks):
    try:
        for chunk in chunks:
            parser.feed(chunk)
        return parser.close()
    except NativeError as error:
        return type(error)


@given(VALUES, LAYOUTS, st.lists(st.integers(1, 7), min_size=1))
def test_any_value_comes_back_whatever_the_chunks(value, layout, steps):
    raw, parser, at, turn = json.dumps(value, **layout).encode(), PartialJson(), 0, 0
    while at < len(raw):
        step = steps[turn % len(steps)]
        parser.feed(raw[at : at + step])
        at, turn = at + step, turn + 1
    assert parser.close() == value
    assert parse(raw) == value
    assert json.dumps(parse(raw.decode())) == json.dumps(value)


@given(VALUES, LAYOUTS)
def test_every_prefix_has_the_same_value_in_both_faces_and_in_any_chunking(load_fallback, value, layout):
    raw = json.dumps(value, **layout).encode()[:300]
    by_bytes, twin = PartialJson(), load_fallback("json").PartialJson()
    for at in range(len(raw)):
        byte = raw[at : at + 1]
        assert json.dumps(by_bytes.feed(byte)) == json.dumps(twin.feed(byte))
        assert by_bytes.complete == twin.complete
        whole = PartialJson()
        assert json.dumps(whole.feed(raw[: at + 1])) == json.dumps(by_bytes.value)
        if by_bytes.complete:
            assert by_bytes.value == json.loads(raw[: at + 1])


MUTANTS = st.text(st.sampled_from('{}[]",:0123456789.-+eEtrufalsn\\ \n\u00e9'), max_size=14)


@given(MUTANTS, st.integers(1, 5))
def test_text_is_refused_or_read_exactly_as_json_reads_it(load_fallback, text, step):
    try:
        expected = json.loads(text)
    except ValueError:
        expected = NativeInvalidArgument
    chunks = [text[at : at + step] for at in range(0, len(text), step)]
    for make in (PartialJson, load_fallback("json").PartialJson):
        got = outcome(make(), chunks)
        if got is NativeLimit:  # 1e999 is infinite to json, and no JSON number
            assert any(math.isinf(float(number)) for number in re.findall(r"\d[\d.]*[eE]\+?\d+", text))
        else:
            assert got == expected


def shown(make, *chunks):
    parser = make()
    return [json.loads(json.dumps(parser.feed(chunk))) for chunk in chunks]


def test_what_a_partial_text_shows(face):
    make = face("json").PartialJson
    assert shown(make, '{"na', 'me": "O', "slo", '", "n": 1', "2", ".", '5, "ok": t', 'rue, "x": ') == [
        {},
        {"name": "O"},
        {"name": "Oslo"},
        {"name": "Oslo", "n": 1},
        {"name": "Oslo", "n": 12},
        {"name": "Oslo", "n": 12},
        {"name": "Oslo", "n": 12.5, "ok": True},
        {"name": "Oslo", "n": 12.5, "ok": True},
    ]
    assert shown(make, " ", "[", "-", "0", "e", "1", ",n") == [None, [], [], [0], [0], [0.0], [0.0, None]]


def test_characters_and_escapes_cut_anywhere_never_show_half_a_character(face):
    raw = '["é東🙂\\n\\u00e9\\ud83d\\ude42 \\\\"]'.encode()
    parser = face("json").PartialJson()
    seen = []
    for at in range(len(raw)):
        seen += parser.feed(raw[at : at + 1])
    assert all("é東🙂\né🙂 \\".startswith(text) for text in seen)
    assert parser.close() == ["é東🙂\né🙂 \\"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'"\ude42x"', "\ufffdx"),
        (r'"\ud83d\ud83d\ude42"', "\ufffd🙂"),
        (r'"\ud83d\n"', "\ufffd\n"),
        (r'"\ud83dx\u0041"', "\ufffdxA"),
    ],
)
def test_a_lone_surrogate_becomes_the_replacement_character(face, text, expected):
    assert face("json").parse(text) == expected
    parser = face("json").PartialJson()
    for letter in text:
        parser.feed(letter)
    assert parser.close() == expected


def test_the_last_of_duplicate_keys_wins(face):
    assert face("json").parse('{"a": 1, "b": [1], "a": {"c": 2}}') == {"a": {"c": 2}, "b": [1]}


def test_the_earlier_of_duplicate_keys_shows_until_the_later_has_a_value(face):
    make = face("json").PartialJson
    assert shown(make, '{"a": 1', ', "a"', ": [", "2]}") == [{"a": 1}, {"a": 1}, {"a": []}, {"a": [2]}]


def test_large_numbers_are_exact_or_refused(face):
    parse_json = face("json").parse
    assert parse_json(str(2**64 + 1)) == 2**64 + 1
    assert parse_json("-" + "9" * 4000) == -int("9" * 4000)
    assert parse_json("1e-999") == 0.0
    assert parse_json("5e-324") == 5e-324
    for text in ("1e999", "-1e999", "1" * 4301, "[1" + "0" * 5000 + "]"):
        with pytest.raises(NativeLimit):
            parse_json(text)


@pytest.mark.skipif(sys.get_int_max_str_digits() == 0, reason="this interpreter converts any number of digits")
def test_a_lower_limit_of_the_interpreter_is_a_typed_error(face):
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(700)
    try:
        with pytest.raises(NativeLimit, match="interpreter"):
            face("json").parse("9" * 800)
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "[", "{", '"a', "tru", "-", "1.", "01", "+1", ".5", "NaN", "Infinity", "[1,]", '{"a":1,}', "{a:1}"),
        *(
            "{'a':1}",
            "[1 2]",
            '{"a" 1}',
            "[}",
            "{]",
            "1 2",
            '"\n"',
            '"\\x"',
            '"\\u12g4"',
            "\ufeff1",
            "nulL",
            "[1]]",
            "//",
        ),
        "\x00",
    ],
)
def test_what_is_not_json_is_refused(face, text):
    with pytest.raises(NativeInvalidArgument, match="invalid JSON"):
        face("json").parse(text)


def test_an_error_keeps_the_value_and_stays(face):
    parser = face("json").PartialJson()
    parser.feed('{"a": [1, 2')
    with pytest.raises(NativeInvalidArgument):
        parser.feed(", ]")
    assert parser.value == {"a": [1, 2]}
    for call in (lambda: parser.feed("1"), parser.close):
        with pytest.raises(NativeInvalidArgument):
            call()


def test_bytes_that_are_no_utf8_and_text_that_cannot_be_utf8_are_refused(face):
    for chunk in (b'"\xff"', b'"\xed\xa0\x80"', '"\ud800"'):
        with pytest.raises(NativeInvalidEncoding):
            face("json").parse(chunk)


def test_depth_and_size_have_limits(face):
    module = face("json")
    assert module.parse("[" * 200 + "]" * 200)
    with pytest.raises(NativeLimit, match="deeper than 200"):
        module.parse("[" * 201)
    with pytest.raises(NativeLimit, match="deeper than 2"):
        module.PartialJson(max_depth=2).feed('{"a":[[')
    parser = module.PartialJson(max_bytes=4)
    parser.feed("[1,2")
    with pytest.raises(NativeLimit, match="larger than 4"):
        parser.feed("]")
    for wrong in ({"max_depth": 0}, {"max_depth": 10_001}, {"max_bytes": 0}):
        with pytest.raises(NativeInvalidArgument):
            module.PartialJson(**wrong)


def test_a_snapshot_does_not_change_with_the_next_feed(face):
    parser = face("json").PartialJson()
    parser.feed('{"done": [1], "open": [{"a": "x')
    before = parser.snapshot()
    parser.feed('y", "b": 2}, 3], "c": 4')
    assert before == {"done": [1], "open": [{"a": "x"}]}
    assert parser.snapshot() == parser.value == {"done": [1], "open": [{"a": "xy", "b": 2}, 3], "c": 4}


def test_a_text_that_was_held_does_not_change_either():
    parser = PartialJson()
    parser.feed('["abc')
    held = parser.value[0]
    parser.feed("def")
    assert (held, parser.value) == ("abc", ["abcdef"])


def test_a_value_changed_from_outside_is_an_error_and_no_crash():
    parser = PartialJson()
    parser.feed('[[1, "a').clear()
    parser.feed('b", 2]')
    parser = PartialJson()
    parser.feed('["a')
    parser.value.clear()
    with pytest.raises(NativeInvalidArgument, match="changed from outside"):
        parser.feed("b")


def test_a_closed_parser_takes_nothing(face):
    parser = face("json").PartialJson()
    parser.feed("12")
    assert not parser.complete
    assert parser.close() == 12
    with pytest.raises(NativeClosed):
        parser.feed("3")


def test_a_long_string_costs_its_own_bytes_only():
    def spent(tokens):
        parser = PartialJson()
        parser.feed('{"text": "')
        started = time.process_time()  # a busy machine does not count
        for _ in range(tokens):
            parser.feed("abcd")
        return time.process_time() - started

    small = min(spent(4_000) for _ in range(3))
    large = min(spent(40_000) for _ in range(3))
    assert large < small * 10 * 4  # quadratic growth would be a factor of 100
