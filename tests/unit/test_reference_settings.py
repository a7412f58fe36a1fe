from __future__ import annotations

import pytest

from bellwire.reference.settings import ReferenceSettings, SetupError, User

ANN = User(name="ann", tokens=("ann-token",), keys=(("ann-key", "ann-secret"),))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"users": ()}, "nobody could log in"),
        ({"users": (User(name="a/b"),)}, "a user's name"),
        ({"users": (User(name=""),)}, "a user's name"),
        ({"users": (User(name="ann", tokens=("",)),)}, "a credential of user ann is empty"),
        ({"users": (User(name="ann", keys=(("key", ""),)),)}, "a credential of user ann is empty"),
        ({"users": (ANN, User(name="ann"))}, "two users are the same"),
        ({"users": (ANN, User(name="bob", tokens=ANN.tokens))}, "two tokens are the same"),
        ({"users": (ANN, User(name="bob", keys=(("ann-key", "other"),)))}, "two API keys are the same"),
        ({"users": (ANN,), "keep_alive": 0.0}, "more than 0 seconds"),
        ({"users": (ANN,), "keep_alive": float("nan")}, "more than 0 seconds"),
        ({"users": (ANN,), "store": "postgres://somewhere"}, "neither memory nor sqlite:///PATH"),
        ({"users": (ANN,), "store": "sqlite:///"}, "neither memory nor sqlite:///PATH"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_reason(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(SetupError, match=complaint):
        ReferenceSettings(**arguments)  # type: ignore[arg-type]  # the table mixes types


def test_no_complaint_and_no_repr_shows_a_credential() -> None:
    with pytest.raises(SetupError) as caught:
        ReferenceSettings(users=(ANN, User(name="bob", tokens=ANN.tokens, keys=ANN.keys)))

    for secret in ("ann-token", "ann-key", "ann-secret"):
        assert secret not in str(caught.value)
        assert secret not in repr(ReferenceSettings(users=(ANN,)))


def test_without_authorization_nobody_needs_to_be_named() -> None:
    assert [user.name for user in ReferenceSettings(auth=False).users] == ["default"]


@pytest.mark.parametrize(
    ("store", "path"),
    [("memory", None), ("sqlite:///items.db", "items.db"), ("sqlite:////var/items.db", "/var/items.db")],
)
def test_the_store_is_memory_or_a_file(store: str, path: str | None) -> None:
    assert ReferenceSettings(users=(ANN,), store=store).store_path == path
