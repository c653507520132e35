"""Repeats: whatever is read by comparing is what the parser would have read."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mastra.providers.composer import Composer
from mastra.providers.openai_chat import ChatDecoder
from mastra.providers.repeats import Repeats
from mastra.types.model import ModelRequest


def event(text, **more):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "created": 1, "model": "m", "choices": [choice], **more}


TEXTS = st.text(st.sampled_from('ab "\\\n\té\u2028{}:,[]x'), max_size=6) | st.text(max_size=6)
DUMPS = st.sampled_from([
    json.dumps,
    lambda value: json.dumps(value, separators=(",", ":")),
    lambda value: json.dumps(value, ensure_ascii=False),
])  # fmt: skip


@given(st.lists(TEXTS, max_size=12), DUMPS)
def test_it_reads_what_the_parser_reads(texts, dumps):
    repeats = Repeats()
    for text in texts:
        data = dumps(event(text))
        found = repeats.text(data)
        if found is None:
            repeats.learn(data, "content", text)
        else:
            assert found == text


@given(
    st.lists(
        st.tuples(TEXTS, st.sampled_from([{}, {"usage": {"total_tokens": 3}}, {"id": "d"}, {"x": '"content":"a"'}])),
        max_size=12,
    ),
    DUMPS,
)
def test_a_decoder_that_compares_says_what_one_that_parses_says(events, dumps):
    def read(compare):
        decoder = ChatDecoder("p", "m", ModelRequest(messages=()), Composer())
        if not compare:
            decoder._repeats._left = 0
        for text, more in events:
            decoder.read("message", dumps(event(text, **more)))
        return decoder.composer.take(), decoder.composer.usage

    assert read(compare=True) == read(compare=False)


def test_a_text_that_stands_twice_or_needs_escapes_is_parsed():
    repeats = Repeats()
    twice = json.dumps({**event("a"), "note": {"content": "a"}})
    repeats.learn(twice, "content", "a")
    assert repeats.text(twice) is None
    repeats.learn(json.dumps(event("a")), "content", "a")
    assert repeats.text(json.dumps(event("b"))) == "b"
    for text in ('"', "\\", "\n", "", 'x"},{"content":"y'):
        assert repeats.text(json.dumps(event(text))) is None


def test_events_that_differ_elsewhere_are_soon_left_alone():
    repeats = Repeats()
    for number in range(20):
        repeats.learn(json.dumps(event("a", number=number)), "content", "a")
    assert repeats.text(json.dumps(event("b", number=19))) is None
