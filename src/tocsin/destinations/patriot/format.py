"""An event as the line that Patriot's Email task reads (receivers.md 4.1). Pure."""

from tocsin.destinations.mailing.addressing import numbered, read_printed
from tocsin.destinations.mailing.names import Names, is_number, read_names
from tocsin.destinations.mailing.station import Target, built_in
from tocsin.destinations.mailing.station_settings import WHEN
from tocsin.destinations.patriot.settings import LARGEST_NUMBER, PatriotSettings
from tocsin.destinations.template_settings import chosen
from tocsin.destinations.templates import compiled
from tocsin.engine.contracts import Addressed, Rejected
from tocsin.model.event import Address, Event

CODES = read_names(__package__, "codes.csv")
LINE = built_in(__package__, "line.txt", "line")
SUBJECT = compiled(
    "{{ site_id }}{% if area %}-{{ area }}{% endif %} {% if test %}TEST {% endif %}{{ text }}",
    "line", "the built-in subject", WHEN,
)  # fmt: skip


class PatriotFormat:
    """See destinations.mailing.station.StationFormat."""

    def __init__(self, settings: PatriotSettings) -> None:
        self._settings = settings
        self._own = Names({}).with_own(settings.codes)
        self.subject = settings.subject or SUBJECT
        self.body = chosen(settings.template, settings.template_file, LINE)
        self.time_zone = settings.time.zone

    def sendable(self, address: Address, origin: str) -> Addressed:
        client = address.account
        misfit = self._settings.misfit(client)
        if misfit:
            return Addressed(origin=origin, problem=f"{client!r} from {origin} {misfit}")
        return numbered(Address(client, address.area, address.zone), origin)

    def unsupported(self, event: Event) -> str:
        return ""

    def target(self, address: str) -> Target:
        found = read_printed(address)
        if found is None:
            raise Rejected(f"{address!r} is no address of Patriot")
        return Target(self._settings.sender, (self._settings.to,), found, _decimal(found.zone or self._settings.zone))

    def code(self, event: Event) -> str:
        """The number of the event's type; empty where there is none: a restore under its alarm's number would be taken
        for another alarm.
        """
        own = self._own.own_restore(event)
        if own or self._settings.types == "none" or event.state == "restore":
            return own
        return _contact_id(event) or CODES.own_restore(event)

    def when(self, event: Event) -> str:
        return self._settings.time.written(event)


def _contact_id(event: Event) -> str:
    """The code a panel itself used for a beginning (1EEE); empty for ends and where it is no decimal number."""
    code = event.code.contact_id if event.code is not None else None
    return _decimal(code[1:]) if code is not None and len(code) == 4 and code.startswith("1") else ""


def _decimal(text: str) -> str:
    """Without leading zeros; empty for what Patriot does not read as a number: better the line without it than none."""
    return str(int(text)) if is_number(text, LARGEST_NUMBER) else ""
