from __future__ import annotations

import pytest
from pydantic import SecretStr

from bellwire.errors import BellwireError
from bellwire.web.door import SESSION_SECONDS, Door, Role, Session
from fakes import FakeClock

MIA = Session(role=Role.OPERATOR, id="0a1b2c3d", name="mia")


def a_door(
    clock: FakeClock,
    token: str | None = "sesame",  # noqa: S107 - it guards nothing
    read_token: str | None = "look",  # noqa: S107 - as above
    listen: str = "127.0.0.1:9095",
) -> Door:
    first, second = (None if each is None else SecretStr(each) for each in (token, read_token))
    return Door(first, second, clock.wall, listen=listen)


def test_without_any_token_the_door_is_open() -> None:
    assert a_door(FakeClock(), None, None).open
    assert not a_door(FakeClock(), None, "look").open


@pytest.mark.parametrize("listen", ["0.0.0.0:9095", ":9095", "[::]:9095", "10.1.4.20:0", "bellwire.example.com:80"])
def test_no_door_is_open_to_other_machines(listen: str) -> None:
    with pytest.raises(BellwireError, match="there is no token"):
        a_door(FakeClock(), None, None, listen)
    assert not a_door(FakeClock(), "sesame", None, listen).open


@pytest.mark.parametrize("listen", ["127.0.0.1:9095", "localhost:0", "[::1]:9095"])
def test_a_door_may_be_open_to_this_machine(listen: str) -> None:
    assert a_door(FakeClock(), None, None, listen).open


@pytest.mark.parametrize(("token", "read_token"), [("", None), ("", "look"), ("sesame", ""), (None, "")])
def test_a_token_that_is_empty_is_refused_even_on_loopback(token: str | None, read_token: str | None) -> None:
    with pytest.raises(BellwireError, match="a token of the web is empty"):
        a_door(FakeClock(), token, read_token)


@pytest.mark.parametrize(
    ("token", "role"),
    [("sesame", Role.OPERATOR), ("look", Role.READER), ("Sesame", None), ("", None), ("\ud800", None)],
)
def test_a_token_gives_its_role(token: str, role: Role | None) -> None:
    assert a_door(FakeClock()).role_of_token(token) is role


def test_an_open_door_knows_no_token() -> None:
    assert a_door(FakeClock(), None, None).role_of_token("") is None


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", ["", "mia", "Zoë o'Brien. \u2603", "x" * 80])
def test_a_cookie_gives_back_the_session_that_it_was_made_for(role: Role, name: str) -> None:
    door = a_door(FakeClock())
    session = Session(role=role, id="0a1b2c3d", name=name)
    assert door.session_of(door.cookie(session)) == session


def test_a_cookie_bears_no_token() -> None:
    assert "sesame" not in a_door(FakeClock()).cookie(MIA)


def test_a_cookie_ends() -> None:
    clock = FakeClock()
    door = a_door(clock)
    cookie = door.cookie(MIA)
    clock.step_wall(SESSION_SECONDS - 1)
    assert door.session_of(cookie) == MIA
    clock.step_wall(1)
    assert door.session_of(cookie) is None


def test_a_cookie_dies_with_its_token() -> None:
    cookie = a_door(FakeClock()).cookie(MIA)
    assert a_door(FakeClock(), "changed").session_of(cookie) is None
    assert a_door(FakeClock(), None).session_of(cookie) is None


def test_a_cookie_cannot_be_bent() -> None:
    door = a_door(FakeClock())
    role, expiry, number, name, mac = door.cookie(Session(role=Role.READER, id="0a1b2c3d", name="mia")).split(".")
    _, _, _, other, _ = door.cookie(Session(role=Role.READER, id="0a1b2c3d", name="joe")).split(".")
    bent = [
        f"operator.{expiry}.{number}.{name}.{mac}",
        f"{role}.{int(expiry) + 1}.{number}.{name}.{mac}",
        f"{role}.{expiry}.00000000.{name}.{mac}",
        f"{role}.{expiry}.{number}.{other}.{mac}",
        f"{role}.{expiry}.{number}.{name}.{mac[:-1]}",
        f"{role}.{expiry}.{number}.{name}.\u00e9",
        f"{role}.{'9' * 5000}.{number}.{name}.{mac}",
        f"{role}.{expiry}.{mac}",
        f"{role}.\u0663.{mac}",
        f"{role}.\ud800.{mac}",
        role,
        "",
        "..",
        "....",
    ]
    assert [cookie for cookie in bent if door.session_of(cookie) is not None] == []
