"""What a system type is, and the ones there are: one line each."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tocsin.engine.systems import System
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.system import build as build_milestone
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.systems.onguard.system import build as build_onguard
from tocsin.systems.onvif.settings import OnvifSettings
from tocsin.systems.onvif.system import build as build_onvif
from tocsin.systems.settings import SystemSettings
from tocsin.systems.surroundings import SystemSurroundings


class SystemType(Struct, frozen=True):
    """`published` says in one sentence what of the interface is published and what is assumed."""

    name: str
    title: str
    published: str
    settings: type[SystemSettings]
    build: Callable[[Any, SystemSurroundings], System]


_TYPES: tuple[SystemType, ...] = (
    SystemType(
        "milestone",
        "Milestone XProtect",
        "Milestone publishes the Configuration API, the Events and State WebSocket and the ImageServer protocol; "
        "paging of the configuration, MAC addresses and how recordings are grouped are as seen on real systems.",
        MilestoneSettings,
        build_milestone,
    ),
    SystemType(
        "onvif",
        "ONVIF cameras",
        "Calls, events and logins are the standard's; which event becomes which alarm is ours.",
        OnvifSettings,
        build_onvif,
    ),
    SystemType(
        "onguard",
        "Lenel OnGuard",
        "Session, instances and subscriptions are the vendor's description of OpenAccess; status words come "
        "from its earlier interface; event texts, message bus and byte order of addresses are assumed.",
        OnGuardSettings,
        build_onguard,
    ),
)
SYSTEM_TYPES: dict[str, SystemType] = {one.name: one for one in _TYPES}
"""By the name that `type` gives in the configuration."""
