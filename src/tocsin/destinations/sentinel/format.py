"""An event as text for Sentinel (receivers.md 3.2; the layout is ours, unconfirmed). Pure."""

from tocsin.destinations.mailing.addressing import numbered, read_printed
from tocsin.destinations.mailing.names import read_names
from tocsin.destinations.mailing.station import Target, built_in
from tocsin.destinations.mailing.station_settings import WHEN
from tocsin.destinations.sentinel.settings import SITE, SentinelSettings
from tocsin.destinations.template_settings import chosen
from tocsin.destinations.templates import compiled
from tocsin.engine.contracts import Addressed, Rejected
from tocsin.model.event import Address, Event

CODES = read_names(__package__, "codes.csv")
LAYOUTS = {name: built_in(__package__, f"{name}.txt", "line") for name in ("pipe", "lines")}
SUBJECT = compiled("{{ site_id }} {{ code }}", "line", "the built-in subject", WHEN)
_LONGEST_SITE = 32


class SentinelFormat:
    """See destinations.mailing.station.StationFormat."""

    def __init__(self, settings: SentinelSettings) -> None:
        self._settings = settings
        self._codes = CODES.with_own(settings.codes)
        self.subject = settings.subject or SUBJECT
        self.body = chosen(settings.template, settings.template_file, LAYOUTS[settings.layout])
        self.time_zone = settings.time.zone

    def sendable(self, address: Address, origin: str) -> Addressed:
        site = address.account
        if not (site.isascii() and site.isdigit() and len(site) <= _LONGEST_SITE):
            return Addressed(origin=origin, problem=f"{site!r} from {origin} is no site number, such as 12345")
        return numbered(Address(site, zone=address.zone), origin)

    def unsupported(self, event: Event) -> str:
        if self._codes.of(event):
            return ""
        return f"codes: there is no word of Sentinel for {event.kind}; give it one in codes"

    def target(self, address: str) -> Target:
        found = read_printed(address)
        if found is None:
            raise Rejected(f"{address!r} is no address of Sentinel")
        recipient = self._settings.to.replace(SITE, found.account)
        return Target(self._settings.sender, (recipient,), found, found.zone or self._settings.camera)

    def code(self, event: Event) -> str:
        return self._codes.of(event)

    def when(self, event: Event) -> str:
        return self._settings.time.written(event)
