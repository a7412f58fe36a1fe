from __future__ import annotations

from bellwire.web.bounds import Buckets


class Turned:
    """Monotonic time that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_and_then_one_at_a_time() -> None:
    clock = Turned()
    buckets = Buckets(2.0, 3.0, clock)
    assert [buckets.take("mia") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("mia") == 0.5
    clock.now = 0.5
    assert buckets.take("mia") == 0.0
    assert buckets.take("mia") == 0.5


def test_clients_have_a_bucket_each() -> None:
    buckets = Buckets(1.0, 1.0, Turned())
    assert buckets.take("mia") == 0.0
    assert buckets.take("noah") == 0.0
    assert buckets.take("mia") == 1.0


def test_asking_while_refused_does_not_put_it_off() -> None:
    clock = Turned()
    buckets = Buckets(1.0, 1.0, clock)
    buckets.take("mia")
    for tenth in range(1, 10):
        clock.now = tenth / 10
        assert buckets.take("mia") > 0
    clock.now = 1.0
    assert buckets.take("mia") == 0.0


def test_of_however_many_clients_only_so_many_are_remembered() -> None:
    buckets = Buckets(1.0, 1.0, Turned())
    for n in range(10_000):
        buckets.take(f"client-{n}")
    assert len(buckets._left) <= 2048  # noqa: SLF001 - what it must not outgrow
