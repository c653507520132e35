"""Long pauses are told to the model."""

from datetime import timedelta

import pytest
from tests.unit.memory.conftest import START, say

from mastra.memory.pauses import length_of, marked, since


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (timedelta(seconds=59), "a moment"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "1 hour"),
        (timedelta(hours=23), "23 hours"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_a_pause_is_told_in_its_largest_unit(pause, words):
    assert length_of(pause) == words


def test_only_users_who_come_back_after_a_while_are_marked():
    messages = [say("a"), say("b", at=599), say("c", at=599 + 600), say("d", role="assistant", at=9_000)]
    assert [len(message.parts) for message in marked(messages)] == [1, 1, 2, 1]
    assert marked(messages)[2].parts[0] == {"type": "text", "text": "[10 minutes later]"}
    assert [len(message.parts) for message in messages] == [1, 1, 1, 1], "what is kept stays as it was said"
    assert marked([]) == []


def test_the_time_since_the_last_message_is_told_when_it_is_long():
    assert since([say("a")], START + timedelta(hours=3)) == "The last message before this turn was 3 hours ago."
    assert since([say("a")], START + timedelta(minutes=9)) is None
    assert since([], START) is None
