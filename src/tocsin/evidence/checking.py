"""What `evidence setup`, `evidence check` and `check --connect` try, step by step up to the first failure."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tocsin.engine.contracts import CheckStep, Clock, Randomness
from tocsin.evidence.building import Line, line_to
from tocsin.evidence.registry.connection import Connection, ConnectionInvalid, load_connection
from tocsin.evidence.registry.faults import Misconfigured, NotUnderstood, RegistryFault
from tocsin.evidence.registry.profile import Profile, ProfileInvalid, load_profile
from tocsin.evidence.settings import EvidenceSettings
from tocsin.evidence.spool import LEAST_FREE
from tocsin.transports.contract import TransportError
from tocsin.transports.http import endpoint_of

SKEW_S = 30.0
_WELL_KNOWN = "/.well-known/openid-configuration"


async def check(settings: EvidenceSettings, folder: Path, clock: Clock, randomness: Randomness) -> Sequence[CheckStep]:
    """Of a configured agent. Takes no job. `folder`: where its spool lies."""
    try:
        connection = load_connection(settings.connection_file, settings.allow_world_readable)
        profile = load_profile(settings.profile_file)
    except (ConnectionInvalid, ProfileInvalid) as error:
        return [CheckStep("files", False, str(error))]
    line = line_to(connection, profile, settings, clock, randomness)
    try:
        steps = [read(connection), CheckStep("wire profile", True, profile.name), *await login(line)]
        if steps[-1].ok:
            steps += [_clock(line), await _poll(line, profile)]
        return [*steps, await asyncio.to_thread(_disk, folder), _shared(settings)]
    finally:
        await line.outbound.aclose()


def read(connection: Connection) -> CheckStep:
    hosts = sorted({str(endpoint_of(one)) for one in (*connection.sts, *connection.api)})
    said = f"{connection.client_id}, key {connection.kid or 'without kid'}, at {', '.join(hosts)}"
    return CheckStep("connection file", True, said)


async def login(line: Line) -> list[CheckStep]:
    """What the token service says about itself, and a token."""
    steps = [await _told(line)]
    try:
        await line.tokens.token()
    except Misconfigured as error:
        return [*steps, CheckStep("token", False, str(error))]
    except RegistryFault as error:
        hint = "this machine must reach it over TCP 443, through `proxy` where there is one"
        return [*steps, CheckStep("token", False, str(error), hint)]
    return [*steps, CheckStep("token", True, "given")]


async def _told(line: Line) -> CheckStep:
    address = f"{line.connection.sts[0]}{_WELL_KNOWN}"
    try:
        answer = await line.outbound.ask("GET", address, [("Accept", "application/json")])
        document = msgspec.json.decode(answer.body) if answer.status == 200 else {}
    except (TransportError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return CheckStep("token service", True, f"it does not describe itself: {error}")
    if not isinstance(document, dict) or answer.status != 200:
        return CheckStep("token service", True, f"it does not describe itself: answer {answer.status}")
    algorithms = document.get("token_endpoint_auth_signing_alg_values_supported")
    listed = ", ".join(map(str, algorithms[:20])) if isinstance(algorithms, list) else "not listed"
    return CheckStep("token service", True, f"tokens at {document.get('token_endpoint')}, algorithms {listed}")


def _clock(line: Line) -> CheckStep:
    offset_s = line.tokens.offset_s
    hint = "set this machine's clock by NTP; deadlines are safe all the same, logins may be refused"
    return CheckStep("clock", abs(offset_s) <= SKEW_S, f"the registry's is {offset_s:+.1f} s from ours", hint)


async def _poll(line: Line, profile: Profile) -> CheckStep:
    what = f"jobs, by profile {profile.name}"
    try:
        offered = await line.client.jobs()
    except NotUnderstood as error:
        hint = "paths and names are not published: import the vendor's OpenAPI document with `tocsin evidence setup`"
        return CheckStep(what, False, str(error), hint)
    except RegistryFault as error:
        return CheckStep(what, False, str(error))
    wrong = next((one.problem for one in offered if one.problem), "")
    if wrong:
        return CheckStep(what, False, wrong, "correct the fields of the wire profile")
    return CheckStep(what, True, f"{len(offered)} on offer; the storage's host is only known with the first upload")


def _disk(folder: Path) -> CheckStep:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    found = shutil.disk_usage(there)
    share = found.free / found.total
    said = f"{found.free / 1e9:.1f} GB free on the disk of {folder}"
    return CheckStep("spool", share > 2 * LEAST_FREE, said, "make room: below 5 % nothing is fetched")


def _shared(settings: EvidenceSettings) -> CheckStep:
    if settings.shared_areas:
        return CheckStep("shared", True, f"cameras of {', '.join(settings.shared_areas)}")
    return CheckStep("shared", True, "nothing: choose areas in shared_areas")
