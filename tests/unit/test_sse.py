"""Server-Sent Events are read as the standard says, however the bytes are split."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bellwire.apis.sse import LIMIT, Oversized, ServerSentEvent, SseParser


def read(*chunks: bytes, limit: int = LIMIT) -> list[ServerSentEvent | Oversized]:
    parser = SseParser(limit=limit)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def datas(*chunks: bytes) -> list[str]:
    return [event.data for event in read(*chunks) if isinstance(event, ServerSentEvent)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\n", ["a"], id="LF"),
        pytest.param(b"data: a\r\rdata: b\r\r", ["a", "b"], id="CR"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"], id="CRLF"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r", ["a", "b", "c", "d"], id="mixed"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", ["a"], id="a BOM at the start"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="a second BOM is part of a name"),
        pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"], id="a BOM later is part of a name"),
        pytest.param(b": hello\n\ndata: a\n: again\ndata: b\n\n:\n\n", ["a\nb"], id="comments"),
        pytest.param(b"data: a\ndata:  b\ndata\ndata:\ndata:c\n\n", ["a\n b\n\n\nc"], id="several lines"),
        pytest.param(b"data\n\ndata\ndata\n\ndata:", ["", "\n"], id="the standard's own example of empty data"),
        pytest.param(b"data:test\n\ndata: test\n\n", ["test", "test"], id="one space is no data"),
        pytest.param(b"data :a\n data: a\nDATA: a\n\n", [], id="odd spaces and capitals make another name"),
        pytest.param(b"data:\ta\n\n", ["\ta"], id="a tab is data"),
        pytest.param(b"data: a: b\n\n", ["a: b"], id="only the first colon counts"),
        pytest.param(b"foo: bar\nbaz\n\ndata: a\n\n", ["a"], id="unknown fields"),
        pytest.param(b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", ["a", "b"], id="blank lines without an event"),
        pytest.param(b"data: a\n", [], id="no blank line at the end"),
        pytest.param(b"data: a\n\ndata: b", ["a"], id="no line end at the end"),
        pytest.param(
            "data: a\u2028b\u0085c\u000bd\u000ce\n\n".encode(), ["a\u2028b\u0085c\u000bd\u000ce"], id="U+2028"
        ),
        pytest.param("data: Grüße 🔔\n\n".encode(), ["Grüße 🔔"], id="UTF-8"),
        pytest.param(b"data: a\xff\xc3\n\n", ["a\ufffd\ufffd"], id="broken UTF-8"),
        pytest.param(b"data: a\x00b\n\n", ["a\x00b"], id="NUL in data"),
    ],
)
def test_data_is_read_as_the_standard_says(stream: bytes, expected: list[str]) -> None:
    assert datas(stream) == expected
    assert datas(*(bytes([byte]) for byte in stream)) == expected


def test_an_event_has_its_own_name_and_the_last_id() -> None:
    stream = b"event: add\nid: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 2\n\ndata: d\n\n"
    assert read(stream) == [
        ServerSentEvent("a", "add", "1"),
        ServerSentEvent("b", "message", "1"),
        ServerSentEvent("c", "message", ""),
        ServerSentEvent("d", "message", "2"),
    ]


def test_an_empty_name_is_message() -> None:
    assert read(b"event:\ndata: a\n\n") == [ServerSentEvent("a", "message", "")]


def test_an_id_with_nul_is_ignored() -> None:
    assert read(b"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n")[1] == ServerSentEvent("b", "message", "1")


def test_an_id_counts_only_when_its_event_has_ended() -> None:
    parser = SseParser()
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_event_id == "1"
    parser.feed(b"\n")
    assert parser.last_event_id == "2"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"1500", 1500), (b"0", 0), (b"-1", None), (b"1.5", None), (b"", None), (b"10s", None), ("٣".encode(), None)],
)
def test_retry_is_digits_only(value: bytes, expected: int | None) -> None:
    parser = SseParser()
    parser.feed(b"retry: " + value + b"\n\n")
    assert parser.retry == expected


@pytest.mark.parametrize("before", [b"", b"data: before\n\n", b"event: x\r\n"])
def test_an_event_over_the_limit_is_reported_once_and_those_after_it_are_read(before: bytes) -> None:
    stream = before + b"data: " + b"x" * 200 + b"\ndata: " + b"y" * 200 + b"\nid: 7\n\ndata: after\n\n"
    found = read(stream, limit=100)
    assert [event for event in found if isinstance(event, Oversized)] == [Oversized(100)]
    assert found[-1] == ServerSentEvent("after", "message", "")


def test_many_lines_that_are_too_much_together_are_oversized() -> None:
    assert read(b"data: 1234\n" * 10 + b"\ndata: a\n\n", limit=100) == [Oversized(100), ServerSentEvent("a")]


def test_an_event_of_just_the_limit_is_read() -> None:
    assert datas(b"data: " + b"x" * (LIMIT - 6) + b"\n\n") == ["x" * (LIMIT - 6)]
    assert read(b"data: " + b"x" * (LIMIT - 5) + b"\n\n") == [Oversized(LIMIT)]


def test_comments_without_end_are_no_event_and_do_not_use_it_up() -> None:
    parser = SseParser(limit=100)
    for _ in range(1000):
        assert parser.feed(b": still there\n") == []
    assert parser.feed(b"data: a\n\n") == [ServerSentEvent("a")]


def test_a_line_that_never_ends_takes_no_memory() -> None:
    parser = SseParser()
    piece = b"x" * 65_536
    tracemalloc.start()
    try:
        found = [event for _ in range(256) for event in parser.feed(piece)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [Oversized(LIMIT)]
    assert peak < 4 * LIMIT
    assert parser.feed(b"\n\ndata: a\n\n") == [ServerSentEvent("a")]


def test_an_event_of_endless_lines_takes_no_memory() -> None:
    parser = SseParser()
    piece = b"data\n" * 13_000
    tracemalloc.start()
    try:
        found = [event for _ in range(128) for event in parser.feed(piece)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [Oversized(LIMIT)]
    assert peak < 8 * LIMIT


FIELDS = b"data: a|data:|data|:|: note|id: 1|id|event: e|retry: 5|foo|data: |xxxxxxxxx".split(b"|")
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"]
ODD = [b" ", b"\xef\xbb\xbf", b"\xc3", b"\xbc", b"\0"]
pieces = st.lists(st.sampled_from([*FIELDS, *ENDS, *ODD]), max_size=40).map(b"".join)


@settings(deadline=None)
@given(pieces, st.data(), st.integers(5, 60))
@example(b"\xef\xbb", None, 60)
def test_any_split_gives_the_same_events(stream: bytes, data: st.DataObject | None, limit: int) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)))) if data else [1]
    places = sorted({0, *cuts, len(stream)})
    whole, split = SseParser(limit=limit), SseParser(limit=limit)
    expected = whole.feed(stream)
    assert [event for a, b in pairwise(places) for event in split.feed(stream[a:b])] == expected
    assert (split.last_event_id, split.retry) == (whole.last_event_id, whole.retry)


@settings(deadline=None)
@given(pieces)
def test_events_are_those_of_a_plain_reading_line_by_line(stream: bytes) -> None:
    assert read(stream) == plainly(stream)


def plainly(stream: bytes) -> list[ServerSentEvent | Oversized]:
    """The standard's algorithm, word by word, over the whole text at once."""
    text = stream.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    found: list[ServerSentEvent | Oversized] = []
    data, event, last_id = "", "", ""
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append(ServerSentEvent(data.removesuffix("\n"), event or "message", last_id))
            data = event = ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return found
