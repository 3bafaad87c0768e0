"""Which events a service cloud is told of: it knows devices by their id and has no numbers of its own. Pure."""

from tocsin.destinations.cloud.format import problem, unsupported
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.engine.contracts import Addressed
from tocsin.model.event import Event

ORIGIN = "the device's id"


def address_of(settings: CloudSettings, event: Event) -> Addressed:
    """The device's id is its address and its line: what happened later is told later (connectors.md 2.4)."""
    why = unsupported(event)
    if why:
        return Addressed(unsupported=why)
    wrong = problem(settings, event)
    if wrong:
        return Addressed(origin=ORIGIN, problem=wrong)
    return Addressed(event.device_id, event.device_id, ORIGIN)
