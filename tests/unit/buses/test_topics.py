"""What a bus refuses before it sends."""

import pytest

from mastra.buses.topics import check_data, check_topic, number_of
from mastra.errors import InvalidInput


def test_topics_data_and_cursors_are_checked():
    assert check_topic("runs/a-1") == "runs/a-1"
    assert check_data({"a": [1, None]}) == {"a": [1, None]}
    assert number_of("12") == 12
    for work in (lambda: check_topic(" "), lambda: check_data([]), lambda: number_of("-1")):
        with pytest.raises(InvalidInput):
            work()
