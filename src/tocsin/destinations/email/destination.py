"""Mail for people: joins the format with the mail servers."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from tocsin.destinations.email.addressing import address_of, recipients_of
from tocsin.destinations.email.format import Letter, mail
from tocsin.destinations.email.pace import Pace
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.mailing.sending import Draft, Mailing, noted
from tocsin.destinations.photos import chosen, wanted_photos
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo

_LOOK_S = 1.0


class EmailDestination:
    """See engine.contracts.Destination. One mail at a time, so that order is kept (receivers.md 1.3)."""

    concurrency = 1
    supervision_s: float | None = None

    def __init__(self, settings: EmailSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self._settings = settings
        self._areas = surroundings.area_address
        self._mailing = Mailing(settings, surroundings)
        self._clock = surroundings.clock
        self._pace = Pace(settings.max_per_minute)
        self._held_back = 0

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(self._settings, event, device, self._areas)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        draft = self._draft(due, photos)
        return [Rendered("mail.eml", self._mailing.message(due, draft).data, draft.note)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        photos = await wanted_photos(self._settings, due, attempt)
        remark = await self._turn()
        receipt = await self._mailing.deliver(due, self._ever_smaller(due, photos, remark), attempt)
        self._pace.sent(self._clock.monotonic())
        return receipt

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("mail has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        return await self._mailing.check()

    def hosts_in_use(self) -> str:
        return self._mailing.hosts_in_use()

    async def aclose(self) -> None:
        await self._mailing.aclose()

    async def _turn(self) -> str:
        """Wait for the limit's sake: what comes meanwhile stays in the durable queue, alarms first. A remark for the
        mail that had to wait.
        """
        if not self._pace.wait_s(self._clock.monotonic()):
            self._held_back = 0
            return ""
        while wait_s := self._pace.wait_s(self._clock.monotonic()):
            await asyncio.sleep(min(wait_s, _LOOK_S))
        self._held_back += 1
        limit = f"at most {self._settings.max_per_minute} mails a minute are sent"
        return f"Held back, as {self._held_back} mails in a row so far: {limit}, each event comes in its own"

    async def _ever_smaller(self, due: Due, photos: Sequence[Photo], remark: str) -> AsyncGenerator[Draft]:
        yield self._draft(due, photos, remark)
        if photos:
            without = "Sent without photos: the mail server found the mail with them too large"
            yield self._draft(due, (), noted(without, remark))

    def _draft(self, due: Due, photos: Sequence[Photo], note: str = "") -> Draft:
        """The mail with the photos that fit, and a remark on those that stay behind."""
        recipients = recipients_of(due.address)
        carried = self._carried(photos)
        if len(carried) < len(photos) and self._settings.wants_photos():
            note = noted(note, f"{len(photos) - len(carried)} of {len(photos)} photos left out, see photos.max_bytes")

        def written(sent_at: datetime) -> bytes:
            carry, sender = self._settings.photos.carry, self._settings.sender
            return mail(due.event, Letter(self.name, sender, recipients, sent_at, carried, carry, note))

        return Draft(self._settings.sender, recipients, written, note)

    def _carried(self, photos: Sequence[Photo]) -> list[Photo]:
        if not self._settings.wants_photos():
            return []
        return chosen(photos, self._settings.photos.max_count, self._settings.photos.max_bytes)


def build(settings: EmailSettings, surroundings: Surroundings) -> EmailDestination:
    return EmailDestination(settings, surroundings)
