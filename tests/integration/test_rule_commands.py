"""Each command for rules as a process of its own, on the example that people begin with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def bellwire(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE")}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "bellwire", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ | {"PYTHONWARNINGS": "error"},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["schema"], '"$schema": "https://json-schema.org/draft/2020-12/schema"'),
        (["check-config", str(EXAMPLE)], "ok: 6 accounts, 2 receivers, 5 routes\n"),
        (
            ["routes", "show", "--config", str(EXAMPLE)],
            '├─ severity>="error"  result_count>="10" → pager  and goes on\n',
        ),
        (
            ["routes", "test", "--config", str(EXAMPLE), "account=vision", "severity=error", "result_count=10"],
            "pager\n",
        ),
        (["test", "--config", str(EXAMPLE)], "3 tests, all as expected"),
        (["explain", "-", "--config", str(EXAMPLE)], "so it goes to ops by route.routes[1], held until"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_it_says_what_it_should_and_nothing_else(tmp_path: Path, arguments: list[str], shown: str) -> None:
    said = {"account": "vision", "labels": {"severity": "warning"}, "received_at": "2026-11-22T10:00:00Z"}
    done = bellwire(tmp_path, *arguments, stdin=json.dumps(said))
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_what_was_imported_is_a_configuration(tmp_path: Path) -> None:
    old = "route: {receiver: a, repeat_interval: 4h}\nreceivers: [{name: a, webhook_configs: [{url: http://h}]}]\n"
    done = bellwire(tmp_path, "import-alertmanager", "-", stdin=old)
    (tmp_path / "bellwire.yaml").write_text(done.stdout)
    checked = bellwire(tmp_path, "check-config")
    assert (checked.returncode, checked.stdout) == (0, "bellwire.yaml: ok: 0 accounts, 1 receiver, 1 route\n")


def test_without_a_ledger_nothing_can_be_simulated(tmp_path: Path) -> None:
    done = bellwire(tmp_path, "simulate", "--config", str(EXAMPLE), "--with", str(EXAMPLE))
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no ledger yet" in done.stderr
