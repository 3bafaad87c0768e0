"""An event as Immix reads it (receivers.md 2, stations.md 7.3). Pure."""

from tocsin.destinations.immix.settings import DECLARATION, ImmixSettings
from tocsin.destinations.mailing.addressing import numbered, read_printed
from tocsin.destinations.mailing.names import read_names
from tocsin.destinations.mailing.station import Target, built_in
from tocsin.destinations.mailing.station_settings import WHEN
from tocsin.destinations.template_settings import chosen
from tocsin.destinations.templates import compiled
from tocsin.engine.contracts import ORIGIN_OWN, Addressed, Rejected
from tocsin.model.event import Address, Event

CODES = read_names(__package__, "codes.csv")
ALARM = built_in(__package__, "alarm.xml", "xml")
SUBJECT = compiled("{{ code }}", "line", "the built-in subject", WHEN)


class ImmixFormat:
    """See destinations.mailing.station.StationFormat."""

    def __init__(self, settings: ImmixSettings) -> None:
        self._settings = settings
        self._codes = CODES.with_own(settings.codes)
        self.subject = settings.subject or SUBJECT
        self.body = chosen(settings.template, settings.template_file, ALARM)
        if settings.xml_declaration:
            self.body = compiled(DECLARATION + self.body.text, "xml", self.body.name, WHEN)
        self.time_zone = settings.time.zone

    def sendable(self, address: Address, origin: str) -> Addressed:
        number = address.account.removeprefix("S").removeprefix("s")
        if not (number.isascii() and number.isdigit() and len(number) <= 32):
            problem = f"{address.account!r} from {origin} is no Immix number, such as S12345"
            return Addressed(origin=origin, problem=problem)
        own = origin == ORIGIN_OWN
        zone = None if own and self._settings.input != "zone" else address.zone
        if zone is not None and not (zone.isascii() and zone.isdigit() and len(zone) <= 6):
            if not own:
                return Addressed(origin=origin, problem=f"zone {zone!r} from {origin} is no input number")
            zone = None  # A panel's zone cannot be corrected here: better the alarm on the usual input than none.
        return numbered(Address(number, zone=zone), origin)

    def unsupported(self, event: Event) -> str:
        return ""

    def target(self, address: str) -> Target:
        found = read_printed(address)
        if found is None:
            raise Rejected(f"{address!r} is no address of Immix")
        mailbox = f"S{found.account}@{self._settings.domain}"
        return Target(self._settings.sender or mailbox, (mailbox,), found, self._input(found.zone))

    def code(self, event: Event) -> str:
        return self._codes.of(event)

    def when(self, event: Event) -> str:
        return "" if self._settings.datetime == "omit" else self._settings.time.written(event)

    def _input(self, zone: str | None) -> str:
        """Input1 is an integer."""
        if zone is None:
            return "1" if self._settings.input == "zone" else str(int(self._settings.input))
        return str(max(0, int(zone) + self._settings.zone_offset))
