from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from bellwire.cli.reference import reference; reference(prog_name='reference')"]
STREAM = "/visual_layer/api/v1/notifications/stream"


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command on a free port and give the process and the URL that it printed."""
    command = [*COMMAND, "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().removeprefix("reference server on ").strip()
        finally:
            process.kill()


def call(method: str, url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": "Bearer ann-token"}, method=method)  # noqa: S310 - http alone
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
        return json.load(response)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_though_streams_are_open(number: signal.Signals) -> None:
    with running("--user", "ann=ann-token", "--keep-alive", "0.05") as (process, url):
        request = urllib.request.Request(url + STREAM, headers={"Authorization": "Bearer ann-token"})  # noqa: S310 - as above
        with urllib.request.urlopen(request, timeout=10) as stream:  # noqa: S310 - as above
            assert stream.readline() == b"data:\n"
            process.send_signal(number)
            stream.read()  # to its end, which is not cut off
            out, err = process.communicate(timeout=10)

    assert process.returncode == 0
    assert (out, err) == ("", "")


def test_a_store_in_a_file_survives_even_a_killed_server(tmp_path: Path) -> None:
    options = ("--store", f"sqlite:///{tmp_path}/items.db", "--user", "ann=ann-token")
    with running(*options) as (process, url):
        first, second = call("POST", f"{url}/control/visual_layer/ann/items", [{}, {}])["ids"]
        call("POST", f"{url}/visual_layer/api/v1/notifications/{first}/read")
        process.kill()
        process.wait(timeout=10)

    with running(*options) as (_, url):
        page = call("GET", f"{url}/visual_layer/api/v1/notifications")

    assert [(item["id"], item["is_read"]) for item in page["notifications"]] == [(second, False), (first, True)]


def test_the_ready_file_holds_the_url_of_a_server_that_answers(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with running("--no-auth", "--ready-file", str(ready)) as (_, url):
        assert ready.read_text() == f"{url}\n"
        assert call("GET", f"{url}/control/health")["status"] == "ok"
    assert list(tmp_path.iterdir()) == [ready]  # no draft is left behind


def test_traps_are_switched_as_they_are_told() -> None:
    wanted = ("--trap", "owlmetry.millisecond_cursor=on", "--trap", "owlmetry.limit_coerced=off")
    with running("--no-auth", *wanted) as (_, url):
        traps = call("GET", f"{url}/control/traps")
    assert (traps["owlmetry.millisecond_cursor"], traps["owlmetry.limit_coerced"]) == (True, False)
    assert (traps["owlmetry.strange_id_breaks"], traps["qualytics.empty_array_marks_all"]) == (False, True)


@pytest.mark.parametrize(
    "text",
    ["- {kind: server_errors, status: 502, lasts: 3600}", '[{"kind": "server_errors", "status": 502}]'],
)
def test_faults_of_a_file_are_in_force_from_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    with running("--user", "ann=ann-token", "--faults", str(file)) as (_, url):
        (fault,) = call("GET", f"{url}/control/faults")["faults"]
        assert (fault["fault"]["kind"], fault["fault"]["status"]) == ("server_errors", 502)
        with pytest.raises(urllib.error.HTTPError) as caught:
            call("GET", f"{url}/visual_layer/api/v1/notifications")
    with caught.value as answer:
        assert answer.code == 502


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {kind: server_errors, statu: 502}", "0.server_errors.statu"),
        ("- {kind: earthquake}", "earthquake"),
        ("- {kind: buffer, user: carol}", "no such user: carol"),
        ("- {kind: buffer, api: pager}", "no such API: pager"),
        ("{", "cannot be read"),
        ("", "tuple"),
    ],
)
def test_a_file_of_wrong_faults_exits_2_with_a_reason(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    done = subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, "--user", "ann=t", "--listen", "127.0.0.1:0", "--faults", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "nobody could log in"),
        (["--user", "sesame"], "must be NAME=TOKEN"),
        (["--user", "ann=sesame", "--user", "bob=sesame"], "two tokens are the same"),
        (["--key", "ann=sesame"], "must be NAME=API_KEY:API_SECRET"),
        (["--no-auth", "--listen", "nowhere"], "must be HOST:PORT"),
        (["--no-auth", "--listen", "127.0.0.1:65536"], "must be HOST:PORT"),
        (["--no-auth", "--store", "postgres://db"], "neither memory nor sqlite:///PATH"),
        (["--no-auth", "--listen", "127.0.0.1:0", "--store", "sqlite:////no/such/folder.db"], "cannot be used"),
        (
            ["--no-auth", "--listen", "127.0.0.1:0", "--ready-file", "/no/such/folder/ready"],
            "cannot write the ready file",
        ),
        (["--no-auth", "--trap", "owlmetry.limit_coerced"], "must be NAME=on|off"),
        (["--no-auth", "--trap", "owlmetry.limit_coerced=maybe"], "--trap takes NAME=on or NAME=off"),
        (["--no-auth", "--trap", "nobody=on"], "the names are: qualytics.empty_array_marks_all"),
        (["--no-auth", "--keep-alive", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_wrong_options_exit_2_with_a_reason_and_without_the_secret(options: list[str], complaint: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own program

    assert done.returncode == 2
    assert complaint in done.stderr
    assert "sesame" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_exits_1_with_a_reason() -> None:
    with running("--no-auth") as (_, url):
        address = url.removeprefix("http://")
        command = [*COMMAND, "--no-auth", "--listen", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own program

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot serve on {address}: Address already in use")
    assert done.stderr.count("\n") == 1
