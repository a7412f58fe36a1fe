"""Marking in bulk: what the vendor's answer does not confirm is marked alone, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from bellwire.apis.dialect import Call
from bellwire.apis.marking import Marking
from bellwire.apis.visual_layer import VisualLayer
from bellwire.config.schema import AccountConfig
from bellwire.errors import RateLimitedError, RejectedError, SourceError
from bellwire.model import MarkOutcome, Notification, Page, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT = AccountConfig(name="a", api="visual_layer", base_url="http://vl.test")


class Bulk(VisualLayer):
    """A vendor that marks three at a time and says how many it marked."""

    marks_per_call: int = 3

    def mark(self, upstream_ids: Sequence[str]) -> Call:
        assert upstream_ids
        return Call(method="POST", path="/read", body=list(upstream_ids))

    def all_marked(self, upstream_ids: Sequence[str], answer: Any) -> bool:
        return bool(answer["marked"] == len(upstream_ids))


class Vendor:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.skipped: set[str] = set()
        self.error: SourceError | None = None
        self.error_for = 2

    async def ask(self, call: Call) -> bytes:
        self.calls.append(call.body)
        if self.error is not None and len(call.body) >= self.error_for:
            raise self.error
        return orjson.dumps({"marked": len(set(call.body) - self.skipped)})

    async def page(self, cursor: str | None) -> Page:
        del cursor
        still = Notification(upstream_id="still", type="alert", severity=Severity.INFO, title="still")
        return Page(items=(still,), next_cursor=None)

    async def mark(self, *upstream_ids: str) -> list[MarkOutcome]:
        results = await Marking(Bulk(ACCOUNT), self.ask, self.page).run(upstream_ids)
        assert [result.upstream_id for result in results] == list(upstream_ids)
        return [result.outcome for result in results]


async def test_ids_go_in_calls_of_as_many_as_the_vendor_takes() -> None:
    vendor = Vendor()
    assert await vendor.mark("a", "b", "c", "d") == [MarkOutcome.CONFIRMED] * 4
    assert vendor.calls == [["a", "b", "c"], ["d"]]


async def test_a_lower_count_is_followed_by_single_marks_once() -> None:
    vendor = Vendor()
    vendor.skipped = {"b"}
    assert await vendor.mark("a", "b", "c") == [MarkOutcome.CONFIRMED] * 3
    assert vendor.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_a_call_that_is_rejected_is_followed_by_single_marks() -> None:
    vendor = Vendor()
    vendor.error = RejectedError("no", reason="http_422", status=422)
    assert await vendor.mark("a", "b") == [MarkOutcome.CONFIRMED] * 2
    assert vendor.calls == [["a", "b"], ["a"], ["b"]]


async def test_a_rate_limit_leaves_the_rest_for_later() -> None:
    vendor = Vendor()
    vendor.error = RateLimitedError("slower", reason="http_429", retry_after=1)
    ids = [f"n{number}" for number in range(60)]
    assert await vendor.mark(*ids) == [MarkOutcome.RETRY] * 60
    assert len(vendor.calls) <= 8


async def test_an_id_that_is_named_twice_is_marked_once() -> None:
    vendor = Vendor()
    assert await vendor.mark("a", "a") == [MarkOutcome.CONFIRMED] * 2
    assert vendor.calls == [["a"]]


async def test_what_is_gone_is_confirmed_only_if_it_is_not_listed() -> None:
    vendor = Vendor()
    vendor.error, vendor.error_for = RejectedError("no", reason="http_404", status=404), 1
    assert await vendor.mark("still") == [MarkOutcome.FAILED]
    assert await vendor.mark("gone") == [MarkOutcome.CONFIRMED]
