"""The gateway of this configuration: its address, its certificate, and the token that may do what is asked.

Reads `[api]` alone: a slip elsewhere in the file must not keep anyone from looking at the gateway that runs.
"""

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer
from msgspec import Struct

from tocsin.api.settings import ApiSettings, TokenSettings
from tocsin.cli.client import Client
from tocsin.cli.context import TOKEN_VARIABLE, WRONG_USE, Unanswered, stop
from tocsin.config.document import Document, Unreadable, read
from tocsin.config.files import resolved
from tocsin.config.listening import split_listen
from tocsin.config.problems import Problem
from tocsin.config.validation import validated


class OwnApi(Struct, frozen=True):
    """`[api]` as this shell can read it; `unread` are tokens whose secret is not there, such as an unset variable."""

    file: str
    settings: ApiSettings
    tokens: tuple[TokenSettings, ...]
    unread: tuple[Problem, ...]


def own_client(file: Path, given: str, scopes: Sequence[str], open_to_all: bool = False) -> Client:
    """`given` is `--token`. Ends the program with exit code 2 if `[api]` is broken; raises Unanswered."""
    api = own_api(file)
    token, origin = _token(api, given, scopes, open_to_all)
    tls = _only(api.settings.tls.cert) if api.settings.tls else None
    return Client(address(api.settings), token, tls, origin, f"{api.file}, [api] tokens")


def own_api(file: Path) -> OwnApi:
    """`[api]` of a configuration file; ends the program with exit code 2 if it cannot be used."""
    try:
        document = read(file)
    except Unreadable as unreadable:
        _broken([unreadable.problem])
    data = resolved(document.data.get("api", {}), document.folder, ("api",))
    tokens, unread = _readable_tokens(document, data)
    settings, problems = validated(ApiSettings, _without_tokens(data), document, ("api",))
    if settings is None:
        _broken(problems)
    return OwnApi(str(file), settings, tuple(tokens), tuple(unread))


def _broken(problems: Sequence[Problem]) -> NoReturn:
    for problem in problems:
        typer.echo(str(problem), err=True)
    stop("the configuration does not say how to ask the gateway", WRONG_USE)


def _without_tokens(data: Any) -> Any:
    return {key: value for key, value in data.items() if key != "tokens"} if isinstance(data, dict) else data


def _readable_tokens(document: Document, data: Any) -> tuple[list[TokenSettings], list[Problem]]:
    written = data.get("tokens") if isinstance(data, dict) else None
    tokens, unread = [], []
    for index, entry in enumerate(written if isinstance(written, list) else ()):
        token, problems = validated(TokenSettings, entry, document, ("api", "tokens", index))
        unread += problems
        if token is not None:
            tokens.append(token)
    return tokens, unread


def address(api: ApiSettings) -> str:
    """Where this machine reaches the API."""
    host, port = split_listen(api.listen)
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{reachable}]" if ":" in reachable else reachable
    return f"{'https' if api.tls else 'http'}://{shown}:{port}"


def _token(api: OwnApi, given: str, scopes: Sequence[str], open_to_all: bool) -> tuple[str, str]:
    """The token and where it is from: `--token`, a configured one that suffices, TOCSIN_TOKEN."""
    able = _able(api.tokens, scopes)
    variable = os.environ.get(TOKEN_VARIABLE, "")
    if given:
        return given, "--token"
    if able:
        return able[0].token.reveal(), f'the token "{able[0].name}" of {api.file}'
    if variable:
        return variable, TOKEN_VARIABLE
    if open_to_all or not (api.tokens or api.unread):
        return "", ""
    raise Unanswered(_nobody_may(api, scopes))


def _able(tokens: Sequence[TokenSettings], scopes: Sequence[str]) -> list[TokenSettings]:
    """The tokens that may do it; one that is not narrowed goes first."""
    able = [one for one in tokens if "admin" in one.scopes or set(scopes) <= set(one.scopes)]
    return sorted(able, key=lambda one: one.areas is not None or one.devices is not None)


def _nobody_may(api: OwnApi, scopes: Sequence[str]) -> str:
    wanted = " and ".join(scopes)
    unread = "".join(f"\n{problem}" for problem in api.unread)
    return (
        f"no token in {api.file}, [api] tokens, has the scope {wanted}: add it to one and reload the gateway, "
        f"or give --token or {TOKEN_VARIABLE}{unread}"
    )


def _only(cert: str) -> ssl.SSLContext:
    """Trusts exactly the gateway's own certificate, whatever name it carries."""
    try:
        context = ssl.create_default_context(cafile=cert)
    except OSError as error:
        stop(f"the gateway's certificate {cert} cannot be read: {error.strerror or error}", WRONG_USE)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
