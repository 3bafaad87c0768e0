"""An event as SureView shows it: the subject is what operators read (receivers.md 5.1 and 5.3). Pure."""

from tocsin.destinations.mailing.names import Names
from tocsin.destinations.mailing.recipients import is_mail_address
from tocsin.destinations.mailing.station import Target, built_in
from tocsin.destinations.mailing.station_settings import WHEN
from tocsin.destinations.sureview.settings import SureViewSettings
from tocsin.destinations.template_settings import chosen
from tocsin.destinations.templates import compiled
from tocsin.engine.contracts import Addressed, Rejected
from tocsin.model.event import Address, Event
from tocsin.model.wording import canonical_name

LAYOUTS = {name: built_in(__package__, f"{name}.txt", "line") for name in ("sureview-ops", "sureview-response")}
SUBJECT = compiled(
    "{% if test %}TEST {% endif %}{{ text|cut(60) }}{% if site %} - {{ site|cut(30) }}{% endif %}",
    "line", "the built-in subject", WHEN,
)  # fmt: skip


class SureViewFormat:
    """See destinations.mailing.station.StationFormat."""

    def __init__(self, settings: SureViewSettings) -> None:
        self._settings = settings
        self._codes = Names({}).with_own(settings.codes)
        self.subject = settings.subject or SUBJECT
        self.body = chosen(settings.template, settings.template_file, LAYOUTS[settings.layout])
        self.time_zone = settings.time.zone

    def sendable(self, address: Address, origin: str) -> Addressed:
        misfit = self._settings.misfit(address.account)
        if misfit:
            return Addressed(origin=origin, problem=f"{address.account!r} from {origin} {misfit}")
        mailbox = self._settings.full_address(address.account)
        return Addressed(mailbox, mailbox, origin)

    def unsupported(self, event: Event) -> str:
        return ""

    def target(self, address: str) -> Target:
        if not is_mail_address(address):
            raise Rejected(f"{address!r} is no mail address")
        return Target(self._settings.sender, (address,), Address(address))

    def code(self, event: Event) -> str:
        return self._codes.of(event) or canonical_name(event)

    def when(self, event: Event) -> str:
        return self._settings.time.written(event)
