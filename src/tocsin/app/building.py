"""Settings to objects. Nothing starts here."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tocsin.app.evidence import AgentsParts, agents
from tocsin.app.pictures import PictureCheck
from tocsin.app.settings import Configuration
from tocsin.config.modes import type_key
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.settings import DestinationSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Source
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.inventory.book import InventoryBook
from tocsin.engine.retention import RetentionAges
from tocsin.engine.systems import System
from tocsin.sources.registry import SOURCE_TYPES
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.store.contract import Store
from tocsin.systems.registry import SYSTEM_TYPES
from tocsin.systems.settings import SystemSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.record import Occurrence, Recorder
from tocsin.transports.sockets import SocketNetwork

SHARED_LEASE_S = 2.0
SINGLE_NODE = "tocsin"
"""Not the gateway's name: after a kill and a new name the old lease must still be its own."""
SINGLE_LEASE_S = 3600.0
"""SQLite has one node by its folder's lock, so its lease need not be renewed every second."""


def gateway(settings: Configuration, store: Store, record: Recorder) -> Gateway:
    """The whole middle with its destinations and sources."""
    clock, randomness = LoopClock(), random.SystemRandom()
    book = InventoryBook(store, clock, asyncio.to_thread)
    areas = AreaTree((area.area() for area in settings.areas), settings.gateway.time_zone)
    around = Surroundings(
        clock=clock,
        randomness=randomness,
        network=SocketNetwork(),
        record=record,
        gateway=settings.gateway.name,
        public_url=settings.gateway.public_url,
        time_zone=settings.gateway.time_zone,
        area_address=areas.address,
        book=book,
    )
    parts = _parts(settings, store, around)
    built = Gateway(
        settings.gateway.name,
        parts,
        [_member(entry, around) for entry in settings.destinations],
        areas,
        [device.device() for device in settings.devices],
        settings.gateway.public_url,
    )
    for source in _sources(settings.sources, built, around):
        built.add_source(source)
    systems = {entry.name: _system(entry, around) for entry in settings.systems}
    for entry in settings.systems:
        built.systems.add(systems[entry.name], entry.rules(settings.gateway.time_zone))
    told = (clock, randomness, record, parts.node, parts.lease_ttl_s, Path(settings.gateway.data_dir), systems)
    for agent in agents(settings.evidence, built, AgentsParts(*told)):
        built.agents.add(agent)
    return built


def _parts(settings: Configuration, store: Store, around: Surroundings) -> GatewayParts:
    shared = settings.gateway.database is not None
    node = f"{settings.gateway.name}-{around.randomness.getrandbits(40):010x}" if shared else SINGLE_NODE
    return GatewayParts(
        store=store,
        clock=around.clock,
        randomness=around.randomness,
        record=around.record,
        photo_check=PictureCheck(),
        node=node,
        lease_ttl_s=SHARED_LEASE_S if shared else SINGLE_LEASE_S,
        retention=_ages(settings),
        contacts=settings.liveness.rules(),
        shared=shared,
        link_life_s=settings.gateway.link_life,
        book=around.book,
        apart=asyncio.to_thread,
    )


def _system(entry: SystemSettings, around: Surroundings) -> System:
    surroundings = SystemSurroundings(around.clock, around.randomness, around.record, around.network)
    return SYSTEM_TYPES[entry.type].build(entry, surroundings)


def system_alone(entry: SystemSettings) -> System:
    """A system without a gateway around it, to be checked; nothing it records is kept."""
    surroundings = SystemSurroundings(LoopClock(), random.SystemRandom(), _unrecorded, SocketNetwork())
    return SYSTEM_TYPES[entry.type].build(entry, surroundings)


def _unrecorded(occurrence: Occurrence, /) -> None:
    """What is only checked is not counted."""


def _ages(settings: Configuration) -> RetentionAges:
    keep = settings.retention
    return RetentionAges(keep.events, keep.photos, keep.receipts, keep.audit)


def _member(entry: DestinationSettings, around: Surroundings) -> Member:
    kind = DESTINATION_TYPES[type_key(DESTINATION_TYPES, entry.type, getattr(entry, "mode", ""))]
    tls = getattr(entry, "tls", None)
    return Member(
        destination=kind.build(entry, around),
        type=entry.type,
        title=kind.title,
        filter=entry.filter.rule(),
        retry=entry.retry.rule(),
        hold_s=entry.hold_s(),
        wants_photos=entry.wants_photos(),
        insecure=bool(getattr(tls, "insecure", False)),
        links=entry.carries_links(),
        says_test=entry.says_test(),
        cloud=entry.is_cloud(),
        most=entry.most_waiting(),
    )


def _sources(entries: Sequence[Any], built: Gateway, around: Surroundings) -> list[Source]:
    told = (built.supervision.heard, built.contacts.heard)
    surroundings = SourceSurroundings(around.clock, around.randomness, around.record, *told, around.network)
    return [SOURCE_TYPES[entry.type].build(entry, surroundings) for entry in entries]
