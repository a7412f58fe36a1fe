"""``bellwire reference``: runs the bundled notifications server."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bellwire.reference.faults import AnyFault
    from bellwire.reference.settings import ReferenceSettings, User
    from bellwire.reference.traps import Trap

_MAX_PORT = 65_535


class _Address(click.ParamType[tuple[str, int]]):
    """``HOST:PORT``, an IPv6 host in brackets."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port."""
        host, colon, port = str(value).rpartition(":")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT:
            self.fail("must be HOST:PORT, such as 127.0.0.1:9096 (port 0 takes a free one)", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


class _Credential(click.ParamType[tuple[str, str]]):
    """``NAME=SECRET``; its messages never repeat what was given, since that may be a secret."""

    def __init__(self, form: str) -> None:
        self.name = form

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the name and what belongs to it."""
        name, _, secret = str(value).partition("=")
        if not name or not secret or (":" in self.name and not all(secret.partition(":"))):
            self.fail(f"must be {self.name}", param, ctx)
        return name, secret


@click.command("reference")
@click.option(
    "--listen",
    type=_Address(),
    default="127.0.0.1:9096",
    show_default=True,
    help="Where to listen; port 0: a free one.",
)
@click.option("--store", default="memory", show_default=True, help="memory, or sqlite:///PATH to keep the items.")
@click.option(
    "--user",
    "tokens",
    type=_Credential("NAME=TOKEN"),
    multiple=True,
    metavar="NAME=TOKEN",
    help="A user with a fixed bearer token. May be repeated.",
)
@click.option(
    "--key",
    "keys",
    type=_Credential("NAME=API_KEY:API_SECRET"),
    multiple=True,
    metavar="NAME=API_KEY:API_SECRET",
    help="A user who mints tokens from a key and its secret. May be repeated.",
)
@click.option("--no-auth", is_flag=True, help="Ask nobody for a token: every call is the first user's.")
@click.option(
    "--keep-alive",
    type=click.FloatRange(min=0, min_open=True),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a stream may be silent.",
)
@click.option(
    "--atp-polls-per-minute",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    metavar="N",
    help="How often a user of ATP may poll; more is answered with 429.",
)
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON: a list of faults that are in force from the start, as /control/faults takes them.",
)
@click.option(
    "--trap",
    "traps",
    type=_Credential("NAME=on|off"),
    multiple=True,
    metavar="NAME=on|off",
    help="Switch a bad habit of a vendor's, as /control/traps names them. May be repeated.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Gets the server's base URL once it accepts connections.",
)
def reference(  # noqa: PLR0913 - one parameter an option
    *,
    listen: tuple[str, int],
    store: str,
    tokens: tuple[tuple[str, str], ...],
    keys: tuple[tuple[str, str], ...],
    no_auth: bool,
    keep_alive: float,
    atp_polls_per_minute: int,
    faults_file: Path | None,
    traps: tuple[tuple[str, str], ...],
    ready_file: Path | None,
) -> None:
    """Run a notifications server that stands in for the vendors.

    Each vendor's API lies under its name: http://HOST:PORT/visual_layer is the base URL of an account. Items come in
    through http://HOST:PORT/control, which asks for no token: listen on loopback unless everyone around may use it.
    """
    import asyncio  # noqa: PLC0415 - the command line starts fast

    from bellwire.reference.settings import ReferenceSettings, SetupError  # noqa: PLC0415 - the command line starts fast

    try:
        settings = ReferenceSettings(
            users=_users(tokens, keys),
            store=store,
            auth=not no_auth,
            keep_alive=keep_alive,
            atp_polls_per_minute=atp_polls_per_minute,
            faults=_faults(faults_file) if faults_file else (),
            traps=_traps(traps),
        )
        asyncio.run(_serve(settings, listen, ready_file))
    except SetupError as exc:
        raise click.UsageError(str(exc)) from exc
    except OSError as exc:
        message = f"cannot serve on {listen[0]}:{listen[1]}: {exc.strerror or exc}"
        raise click.ClickException(message) from exc


def _users(tokens: tuple[tuple[str, str], ...], keys: tuple[tuple[str, str], ...]) -> tuple[User, ...]:
    from bellwire.reference.settings import User  # noqa: PLC0415 - as above

    pairs = [(owner, *pair.split(":", 1)) for owner, pair in keys]
    names = dict.fromkeys(name for name, _ in (*tokens, *keys))
    return tuple(
        User(
            name=name,
            tokens=tuple(token for owner, token in tokens if owner == name),
            keys=tuple((key, secret) for owner, key, secret in pairs if owner == name),
        )
        for name in names
    )


def _traps(wanted: tuple[tuple[str, str], ...]) -> frozenset[Trap]:
    from bellwire.reference.settings import SetupError  # noqa: PLC0415 - as above
    from bellwire.reference.traps import USUAL, Trap, Traps  # noqa: PLC0415 - as above

    traps = Traps(USUAL)
    for name, state in wanted:
        if name not in set(Trap) or state not in {"on", "off"}:
            message = f"--trap takes NAME=on or NAME=off; the names are: {', '.join(Trap)}"
            raise SetupError(message)
        traps.switch({Trap(name): state == "on"})
    return frozenset(trap for trap, on in traps.shown().items() if on)


def _faults(path: Path) -> tuple[AnyFault, ...]:
    from pydantic import ValidationError  # noqa: PLC0415 - as above
    from ruamel.yaml import YAML  # noqa: PLC0415 - as above
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above

    from bellwire.reference.faults import FAULTS  # noqa: PLC0415 - as above
    from bellwire.reference.settings import SetupError  # noqa: PLC0415 - as above

    try:
        return FAULTS.validate_python(YAML(typ="safe").load(path))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {place}: {first['msg']}"
    except (OSError, UnicodeDecodeError, YAMLError) as exc:
        message = f"{path} cannot be read: {' '.join(str(exc).split())}"
    raise SetupError(message)


async def _serve(settings: ReferenceSettings, listen: tuple[str, int], ready_file: Path | None) -> None:
    import asyncio  # noqa: PLC0415 - as above

    from bellwire.reference.serve import serving  # noqa: PLC0415 - as above

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(settings, *listen) as server:
        if ready_file:
            _write(ready_file, server.url)
        click.echo(f"reference server on {server.url}")
        stop = asyncio.create_task(told.wait(), name="signals")
        await asyncio.wait({stop, server.task}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()


def _write(path: Path, text: str) -> None:
    """Put a whole file in place at once: whoever waits for it never reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{text}\n", encoding="utf-8")
        draft.replace(path)
    except OSError as exc:
        message = f"cannot write the ready file {path}: {exc.strerror}"
        raise click.UsageError(message) from exc
