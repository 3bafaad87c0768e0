"""A station's software that reads mail: joins a type's words with templates, pictures and the mail servers."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Protocol
from urllib.parse import quote

from msgspec import Struct

from tocsin.destinations.escaping import Escape
from tocsin.destinations.files import Files
from tocsin.destinations.mailing.addressing import address_of
from tocsin.destinations.mailing.message import PlainMail, one_line, plain_mail
from tocsin.destinations.mailing.sending import Draft, Mailing, noted
from tocsin.destinations.mailing.station_settings import WHEN, StationMailSettings
from tocsin.destinations.photos import wanted_photos
from tocsin.destinations.pictures import files_at_hand, files_of
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.templates import Template, TemplateProblem, compiled
from tocsin.destinations.words import words
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Address, Event, Photo

_SMALLEST_PICTURE = 10_000
_REDUCED_TO = 4


def built_in(package: str, file: str, escape: Escape) -> Template:
    """A template beside a type's modules; the line end at its end does not belong to the message."""
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    return compiled(text.removesuffix("\n"), escape, f"the built-in {file}", WHEN)


def link(url: str) -> str:
    """A link without blanks, control characters or letters beyond ASCII."""
    return quote(url.strip().encode("utf-8", "replace"), safe="!#$%&'()*+,/:;=?@[]~")


class Target(Struct, frozen=True):
    """Where one event goes. `zone` is the number of its camera or input there, "" for none."""

    sender: str
    recipients: tuple[str, ...]
    address: Address
    zone: str = ""


class StationFormat(Protocol):
    """What one type adds; pure."""

    subject: Template
    body: Template
    time_zone: str
    """IANA, for `ts_local`; empty: the event's own."""

    def sendable(self, address: Address, origin: str) -> Addressed:
        """An address in the outbox's form, or what is wrong with it."""

    def unsupported(self, event: Event) -> str:
        """Why this type has no way to say the event; looks at kind, state and code only. Empty: it has."""

    def target(self, address: str) -> Target:
        """What the outbox's form of an address means. Raises Rejected."""

    def code(self, event: Event) -> str:
        """What the event is called there."""

    def when(self, event: Event) -> str:
        """The event's time as the station reads it."""


class StationMail:
    """See engine.contracts.Destination. One mail at a time, so that order is kept (receivers.md 1.3)."""

    concurrency = 1
    supervision_s: float | None = None

    def __init__(self, settings: StationMailSettings, surroundings: Surroundings, form: StationFormat) -> None:
        self.name = settings.name
        self._settings = settings
        self._areas = surroundings.area_address
        self._form = form
        self._mailing = Mailing(settings, surroundings)

    def address(self, event: Event, device: Device | None) -> Addressed:
        if event.state == "restore" and self._settings.restores == "suppress":
            return Addressed(unsupported=f"restores: {self.name} is not told of the end of an alarm")
        unsupported = self._form.unsupported(event)
        if unsupported:
            return Addressed(unsupported=unsupported)
        return address_of(self._settings, self._form.sendable, event, device, self._areas)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        target = self._form.target(due.address)
        carried = files_at_hand(photos, self._settings.photos, due.event, target.zone, target.address)
        draft = self._draft(due, target, carried)
        return [Rendered("mail.eml", self._mailing.message(due, draft).data, draft.note)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        photos = await wanted_photos(self._settings, due, attempt)
        return await self._mailing.deliver(due, self._ever_smaller(due, photos), attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("mail has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        return await self._mailing.check()

    def hosts_in_use(self) -> str:
        return self._mailing.hosts_in_use()

    async def aclose(self) -> None:
        await self._mailing.aclose()

    async def _ever_smaller(self, due: Due, photos: Sequence[Photo]) -> AsyncGenerator[Draft]:
        """All pictures, then the same made smaller, then only the link (receivers.md 1.3)."""
        target, pictures = self._form.target(due.address), self._settings.photos
        carried = await files_of(photos, pictures, due.event, target.zone, target.address)
        yield self._draft(due, target, carried)
        if not carried.files:
            return
        largest = min(max(len(photo.data) for photo in photos), pictures.max_bytes_each)
        if largest > _SMALLEST_PICTURE:
            smaller = pictures.model_copy(update={"max_bytes_each": max(_SMALLEST_PICTURE, largest // _REDUCED_TO)})
            reduced = await files_of(photos, smaller, due.event, target.zone, target.address)
            yield self._draft(due, target, reduced, "sent once more with smaller pictures: the mail was too large")
        yield self._draft(due, target, Files(), "sent without pictures: the mail with them was too large")

    def _draft(self, due: Due, target: Target, carried: Files, note: str = "") -> Draft:
        mail = self._mail(due, target, carried)

        def written(sent_at: datetime) -> bytes:
            return plain_mail(mail, sent_at)

        return Draft(target.sender, target.recipients, written, noted(note, carried.note))

    def _mail(self, due: Due, target: Target, carried: Files) -> PlainMail:
        event, form = due.event, self._form
        values = words(
            event,
            target.address,
            form.code(event),
            link(event.url),
            due.number,
            target.zone,
            carried.files,
            form.time_zone,
        )
        values = {key: one_line(value) if isinstance(value, str) else value for key, value in values.items()}
        values["when"] = form.when(event)
        try:
            subject, text = form.subject.render(values), form.body.render(values)
        except TemplateProblem as error:
            raise Rejected(str(error)) from error
        return PlainMail(
            sender=target.sender,
            recipients=target.recipients,
            subject=subject,
            text=text,
            event_id=event.id,
            destination=self.name,
            attachments=carried.files,
            disposition=self._settings.disposition,
            ascii_only=self._settings.ascii_only,
        )
