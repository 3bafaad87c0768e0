"""What every command starts from: which configuration file, whether to print JSON, and how a command ends."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from msgspec import Struct

if TYPE_CHECKING:
    from tocsin.app.settings import Configuration, Loaded
    from tocsin.cli.client import Client

FAILED = 1
WRONG_USE = 2
TOKEN_VARIABLE = "TOCSIN_TOKEN"  # noqa: S105
_SYSTEM_WIDE = Path("/etc/tocsin/tocsin.toml")


class Unanswered(Exception):
    """The gateway did not do what was asked; the text says why and what to do."""


class Refusal(Unanswered):
    """The gateway answered, and said no."""


class Invocation(Struct, frozen=True):
    """The global options."""

    config: Path | None = None
    json: bool = False
    url: str = ""
    token: str = ""

    def file(self) -> Path:
        """`--config`, else ./tocsin.toml, else /etc/tocsin/tocsin.toml."""
        local = Path("tocsin.toml")
        if self.config is not None:
            return self.config
        return _SYSTEM_WIDE if not local.exists() and _SYSTEM_WIDE.exists() else local

    def load(self) -> "Loaded":
        """The configuration with whatever is wrong in it."""
        from tocsin.app.loading import load

        return load(self.file())

    def configuration(self) -> "Configuration":
        """The configuration, for commands that cannot do without; ends the program with exit code 2 if it is broken."""
        loaded = self.load()
        for problem in loaded.problems if loaded.settings is None else ():
            typer.echo(str(problem), err=True)
        if loaded.settings is None:
            stop("the configuration cannot be used; `tocsin check` shows all of it", WRONG_USE)
        return loaded.settings

    def client(self, *scopes: str, open_to_all: bool = False) -> "Client":
        """The running gateway: at `--url`, else of the configuration, with a token for the scopes. Raises Unanswered.

        `open_to_all`: what is asked needs no token, but may say more with one.
        """
        from tocsin.cli.client import Client
        from tocsin.cli.own import own_client

        if self.url:
            return Client(self.url, self.token or os.environ.get(TOKEN_VARIABLE, ""))
        return own_client(self.file(), self.token, scopes, open_to_all)


def invocation(context: typer.Context) -> Invocation:
    found = context.find_object(Invocation)
    return found or Invocation()


def stop(sentence: str, code: int = FAILED) -> NoReturn:
    """End the program with a sentence on standard error."""
    typer.echo(f"tocsin: {sentence}", err=True)
    raise typer.Exit(code)


def on_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
