"""`tocsin diagnostics`: one archive to send to support, with every secret masked."""

import json
import platform
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin import __version__
from tocsin.cli.context import FAILED, Invocation, Unanswered, invocation, stop
from tocsin.config.document import Unreadable, read
from tocsin.config.masking import masked

_ASKED = {
    "destinations.json": "/destinations",
    "set-aside.json": "/deliveries?state=rejected&limit=100",
    "open.json": "/deliveries?state=pending&state=retrying&state=held&limit=100",
}
_LISTED = ("aiohttp", "aiosmtplib", "apsw", "asyncpg", "cryptography", "fastapi", "msgspec", "pydantic", "uvicorn")


def diagnostics(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Default: tocsin-diagnostics-DATE.zip here.")] = None,
) -> None:
    """Write one archive for support, secrets masked.

    It holds configuration, versions and states, no events and no photos. Works with a
    broken configuration and without a running gateway; then those parts say so.

    Example: tocsin diagnostics
    """
    given = invocation(context)
    file = out or Path(f"tocsin-diagnostics-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip")
    parts = {"versions.json": _versions(), **_configuration(given), **_state(given)}
    try:
        with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, value in parts.items():
                text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
                archive.writestr(name, text)
    except OSError as error:
        stop(f"{file} cannot be written: {error.strerror}", FAILED)
    typer.echo(f"{file}  {', '.join(parts)}")


def _versions() -> dict[str, Any]:
    import importlib.metadata

    return {
        "tocsin": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _LISTED},
    }


def _configuration(given: Invocation) -> dict[str, Any]:
    problems = "\n".join(str(problem) for problem in given.load().problems)
    try:
        data = masked(read(given.file()).data)
    except Unreadable as unreadable:
        data = str(unreadable)
    return {"configuration.json": data, "problems.txt": problems or "none"}


def _state(given: Invocation) -> dict[str, Any]:
    try:
        client = given.client("read")
        return {name: client.get(path) for name, path in _ASKED.items()}
    except (Unanswered, typer.Exit) as error:
        return {"gateway.txt": f"not asked: {error}"}
