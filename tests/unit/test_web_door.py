from __future__ import annotations

import pytest
from pydantic import SecretStr

from bellwire.web.door import SESSION_SECONDS, Door, Role
from fakes import FakeClock


def a_door(clock: FakeClock, token: str | None = "sesame", read_token: str | None = "look") -> Door:  # noqa: S107 - they guard nothing
    return Door(SecretStr(token) if token else None, SecretStr(read_token) if read_token else None, clock.wall)


def test_without_any_token_the_door_is_open() -> None:
    assert a_door(FakeClock(), None, None).open
    assert not a_door(FakeClock(), None, "look").open


@pytest.mark.parametrize(
    ("token", "role"),
    [("sesame", Role.OPERATOR), ("look", Role.READER), ("Sesame", None), ("", None), ("\ud800", None)],
)
def test_a_token_gives_its_role(token: str, role: Role | None) -> None:
    assert a_door(FakeClock()).role_of_token(token) is role


def test_an_open_door_knows_no_token() -> None:
    assert a_door(FakeClock(), None, None).role_of_token("") is None


@pytest.mark.parametrize("role", Role)
def test_a_cookie_gives_back_the_role_that_it_was_made_for(role: Role) -> None:
    door = a_door(FakeClock())
    assert door.role_of_cookie(door.cookie(role)) is role


def test_a_cookie_bears_no_token() -> None:
    assert "sesame" not in a_door(FakeClock()).cookie(Role.OPERATOR)


def test_a_cookie_ends() -> None:
    clock = FakeClock()
    door = a_door(clock)
    cookie = door.cookie(Role.READER)
    clock.step_wall(SESSION_SECONDS - 1)
    assert door.role_of_cookie(cookie) is Role.READER
    clock.step_wall(1)
    assert door.role_of_cookie(cookie) is None


def test_a_cookie_dies_with_its_token() -> None:
    cookie = a_door(FakeClock()).cookie(Role.OPERATOR)
    assert a_door(FakeClock(), "changed").role_of_cookie(cookie) is None
    assert a_door(FakeClock(), None).role_of_cookie(cookie) is None


def test_a_cookie_cannot_be_bent() -> None:
    door = a_door(FakeClock())
    role, expiry, mac = door.cookie(Role.READER).split(".")
    bent = [
        f"operator.{expiry}.{mac}",
        f"{role}.{int(expiry) + 1}.{mac}",
        f"{role}.{expiry}.{mac[:-1]}",
        f"{role}.{expiry}.\u00e9",
        f"{role}.{'9' * 5000}.{mac}",
        f"{role}.\u0663.{mac}",
        role,
        "",
        "..",
    ]
    assert [cookie for cookie in bent if door.role_of_cookie(cookie) is not None] == []
