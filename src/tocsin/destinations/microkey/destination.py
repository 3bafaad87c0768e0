"""A MicroKey station: the dialogue is that of type surgard, the record is its own."""

from tocsin.destinations.microkey import format as microkey_format
from tocsin.destinations.microkey.settings import MicrokeySettings
from tocsin.destinations.surgard.destination import Dialect, SurgardDestination
from tocsin.destinations.surroundings import Surroundings
from tocsin.model.event import Address, Event


def build(settings: MicrokeySettings, surroundings: Surroundings) -> SurgardDestination:
    def record(event: Event, where: Address) -> bytes:
        return microkey_format.event_record(settings, event, where)

    dialect = Dialect("MicroKey", record, microkey_format.heartbeat(settings))
    return SurgardDestination(settings, dialect, surroundings)
