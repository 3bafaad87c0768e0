"""Settings to an agent. Nothing starts here."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tocsin import __version__
from tocsin.engine.contracts import Clock, Randomness
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.systems import Span
from tocsin.evidence.agent import AgentParts, RegistryAgent
from tocsin.evidence.attempt import AttemptParts
from tocsin.evidence.cameras import Cameras
from tocsin.evidence.contracts import Archive, Taken, Uploading
from tocsin.evidence.delivering import DeliveryParts
from tocsin.evidence.discovery_job import DeviceList, Discovering
from tocsin.evidence.journal import AgentJournal
from tocsin.evidence.locking import LockParts
from tocsin.evidence.media_request import WorkParts
from tocsin.evidence.outlook import Outlook
from tocsin.evidence.registry.client import ClientParts, RegistryClient
from tocsin.evidence.registry.connection import Connection, load_connection
from tocsin.evidence.registry.pace import Pace
from tocsin.evidence.registry.places import Places
from tocsin.evidence.registry.profile import Profile, load_profile
from tocsin.evidence.registry.tokens import Tokens
from tocsin.evidence.registry.wire import service_addresses
from tocsin.evidence.settings import EvidenceSettings
from tocsin.evidence.small_result import Made
from tocsin.evidence.spool import Spool
from tocsin.evidence.taking import Taking, TakingParts
from tocsin.model.evidence import Job
from tocsin.store.contract import Store
from tocsin.telemetry.occurrences import Notice
from tocsin.telemetry.record import Recorder
from tocsin.transports.outbound import Outbound

CALLS = 8
STALL_S = 20.0


class EvidenceSurroundings(NamedTuple):
    """Everything an agent gets besides its settings. `boot`: monotonic seconds, also while the machine is suspended;
    `folder`: for its spool; `list_devices` and `picture` make what discovery and thumbnail jobs want; `photos`: see
    Cameras.photos_of; `changed` is told of each job that was written.
    """

    store: Store
    clock: Clock
    boot: Callable[[], float]
    randomness: Randomness
    record: Recorder
    new_id: Callable[[], str]
    node: str
    lease_ttl_s: float
    folder: Path
    archives: Sequence[Archive]
    shared: Callable[[str], bool]
    called: Callable[[str], str]
    look: Callable[[], Awaitable[None]]
    uploading: Uploading
    list_devices: Callable[[], Awaitable[DeviceList]]
    picture: Callable[[Archive, str], Awaitable[Taken]]
    photos: Callable[[str, Span], Awaitable[Sequence[Taken]]]
    close_uploading: Callable[[], Awaitable[None]]
    changed: Callable[[Job], None] = lambda _: None


class Line(NamedTuple):
    """What leads to the registry."""

    client: RegistryClient
    tokens: Tokens
    outbound: Outbound
    connection: Connection


def line_to(
    connection: Connection,
    profile: Profile,
    settings: EvidenceSettings,
    clock: Clock,
    randomness: Randomness,
    owned: Callable[[], bool] = lambda: True,
) -> Line:
    proxy = settings.proxy.proxy() if settings.proxy else None
    outbound = Outbound(settings.tls.options(), proxy, CALLS, STALL_S)
    tokens = Tokens(connection, profile.assertion, Places(connection.sts, outbound), clock, randomness)
    places = Places(service_addresses(profile, connection.api), outbound)
    client = RegistryClient(ClientParts(connection, profile, places, tokens, Pace(clock), clock, owned))
    return Line(client, tokens, outbound, connection)


def build(settings: EvidenceSettings, around: EvidenceSurroundings) -> RegistryAgent:
    """Raises ConnectionInvalid, ProfileInvalid."""
    rules, node = settings.rules(), (around.node, around.lease_ttl_s, lambda: None)
    keeper = LeaseKeeper(around.store, around.clock, f"evidence/{settings.name}", *node)

    def owned() -> bool:
        return keeper.lease is not None

    connection = load_connection(settings.connection_file, settings.allow_world_readable)
    profile = load_profile(settings.profile_file)
    to = line_to(connection, profile, settings, around.clock, around.randomness, owned)

    def always() -> Mapping[str, object]:
        offset_s = round(to.tokens.offset_s, 3)
        return {"software": f"tocsin {__version__}", "node": around.node, "clock_offset_s": offset_s}

    journal = AgentJournal(around.store, around.clock, settings.name, lambda: keeper.lease, around.changed, always)
    outlook = Outlook(settings.name, to.client, lambda: to.tokens.offset_s, journal, around.clock, around.record)
    spool = Spool(around.folder, settings.spool.limit, settings.spool.keep)
    lock = LockParts(to.client, around.clock, around.boot, around.randomness, around.record, settings.name, owned)
    delivery = DeliveryParts(to.client, around.uploading, spool, around.clock, around.randomness, around.record)
    cameras = Cameras(around.archives, around.shared, around.called, around.look, around.photos, {})
    discovering = Discovering(settings.name, around.list_devices, journal, around.record)

    async def picture(device: str) -> Made:
        archive = await cameras.archive(device)
        taken = await around.picture(archive, device)
        taken_at = taken.at or around.clock.now()
        return Made("thumbnail.jpg", "image/jpeg", taken.data, taken.origin, taken_at=taken_at)

    work = WorkParts(rules, cameras, delivery)
    attempt = AttemptParts(work, lock, discovering.make, picture, outlook.misfit)
    taking = Taking(TakingParts(journal, attempt, around.new_id))
    _say(settings, to.connection, around.record)

    async def aclose() -> None:
        await to.outbound.aclose()
        await around.close_uploading()

    return RegistryAgent(AgentParts(rules, keeper, taking, lock, spool, outlook, discovering.accept, aclose))


def _say(settings: EvidenceSettings, connection: Connection, record: Recorder) -> None:
    if connection.encryption_disabled:
        text = "the connection file says DisableEncryption; what is uploaded is encrypted all the same"
        record(Notice(f"evidence {settings.name}", text))
