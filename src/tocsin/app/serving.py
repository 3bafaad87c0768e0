"""The API and the console of one configuration, served while a context is open."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tocsin.api.access import Access, Rights, Token, digest
from tocsin.api.app import create_app
from tocsin.api.limits import Limits
from tocsin.api.serve import Tls, serve
from tocsin.api.settings import LimitSettings, TokenSettings, UserSettings
from tocsin.app.gauges import metrics_text
from tocsin.app.settings import Configuration
from tocsin.config.listening import split_listen
from tocsin.console.app import attach
from tocsin.console.people import People, Person
from tocsin.console.sessions import Sessions
from tocsin.console.visitor import ConsoleParts
from tocsin.engine.gateway import Gateway
from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.record import Recorder

CONNECTIONS = 1000
"""Beside those that stay open: streams and devices that wait for commands."""


@asynccontextmanager
async def serving(
    settings: Configuration, gateway: Gateway, metrics: Metrics, record: Recorder, session_key: bytes
) -> AsyncIterator[str]:
    """Yields the console's address. `session_key` signs logins; kept over a reload, nobody is logged out. Raises
    OSError when the address or the certificate cannot be used.
    """
    api = settings.api
    access = Access(tuple(_token(entry) for entry in api.tokens))
    limits = _limits(api.limits)
    app = create_app(gateway, access, lambda: metrics_text(gateway, metrics), record, limits, api.proxies)
    people = People([_person(user) for user in settings.console.users], asyncio.get_running_loop().time)
    sessions = Sessions(session_key, settings.console.session, gateway.clock.now, os.urandom)
    attach(app, ConsoleParts(people, sessions))
    host, port = split_listen(api.listen)
    tls = Tls(api.tls.cert, api.tls.key) if api.tls else None
    open_ = api.limits.streams + api.limits.polls
    async with serve(app, host, port, tls, connections=CONNECTIONS + open_) as bound:
        shown = f"[{host}]" if ":" in host else host
        yield f"{'https' if tls else 'http'}://{shown}:{bound}/"


def _token(entry: TokenSettings) -> Token:
    return Token(
        entry.name,
        frozenset(entry.scopes),
        None if entry.areas is None else frozenset(entry.areas),
        None if entry.devices is None else frozenset(entry.devices),
        digest=digest(entry.token.reveal()),
    )


def _person(user: UserSettings) -> Person:
    areas = None if user.areas is None else frozenset(user.areas)
    return Person(Rights(user.name, frozenset(user.scopes), areas), user.password_hash.reveal())


def _limits(given: LimitSettings) -> Limits:
    return Limits(
        json=given.body,
        ndjson=given.batch,
        ndjson_lines=given.lines,
        photos=given.photos,
        streams=given.streams,
        polls=given.polls,
        failed_tokens_per_minute=given.failed_tokens,
        links_per_minute=given.links,
    )
