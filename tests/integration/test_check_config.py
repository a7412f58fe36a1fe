"""``bellwire check-config`` as someone types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from bellwire.cli.check_config import check_config
from bellwire.ledger.ledger import Ledger
from bellwire.model import ChannelKey, MarkPolicy, Suppression
from fakes import FakeClock
from makers import PAGER, an_arrival

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "route: {receiver: a, routes: [{}]}\nreceivers: [{name: a, webhook_configs: [{url: http://h}]}]\n"
BAD = "route: {receiver: b}\nreceivers: [{name: a, webhook_configs: [{url: http://h}]}]\nacounts: []\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BELLWIRE_CONFIG", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check_config, arguments)


def test_a_good_file_is_counted(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    result = run("good.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "good.yaml: ok: 0 accounts, 1 receiver, 2 routes\n",
        "",
    )


def test_the_faults_of_all_files_go_to_stderr_one_a_line_and_the_exit_code_is_78(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    result = run("bad.yaml", "good.yaml", "none.yaml")
    assert result.exit_code == 78
    assert result.stdout == "good.yaml: ok: 0 accounts, 1 receiver, 2 routes\n"
    first, second, third = result.stderr.splitlines()
    assert first.startswith("bad.yaml:1:19: route.receiver: there is no receiver 'b'")
    assert second == "bad.yaml:3:1: acounts: unknown key, did you mean accounts?"
    assert third.startswith("none.yaml:1:1: cannot be read (No such file or directory)")


def test_a_rule_that_cannot_be_read_is_shown_with_a_caret_and_nothing_else_is(tmp_path: Path) -> None:
    rules = "route: {receiver: a, routes: [{matchers: ['x > = \"1\"']}]}"
    secret = "receivers: [{name: a, webhook_configs: [{url: 'http://${NOBODY_SET_THIS}/planted'}]}]"
    (tmp_path / "bad.yaml").write_text(f"{rules}\n{secret}\n")
    lines = run("bad.yaml").stderr.splitlines()
    assert lines[0].startswith("bad.yaml:1:")
    assert lines[1:3] == ['    x > = "1"', "        ^"]
    assert not any("planted" in line for line in lines)


def test_of_a_rule_over_several_lines_the_wrong_one_is_shown(tmp_path: Path) -> None:
    text = """\
route:
  receiver: a
  routes:
    - matchers:
        - |
          a="b",
            c=~"[z"
        - |
          d
        - >-
          e="f",
          g==h
receivers: [{name: a, webhook_configs: [{url: http://x}]}]
"""
    (tmp_path / "bad.yaml").write_text(text)
    lines = run("bad.yaml").stderr.splitlines()
    assert [line.split(": ")[0] for line in lines[::3]] == ["bad.yaml:7:17", "bad.yaml:9:12", "bad.yaml:10:11"]
    assert lines[1:3] == ['      c=~"[z"', "          ^"]
    assert lines[4:6] == ["    d", "     ^"]
    assert lines[7:9] == ['    e="f", g==h', "             ^"]


def test_json_is_one_array_of_objects(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    result = run("--json", "bad.yaml")
    assert result.exit_code == 78
    first, second = json.loads(result.stdout)
    assert sorted(first) == ["column", "file", "level", "line", "message", "path"]
    assert (second["file"], second["line"], second["column"], second["path"]) == ("bad.yaml", 3, 1, "acounts")
    (tmp_path / "good.yaml").write_text(GOOD)
    good = run("--json", "good.yaml")
    assert (good.exit_code, json.loads(good.stdout)) == (0, [])


WARNED = GOOD.replace("[{}]", "[{}, {}]")


def test_warnings_are_told_beside_the_line_that_says_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "warned.yaml").write_text(WARNED)
    result = run("warned.yaml")
    assert (result.exit_code, result.stdout) == (0, "warned.yaml: ok: 0 accounts, 1 receiver, 3 routes, 1 warning\n")
    assert result.stderr == (
        "warned.yaml:1:35: warning: route.routes[1]: can never match: "
        "route.routes[0] above takes everything, and does not continue\n"
    )
    (row,) = json.loads(run("--json", "warned.yaml").stdout)
    assert (row["level"], row["line"], row["column"], row["path"]) == ("warning", 1, 35, "route.routes[1]")


async def test_what_waits_for_a_channel_or_an_account_that_is_gone_is_counted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = await Ledger.open(url, lambda _last: FakeClock())
    try:
        here = ChannelKey(receiver="a", kind="webhook")
        await ledger.record([an_arrival(here), an_arrival(PAGER), an_arrival(PAGER)])
        await ledger.record([an_arrival(suppressed=Suppression.DROPPED, mark=MarkPolicy.HANDLED)])
    finally:
        await ledger.close()
    (tmp_path / "good.yaml").write_text(GOOD + f"storage: {{url: '{url}'}}\n")
    assert run("good.yaml").stdout.splitlines()[1:] == [
        "  2 pending deliveries use pager/webhook, which is gone: dead as channel_removed once this is loaded",
        "  1 read mark waits for the account vision at https://vision.example, which is gone",
    ]


def test_a_ledger_that_cannot_be_read_keeps_nobody_from_checking(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("no database")
    (tmp_path / "good.yaml").write_text(GOOD + f"storage: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\n")
    result = run("good.yaml")
    assert result.exit_code == 0
    assert "the ledger cannot be asked what waits" in result.stdout


def test_without_a_file_the_one_that_run_would_use_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().exit_code == 78
    assert "there is no configuration" in run().stderr
    (tmp_path / "bellwire.yaml").write_text(GOOD)
    assert run().stdout.startswith("bellwire.yaml: ok")
    (tmp_path / "env.yaml").write_text(GOOD)
    monkeypatch.setenv("BELLWIRE_CONFIG", "env.yaml")
    assert run().stdout.startswith("env.yaml: ok")
    (tmp_path / "option.yaml").write_text(GOOD)
    assert run("--config", "option.yaml").stdout.startswith("option.yaml: ok")
