"""What differs between two forms of a vendor's item, and what of it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bellwire.ledger.changes import Memory
from bellwire.ledger.differences import Difference, differences, told

if TYPE_CHECKING:
    from bellwire.model import Json


def changed(old: Json, new: Json, *besides: str, common: bool = False) -> dict[str, tuple[Json, Json]]:
    return {each.name: (each.old, each.new) for each in differences(old, new, besides, common=common)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {}),
        ({"a": None}, {}, {}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"a.b.c": (1, 2)}),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 3}, 2]}, {"a.0.b": (1, 3)}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": ([1], [1, 2])}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": ({"b": 1}, "text")}),
        ({"a": "x"}, {"b": "x"}, {"a": ("x", None), "b": (None, "x")}),
        ("text", {"a": 1}, {"": ("text", {"a": 1})}),
        ({"a": "1"}, {"a": 1}, {"a": ("1", 1)}),
    ],
)
def test_each_field_is_named_by_its_path(old: Json, new: Json, expected: dict[str, tuple[Json, Json]]) -> None:
    assert changed(old, new) == expected


def test_keys_that_are_left_out_are_those_at_the_top() -> None:
    assert changed({"read": 1, "a": {"read": 1}}, {"read": 2, "a": {"read": 2}}, "read") == {"a.read": (1, 2)}


def test_only_what_both_have_is_compared_where_that_is_asked_for() -> None:
    old, new = {"a": 1, "b": {"c": 1, "d": 1}, "e": 1}, {"a": 2, "b": {"c": 2}, "f": 1}
    assert changed(old, new, common=True) == {"a": (1, 2), "b.c": (1, 2)}


def test_what_is_nested_without_end_is_compared_whole() -> None:
    def nest(value: Json) -> Json:
        for _ in range(200):
            value = {"a": value}
        return value

    ((name, (old, new)),) = changed(nest(1), nest(2)).items()
    assert name == "a.a.a.a.a.a.a.a"
    assert old != new
    (field,) = told(differences(nest(1), nest(2)))["fields"]
    assert len(field["old"]) <= 202


def test_an_event_names_some_fields_and_counts_the_rest() -> None:
    detail = told(differences({}, {f"field {number:02}": number for number in range(33)}))
    assert [each["name"] for each in detail["fields"]] == [f"field {number:02}" for number in range(20)]
    assert detail["more"] == 13


@pytest.mark.parametrize("value", [True, 7, 1.5, "text", None])
def test_scalars_are_kept_as_they_are_and_the_rest_as_its_json(value: Json) -> None:
    (field,) = told([Difference(name="a", old=value, new={"b": [1]})])["fields"]
    assert (field["old"], field["new"]) == (value, '{"b":[1]}')


def test_long_texts_are_cut_around_the_place_where_they_differ() -> None:
    old, new = "x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500
    (field,) = told([Difference(name="n" * 500, old=old, new=new)])["fields"]
    assert field["old"] == "…" + "x" * 20 + "old" + "y" * 177 + "…"
    assert field["new"] == "…" + "x" * 20 + "new" + "y" * 177 + "…"
    assert field["name"] == "n" * 100 + "…"


@pytest.mark.parametrize(("old", "new"), [("a" * 1000, "a" * 1001), ("a" * 1001, "a" * 1000), ("", "b" * 1000)])
def test_what_a_text_gained_or_lost_at_its_end_is_seen(old: str, new: str) -> None:
    (field,) = told([Difference(name="a", old=old, new=new)])["fields"]
    assert field["old"] != field["new"]


def test_the_digest_tells_every_content_from_others_though_its_texts_are_cut() -> None:
    def digest(old: Json, new: Json) -> Any:
        return told(differences(old, new))["digest"]

    end = {"a": "x" * 900 + "1"}, {"a": "y" * 900 + "2"}, {"a": "y" * 900 + "3"}
    assert digest(end[0], end[0]) == ""
    assert len({digest(end[0], end[1]), digest(end[0], end[2]), ""}) == 3
    assert digest({"a": 1, "b": 1}, {"a": 2, "b": 2}) == digest({"b": 1, "a": 1}, {"b": 2, "a": 2})


def test_what_is_kept_is_json() -> None:
    odd = orjson.loads(b'{"a": "\\u0000", "b": 18446744073709551615, "c": 1e300}')
    assert orjson.loads(orjson.dumps(told(differences({}, odd))))["more"] == 0


def test_a_memory_keeps_what_is_asked_for_and_forgets_the_rest() -> None:
    memory = Memory(10)
    memory.keep(0, 100)
    for number in range(1, 1000):
        memory.keep(number, number)
        assert memory.get(0) == 100
        assert len(memory) <= 20
    assert memory.get(999) == 999
    assert memory.get(1) is None
