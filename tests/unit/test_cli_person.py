from __future__ import annotations

import getpass
import os

import pytest

from bellwire.cli.person import login, on_file


@pytest.fixture(autouse=True)
def mia(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mia")
    monkeypatch.delenv("SUDO_USER", raising=False)


def test_it_is_whoever_is_logged_in() -> None:
    assert login() == "mia"


def test_behind_sudo_it_is_the_one_who_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "mia")
    assert login() == "mia (as root)"
    monkeypatch.setenv("SUDO_USER", "root")
    assert login() == "root"


def test_a_user_without_a_name_is_someone(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert login() == "someone at the command line"


def test_on_a_file_it_is_kept_as_whom_the_machine_let_them_in() -> None:
    assert on_file() == f"the ledger's file, as user {os.getuid()}"
