from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bellwire.reference.settings import SetupError
from bellwire.reference.store import DuplicateItemError, Inbox, NewItem, Selection, Store, micros

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANN = Inbox(api="visual_layer", user="ann")
BOB = Inbox(api="visual_layer", user="bob")
ANN_ELSEWHERE = Inbox(api="elan", user="ann")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL = Selection()
UNREAD = Selection(unread_only=True)


def item(item_id: str, minutes: int = 0, **facets: str) -> NewItem:
    body = b'{"id":"%b"}' % item_id.encode()
    return NewItem(id=item_id, created_at=NOON + timedelta(minutes=minutes), body=body, facets=facets)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "items.db") if request.param == "file" else None)
    yield store
    store.close()


def ids(store: Store, inbox: Inbox, selection: Selection = ALL, limit: int = 100, offset: int = 0) -> list[str]:
    return [found.id for found in store.page(inbox, selection, limit, offset)]


def test_items_are_listed_newest_first_and_by_arrival_within_one_moment(store: Store) -> None:
    store.insert(ANN, [item("old", -5), item("first"), item("second"), item("new", 5)])

    assert ids(store, ANN) == ["new", "second", "first", "old"]


def test_pages_cut_the_list_without_gap_or_overlap(store: Store) -> None:
    store.insert(ANN, [item(str(number), number) for number in range(7)])

    pages = [ids(store, ANN, limit=3, offset=offset) for offset in (0, 3, 6, 9)]

    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"], []]


def test_each_inbox_sees_its_own_items_alone(store: Store) -> None:
    for inbox in (ANN, BOB, ANN_ELSEWHERE):
        store.insert(inbox, [item("same-id"), item(f"only-{inbox.api}-{inbox.user}")])

    assert store.mark(BOB, "same-id", NOON) is not None
    assert store.mark(BOB, "only-visual_layer-ann", NOON) is None
    assert store.mark_all(ANN_ELSEWHERE, ALL, NOON) == 2

    assert [store.count(inbox, UNREAD) for inbox in (ANN, BOB, ANN_ELSEWHERE)] == [2, 1, 0]
    assert [found.id for found in store.since(ANN, 0)] == ["same-id", "only-visual_layer-ann"]


def test_marking_again_keeps_the_first_time_and_is_counted(store: Store) -> None:
    store.insert(ANN, [item("a")])

    first = store.mark(ANN, "a", NOON)
    again = store.mark(ANN, "a", NOON + timedelta(hours=1))

    assert first is not None
    assert again is not None
    assert (first.read_at, first.marks) == (NOON, 1)
    assert (again.read_at, again.marks) == (NOON, 2)


def test_marking_all_takes_the_unread_ones_of_the_facet(store: Store) -> None:
    store.insert(ANN, [item("a", dataset_id="x"), item("b", dataset_id="x"), item("c", dataset_id="y"), item("d")])
    store.mark(ANN, "a", NOON)

    marked = store.mark_all(ANN, Selection(facets={"dataset_id": "x"}), NOON)

    assert marked == 1
    assert ids(store, ANN, UNREAD) == ["d", "c"]
    assert ids(store, ANN, Selection(facets={"dataset_id": "x"})) == ["b", "a"]
    assert store.count(ANN, Selection(unread_only=True, facets={"dataset_id": "y"})) == 1
    assert store.count(ANN, Selection(facets={"dataset_id": "' OR 1=1 --"})) == 0


def test_a_taken_id_adds_none_of_its_company(store: Store) -> None:
    store.insert(ANN, [item("a")])
    position = store.position

    with pytest.raises(DuplicateItemError):
        store.insert(ANN, [item("b"), item("a")])

    assert ids(store, ANN) == ["a"]
    assert store.position == position
    store.insert(ANN, [item("c")])
    assert [found.seq for found in store.since(ANN, 0)] == [1, 2]


def test_sequence_numbers_grow_over_all_inboxes(store: Store) -> None:
    store.insert(ANN, [item("a"), item("b")])
    store.insert(BOB, [item("a")])
    store.insert(ANN, [item("c", -60)])

    assert [(found.id, found.seq) for found in store.since(ANN, 0)] == [("a", 1), ("b", 2), ("c", 4)]
    assert [found.id for found in store.since(ANN, 1, limit=1)] == ["b"]
    assert store.position == 4


def test_only_who_watches_the_inbox_is_woken(store: Store) -> None:
    with store.watch(ANN) as ann, store.watch(ANN) as ann_too, store.watch(BOB) as bob:
        store.insert(ANN, [item("a")])

        assert (ann.is_set(), ann_too.is_set(), bob.is_set()) == (True, True, False)
        ann.clear()
    store.insert(ANN, [item("b")])
    assert not ann.is_set()


def test_a_file_keeps_items_marks_and_numbers(tmp_path: Path) -> None:
    path = str(tmp_path / "items.db")
    before = Store(path)
    before.insert(ANN, [item("a", dataset_id="x"), item("b")])
    before.mark(ANN, "a", NOON)
    kept = before.since(ANN, 0)
    before.close()

    after = Store(path)

    assert after.since(ANN, 0) == kept
    assert after.position == 2
    assert after.count(ANN, UNREAD) == 1
    after.close()


def test_two_processes_cannot_have_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "items.db")
    first = Store(path)

    with pytest.raises(SetupError, match="cannot be used: database is locked"):
        Store(path)

    first.close()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)

    with pytest.raises(SetupError, match=r"letter\.txt cannot be used"):
        Store(str(path))
    with pytest.raises(SetupError, match="cannot be used"):
        Store(str(tmp_path / "no" / "such" / "folder.db"))


def test_a_facet_may_have_several_values_of_which_any_will_do(store: Store) -> None:
    several = NewItem(id="a", created_at=NOON, body=b"{}", facets={"tag": ["x", 'y"]'], "type": "t"})
    store.insert(ANN, [several, item("b", tag="z"), item("c")])

    def found(**any_of: list[str]) -> set[str]:
        return {each.id for each in store.page(ANN, Selection(any_of=any_of), 10, 0)}

    assert found(tag=["x", "z"]) == {"a", "b"}
    assert found(tag=['y"]']) == {"a"}
    assert found(tag=["x"], type=["t", "u"]) == {"a"}
    assert found(tag=["nothing"]) == found(other=["x"]) == set()


def test_items_below_a_border_are_told_by_time_and_then_by_id(store: Store) -> None:
    store.insert(ANN, [item("b"), item("c"), item("a"), item("z", -1)])
    assert [each.id for each in store.below(ANN, ALL, 10)] == ["c", "b", "a", "z"]
    assert [each.id for each in store.below(ANN, ALL, 2, (NOON, "c"))] == ["b", "a"]
    assert [each.id for each in store.below(ANN, ALL, 2, (NOON, ""))] == ["z"]


def test_a_mark_may_be_made_anew_and_taken_back(store: Store) -> None:
    store.insert(ANN, [item("a"), item("b")])
    later = NOON + timedelta(hours=1)
    store.mark(ANN, "a", NOON)

    kept, anew = store.mark(ANN, "a", later), store.mark(ANN, "a", later, anew=True)

    assert kept is not None
    assert anew is not None
    assert (kept.read_at, anew.read_at, anew.marks) == (NOON, later, 3)
    assert [each.id for each in store.page(ANN, Selection(read_only=True), 10, 0)] == ["a"]
    taken_back = store.unmark(ANN, "a")
    assert taken_back is not None
    assert taken_back.read_at is None
    assert store.count(ANN, UNREAD) == 2
    assert store.unmark(ANN, "nobody") is None


def test_an_item_is_found_by_its_id_in_its_own_inbox(store: Store) -> None:
    store.insert(ANN, [item("a", team="x")])

    found = store.get(ANN, "a")

    assert found is not None
    assert found.id == "a"
    assert store.get(BOB, "a") is None
    assert store.get(ANN, "b") is None
    assert store.has(ANN, Selection(facets={"team": "x"}), "a")
    assert not store.has(ANN, Selection(facets={"team": "y"}), "a")
    assert not store.has(BOB, ALL, "a")


def test_an_amended_item_keeps_its_place_and_its_read_state(store: Store) -> None:
    store.insert(ANN, [item("a", team="x"), item("b")])
    store.mark(ANN, "a", NOON)
    before = store.get(ANN, "a")
    store.amend(ANN, "a", b"{}", {"team": "y"})
    after = store.get(ANN, "a")

    assert before is not None
    assert after is not None
    assert (after.body, after.seq, after.read_at) == (b"{}", before.seq, before.read_at)
    assert ids(store, ANN, Selection(facets={"team": "y"})) == ["a"]
    assert ids(store, ANN, Selection(facets={"team": "x"})) == []


def test_a_deleted_item_is_gone_from_its_own_inbox_alone(store: Store) -> None:
    for inbox in (ANN, BOB):
        store.insert(inbox, [item("a")])

    assert store.delete(ANN, "a")
    assert not store.delete(ANN, "a")
    assert ids(store, ANN) == []
    assert ids(store, BOB) == ["a"]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_place_in_the_list_is_not_moved_by_what_comes_and_goes(store: Store, *, oldest_first: bool) -> None:
    store.insert(ANN, [item("a"), item("b"), item("c", 5), item("d", -5)])
    order = ["d", "a", "b", "c"] if oldest_first else ["c", "b", "a", "d"]

    first = store.beyond(ANN, UNREAD, 2, oldest_first=oldest_first)
    store.mark(ANN, first[0].id, NOON)
    store.insert(ANN, [item("new", -9 if oldest_first else 9)])
    place = (micros(first[-1].created_at), first[-1].seq)
    rest = store.beyond(ANN, UNREAD, 9, place, oldest_first=oldest_first)

    assert [found.id for found in (*first, *rest)] == order


def test_one_event_watches_several_inboxes(store: Store) -> None:
    with store.watch(ANN, BOB) as woken:
        for inbox in (ANN, BOB):
            woken.clear()
            store.insert(inbox, [item("a")])
            assert woken.is_set()
        woken.clear()
        store.insert(ANN_ELSEWHERE, [item("a")])
        assert not woken.is_set()
