"""Getting started: `init`, `schema`, `password`."""

import getpass
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.cli.output import print_json


def init(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented tocsin.toml to start from.

    Example: tocsin init
    """
    file = invocation(context).config or Path("tocsin.toml")
    text = files("tocsin.config").joinpath("starter.toml").read_bytes()
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        # It will hold secrets or name them: for its owner only.
        descriptor = os.open(file, flags, 0o600)
    except FileExistsError:
        stop(f"{file} is there already and stays as it is; --force replaces it", FAILED)
    except OSError as error:
        stop(f"{file} cannot be written: {error.strerror}", FAILED)
    with open(descriptor, "wb") as stream:
        stream.write(text)
    typer.echo(f"{file} is written; next: tocsin check")


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    Example: tocsin schema > tocsin.schema.json
    """
    from tocsin.app.loading import all_types
    from tocsin.app.schema import configuration_schema

    print_json(configuration_schema(all_types()))


def password() -> None:
    """Make the hash of a console password.

    Asks twice, or reads one line when piped.

    Example: tocsin password > eva.hash
    """
    from argon2 import PasswordHasher

    if sys.stdin.isatty():
        given = getpass.getpass("Password: ", stream=sys.stderr)
        if getpass.getpass("Again: ", stream=sys.stderr) != given:
            stop("the two differ; nothing was made", FAILED)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if len(given) < 8:
        stop("a password has at least 8 characters", WRONG_USE)
    typer.echo(PasswordHasher().hash(given))
