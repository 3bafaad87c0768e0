"""The control API of one configuration, served while a context is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tocsin.api.access import Rights
from tocsin.api.control.app import create_control_app
from tocsin.api.control.keeper import StationUser, digest
from tocsin.api.control.settings import ControlSettings, ControlUserSettings
from tocsin.api.proxies import Proxies
from tocsin.api.serve import Tls, serve
from tocsin.config.listening import split_listen
from tocsin.engine.gateway import Gateway
from tocsin.telemetry.occurrences import Notice
from tocsin.telemetry.record import Recorder

_CONNECTIONS = 200


@asynccontextmanager
async def controlling(
    settings: ControlSettings | None, proxies: Proxies, gateway: Gateway, record: Recorder
) -> AsyncIterator[str]:
    """Yields its address; empty without `[control]`. Raises OSError when address or certificate cannot be used."""
    if settings is None:
        yield ""
        return
    users = [_user(entry) for entry in settings.users]
    app = create_control_app(gateway, users, record, settings.audio, proxies)
    host, port = split_listen(settings.listen)
    tls = Tls(settings.tls.cert, settings.tls.key) if settings.tls else None
    async with serve(app, host, port, tls, connections=_CONNECTIONS, what="the control API") as bound:
        shown = f"[{host}]" if ":" in host else host
        address = f"{'https' if tls else 'http'}://{shown}:{bound}/control/v1/"
        record(Notice("control", f"stations reach the control API at {address}"))
        yield address


def _user(entry: ControlUserSettings) -> StationUser:
    rights = Rights(f"control:{entry.name}", frozenset(), None if entry.areas is None else frozenset(entry.areas))
    allow = frozenset(entry.allow)
    return StationUser(entry.name, digest(entry.password.reveal()), rights, allow, entry.get_orders)
