"""Token buckets: bursts pass, floods wait, and strangers do not fill the memory."""

from mastra.server.limits import Limiter, Rate


class Hand:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def test_a_burst_passes_and_the_next_one_waits():
    hand = Hand()
    limiter = Limiter(Rate(per_second=2, burst=3), now=hand)
    assert [limiter.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limiter.take("a") == 0.5
    assert limiter.take("b") == 0.0, "another name has its own bucket"
    hand.time = 0.5
    assert limiter.take("a") == 0.0


def test_asking_how_long_takes_nothing():
    limiter = Limiter(Rate(per_second=1, burst=1), now=Hand())
    assert [limiter.wait("a") for _ in range(5)] == [0.0] * 5
    limiter.take("a")
    assert limiter.wait("a") == 1.0


def test_a_full_bucket_does_not_overflow():
    hand = Hand()
    limiter = Limiter(Rate(per_second=100, burst=2), now=hand)
    limiter.take("a")
    hand.time = 1_000.0
    assert [limiter.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_the_one_used_longest_ago_is_forgotten():
    limiter = Limiter(Rate(per_second=1, burst=1), keep=10, now=Hand())
    for name in range(1_000):
        limiter.take(str(name))
    assert len(limiter._buckets) == 10
