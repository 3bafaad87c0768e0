"""What a service cloud is told of: it knows devices by their id and has no numbers of its own. Pure."""

from tocsin.engine.contracts import Addressed
from tocsin.model.event import Event, InventoryNotice, SourceNotice

NO_SOURCES = "how a system itself is is told with sources_url, in the profile extended"
NO_NOTICE = "a service cloud is told of inventories and of the health of systems and their devices, and of nothing else"


def address_of(event: Event, tells_sources: bool = False) -> Addressed:
    """Each device is a line of its own, and each customer's inventory of a system, and how that system is: what came
    later is told later (connectors.md 2.4). No device id has a blank in it.
    """
    notice = event.notice
    if notice is None:
        return Addressed(unsupported=NO_NOTICE)
    if not notice.customer_id:
        return Addressed(unsupported="it is no customer's: give the [[systems]] entry customer_id or customer_rules")
    if isinstance(notice, InventoryNotice):
        return _of(f"{notice.system} {notice.customer_id}", "the system and its customer")
    if isinstance(notice, SourceNotice):
        line = f"{notice.system} {notice.customer_id} itself"
        return _of(line, "the system and its customer") if tells_sources else Addressed(unsupported=NO_SOURCES)
    return _of(event.device_id, "the device's id")


def _of(line: str, origin: str) -> Addressed:
    return Addressed(line, line, origin)
