"""The event that tells a change of a device's state. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tocsin.engine.contracts import Submission
from tocsin.engine.inventory.health import Transition, event_id
from tocsin.engine.inventory.rules import SystemRules
from tocsin.model.canonical import DeviceRecord
from tocsin.model.event import Event, HealthNotice
from tocsin.model.inventory import HealthState
from tocsin.model.kinds import Kind

KINDS: Mapping[HealthState, Kind] = {
    "online": "connection_restored",
    "offline": "connection_lost",
    "degraded": "trouble",
}


def submission(rules: SystemRules, record: DeviceRecord, one: Transition, now: datetime) -> Submission:
    """Under the same id whenever the same change is told again."""
    health = one.health
    id_ = event_id(rules.name, one.device_id, health.state, one.at)
    kind = KINDS.get(health.state, "info")
    notice = HealthNotice(
        system=rules.name,
        customer_id=record.customer_id,
        status=health.state,
        event_id=id_,
        previous=one.before or "",
        reason=health.reason or "",
        turned=one.turned,
        flaps=one.flaps,
        skew_s=one.skew_s,
        stations=kind in rules.alarms,
    )
    why = f": {(health.detail or health.reason or '').replace('_', ' ')}" if health.detail or health.reason else ""
    at = one.at if abs(now - one.at) <= timedelta(hours=24) else now
    text = f"{record.name} is {health.state}{why}"
    event = Event(id_, kind, at, now, rules.name, device_id=one.device_id, text=text, notice=notice)
    return Submission(event, digest=id_.encode())
