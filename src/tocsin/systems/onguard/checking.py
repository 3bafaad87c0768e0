"""What `check` tries, step by step up to the first failure (connectors.md 3.2)."""

from collections import Counter
from collections.abc import Sequence

from tocsin.engine.contracts import CheckStep
from tocsin.engine.systems import LicenceRefused, NotSupported, SystemFault
from tocsin.systems.onguard.bus import probed
from tocsin.systems.onguard.commands import names_in
from tocsin.systems.onguard.devices import TYPES
from tocsin.systems.onguard.hardware import Hardware
from tocsin.systems.onguard.reading import Reader
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.transports.contract import Network, Unreachable
from tocsin.transports.web import WebServer

CONNECT_S = 5.0
SKEW_S = 60.0


async def check(
    settings: OnGuardSettings, around: SystemSurroundings, session: Session, reader: Reader, hardware: Hardware
) -> Sequence[CheckStep]:
    """The server in use; then what this login may see, and how long a cycle of states takes."""
    steps = await _way(around.network, session.server, settings)
    if not steps[-1].ok:
        return steps
    try:
        await session.login()
        steps.append(CheckStep("login", True, f"as {settings.username} in {settings.directory}"))
        steps += [await _version(session), await _licence(session), _clock(session)]
        steps += await _types(reader)
        steps += await _inventory(reader, hardware, settings)
        if settings.amqp is not None:
            steps.append(CheckStep("message broker", True, await probed(session, settings.amqp, settings.name)))
    except LicenceRefused as fault:
        steps.append(CheckStep("licence", False, str(fault)))
    except SystemFault as fault:
        steps.append(CheckStep(_next(steps), False, str(fault)))
    return steps


def _next(steps: Sequence[CheckStep]) -> str:
    """What comes after the steps that are done."""
    done = [step.what for step in steps]
    order = ("login", "version", "licence", "types", "inventory")
    return next((what for what in order if what not in done), "message broker")


async def _way(network: Network, server: WebServer, settings: OnGuardSettings) -> list[CheckStep]:
    where = f"connect to {server.endpoint}"
    try:
        link = await network.connect(server.endpoint, None, CONNECT_S)
    except Unreachable as error:
        return [CheckStep(where, False, str(error))]
    await link.aclose()
    steps = [CheckStep(where, True, "the name is found and the port is open")]
    if not server.encrypted:
        return [*steps, CheckStep("TLS", True, "none", "OnGuard's usual https:// keeps the password from being read")]
    try:
        link = await network.connect(server.endpoint, settings.tls.options(), CONNECT_S)
    except Unreachable as error:
        return [*steps, CheckStep("TLS", False, str(error))]
    await link.aclose()
    checked = "NOT checked" if settings.tls.insecure else "accepted"
    return [*steps, CheckStep("TLS", True, f"the certificate is {checked}")]


async def _version(session: Session) -> CheckStep:
    body = await session.ask("GET", "version")
    return CheckStep("version", True, f"{body.get('product_name', 'unnamed')}, {body.get('product_version', '')}")


async def _licence(session: Session) -> CheckStep:
    """That we were let in is the licence; OnGuard's own list is read where it has one."""
    try:
        await session.ask("GET", "feature_availability")
    except LicenceRefused:
        raise
    except SystemFault:
        return CheckStep("licence", True, "the Application-Id is accepted; OnGuard lists no features to this user")
    return CheckStep("licence", True, "the Application-Id is accepted")


def _clock(session: Session) -> CheckStep:
    hint = "" if abs(session.skew_s) <= SKEW_S else "set both clocks by NTP: times of events are told by OnGuard's"
    return CheckStep("clock", True, f"{session.skew_s:+.0f} s from the gateway's", hint)


async def _types(reader: Reader) -> list[CheckStep]:
    """What this version of OnGuard lacks of what the inventory uses."""
    lacking = []
    for row in TYPES:
        if not row.name.startswith("Lnl_") or not row.keys:
            continue
        try:
            there = names_in(await reader.described(row.name), "properties")
        except NotSupported:
            lacking.append(row.name)
            continue
        lacking += [f"{row.name}.{name}" for name in row.properties() if there and name not in there]
    return [CheckStep("types", True, f"not in this OnGuard: {', '.join(lacking)}" if lacking else "all there")]


async def _inventory(reader: Reader, hardware: Hardware, settings: OnGuardSettings) -> list[CheckStep]:
    site = await reader.site()
    hardware.take(site)
    counts = Counter(device.kind for device in site.devices)
    told = ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in counts.items()) or "nothing"
    partial = [note.text for note in site.notes if note.partial]
    hint = "" if site.devices else "does this user see all segments?"
    steps = [CheckStep("inventory", not partial, "; ".join([told, *partial]), hint)]
    steps += [CheckStep("note", True, note.text) for note in site.notes if not note.partial]
    if settings.health.mode != "off":
        steps.append(CheckStep("states", True, f"all hardware is asked every {hardware.cycle_s():.0f} s"))
    return steps
