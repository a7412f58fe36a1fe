from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.channels.text import (
    headline,
    labels_of,
    one_line,
    shorten,
    title_of,
)
from bellwire.model import DeliveryKind, Message
from bellwire.templating.escaping import clean
from bellwire.templating.view import link_of, whole_of
from channel_rigs import a_message, an_alert


def test_what_is_cut_says_so_and_where_the_whole_is() -> None:
    text = shorten("x" * 10_000, 200, "https://vendor.example/7")

    assert len(text) == 200
    assert text.endswith("… [cut, 10,000 characters; whole: https://vendor.example/7]")


def test_what_fits_is_left_whole() -> None:
    assert shorten("short\nand sweet", 200, "nowhere") == "short\nand sweet"


@given(st.text(), st.integers(min_value=80, max_value=300))
def test_no_text_comes_out_longer_than_asked_or_unfit_for_utf8(text: str, limit: int) -> None:
    for out in (shorten(text, limit, "W"), one_line(text, limit), clean(text)[:limit]):
        assert len(out) <= limit
        assert out.encode().decode() == out


@given(st.text(alphabet=st.characters(), max_size=300))
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text, 100).splitlines()) <= 1


def test_marks_that_turn_the_direction_of_text_are_taken_out() -> None:
    assert clean("in\u202evoice\u2066.exe\u2069") == "invoice.exe"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//no.scheme/x",
        "https://e.example/a b",
        "https://e.example/<!here>",
        "https://e.example/a|b",
        "https://e.example/\u202egpj",
        "https://e.example/" + "x" * 3000,
    ],
)
def test_an_address_that_cannot_be_followed_safely_is_no_link(url: str | None) -> None:
    assert link_of(an_alert(url=url)) is None
    assert whole_of(an_alert(url=url)) == "`bellwire explain 01JALERT000000000000000001`"


def test_an_alert_without_a_title_is_named_by_its_message_or_its_kind() -> None:
    assert title_of(an_alert(title=" \n", message="first\nsecond"), 100) == "first second"
    assert title_of(an_alert(title="", message=""), 100) == "alert from vision"


def test_labels_beyond_the_limit_are_counted() -> None:
    alert = an_alert(labels={f"l{n}": "v" for n in range(10)}, url=None)

    shown = labels_of(alert, 3)

    assert shown[:3] == [("l0", "v"), ("l1", "v"), ("l2", "v")]
    assert shown[3] == ("…", f"7 more labels; all: {whole_of(alert)}")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (a_message(an_alert(title="One")), "One"),
        (a_message(an_alert(title="One"), kind=DeliveryKind.REPLAY), "[replay] One"),
        (a_message(an_alert(title="One"), kind=DeliveryKind.DIGEST), "Digest: 1 alert"),
        (a_message(an_alert(), an_alert(), kind=DeliveryKind.GROUP, group_labels={"view": "a"}), "2 alerts · view=a"),
        (a_message(an_alert(), an_alert(), part=2, parts=3), "2 alerts (2 of 3)"),
        (a_message(alerts=(), kind=DeliveryKind.META, errors=("lost",)), "[Bellwire] lost"),
    ],
)
def test_the_headline_says_what_a_message_is_about(message: Message, expected: str) -> None:
    assert headline(message, 200) == expected
