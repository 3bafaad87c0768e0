"""Mail for people: joins the format with the mail transport."""

from collections import OrderedDict
from collections.abc import Sequence

from tocsin.destinations.checking import link_steps
from tocsin.destinations.email.addressing import address_of, recipients_of
from tocsin.destinations.email.format import Letter, mail
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.photos import chosen
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.trace import ANSWER_LIMIT, excerpt, masked
from tocsin.engine.contracts import (
    Addressed,
    Attempt,
    CheckStep,
    DeliveryError,
    LinkDown,
    Rejected,
    Rendered,
    TryLater,
)
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TransportError, Unreachable
from tocsin.transports.ring import round_order
from tocsin.transports.smtp import Mail, MailRefused, MailTaken, SmtpLink
from tocsin.transports.smtp_entry import Log, LoginRefused

_TOO_LARGE = frozenset({523, 552, 554})
_REMEMBERED = 1000


class EmailDestination:
    """See engine.contracts.Destination. One mail at a time, so that order is kept (receivers.md 1.3)."""

    concurrency = 1
    supervision_s: float | None = None

    def __init__(self, settings: EmailSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self._settings = settings
        self._around = surroundings
        self._hosts = settings.endpoints()
        self._link = SmtpLink(settings.options())
        self._secrets = [secret.reveal() for secret in settings.secrets()]
        self._last = str(self._hosts[0])
        self._told: OrderedDict[DeliveryKey, frozenset[str]] = OrderedDict()
        self._unknown: set[str] = set()

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(event, device, self.name, self._settings.to)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        message, note = self._mail(due, photos)
        return [Rendered("mail.eml", message.data, note)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        wanted = self._settings.wants_photos() and due.event.photos
        photos = await attempt.photos() if wanted else ()
        try:
            return await self._round(due, photos, "", attempt)
        except _TooLarge as refused:
            if not photos:
                raise Rejected(str(refused)) from refused
        note = "Sent without photos: the mail server found the mail with them too large"
        try:
            return await self._round(due, (), note, attempt)
        except _TooLarge as refused:
            raise Rejected(str(refused)) from refused

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("mail has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        steps: list[CheckStep] = []
        for host in self._hosts:
            steps.extend(await self._check(host))
            if not steps[-1].ok:
                break
        return steps

    def hosts_in_use(self) -> str:
        return self._last

    async def aclose(self) -> None:
        await self._link.aclose()

    async def _round(self, due: Due, photos: Sequence[Photo], note: str, attempt: Attempt) -> Receipt:
        """Each host once, a kept connection's before the others. Only when none can be reached the whole destination
        must wait.
        """
        kept = self._link.linked()
        linked = [] if kept is None else [kept]
        failures: list[DeliveryError] = []
        for host in [*linked, *round_order(self._hosts, linked)]:
            message, remark = self._mail(due, photos, note)
            try:
                return await self._at(host, due, message, remark, attempt)
            except (LinkDown, TryLater) as failure:
                failures.append(failure)
        reached = [failure for failure in failures if isinstance(failure, TryLater)]
        if reached:
            raise TryLater("; ".join(map(str, failures)))
        raise LinkDown("; ".join(map(str, failures)))

    async def _at(self, host: Endpoint, due: Due, message: Mail, note: str, attempt: Attempt) -> Receipt:
        """One try at one host, noted."""
        log: Log = []
        self._last = str(host)
        try:
            taken = await self._link.send(host, message, log)
        except TransportError as error:
            failure, result = _failure(error, host)
            self._note(attempt, host, result, message, log, _noted(str(failure), note))
            raise failure from error
        later = self._later(due, message, taken)
        remark = _noted("; ".join(f"not to {who}: {refusal}" for who, refusal in taken.refused), note)
        self._note(attempt, host, "retry" if later else "delivered", message, log, remark)
        if later:
            raise TryLater(f"{host} took the mail, but not yet for {', '.join(later)}: {remark}")
        self._told.pop(due.key, None)
        return Receipt(str(host), _noted(taken.answer, remark))

    def _later(self, due: Due, message: Mail, taken: MailTaken) -> list[str]:
        """Whom the server wants to be asked again for; the others are not sent to twice. An address it refuses for
        good is reported once.
        """
        refused = dict(taken.refused)
        for who in set(message.recipients) - set(refused):
            self._unknown.discard(who)
        for who, refusal in refused.items():
            if refusal.permanent and who not in self._unknown:
                self._unknown.add(who)
                self._around.record(Trouble(f"destination {self.name}", f"no mail for {who}: {refusal}"))
        later = [who for who, refusal in refused.items() if not refusal.permanent]
        if later:
            self._told[due.key] = frozenset(recipients_of(due.address)) - set(later)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return later

    def _mail(self, due: Due, photos: Sequence[Photo], note: str = "") -> tuple[Mail, str]:
        """The mail to those who have not got it yet, and a remark on photos that stay behind."""
        recipients = recipients_of(due.address)
        if not recipients:
            raise Rejected("the event has no recipient")
        carried = self._carried(photos)
        if len(carried) < len(photos) and self._settings.wants_photos():
            note = _noted(note, f"{len(photos) - len(carried)} of {len(photos)} photos left out, see photos.max_bytes")
        letter = Letter(
            destination=self.name,
            sender=self._settings.sender,
            recipients=recipients,
            sent_at=self._around.clock.now(),
            photos=carried,
            carry=self._settings.photos.carry,
            note=note,
        )
        told = self._told.get(due.key, frozenset())
        waiting = tuple(who for who in recipients if who not in told) or recipients
        return Mail(self._settings.sender, waiting, mail(due.event, letter)), note

    def _carried(self, photos: Sequence[Photo]) -> list[Photo]:
        if not self._settings.wants_photos():
            return []
        return chosen(photos, self._settings.photos.max_count, self._settings.photos.max_bytes)

    def _note(self, attempt: Attempt, host: Endpoint, result: str, message: Mail, log: Log, note: str) -> None:
        sent = masked(excerpt(message.data), self._secrets)
        dialogue = excerpt("".join(f"{line}\n" for line in log).encode("utf-8", "replace"), ANSWER_LIMIT)
        shown = masked(dialogue.replace("<LF>", ""), self._secrets)
        attempt.exchanged(str(host), result, sent, shown, masked(note, self._secrets))

    async def _check(self, host: Endpoint) -> list[CheckStep]:
        tls = self._settings.tls.options() if self._settings.tls.mode == "implicit" else None
        steps = await link_steps(self._around.network, host, tls)
        if not steps[-1].ok:
            return steps
        what = "mail dialogue and login" if self._settings.user else "mail dialogue"
        try:
            await self._link.try_login(host, [])
        except LoginRefused as error:
            return [*steps, CheckStep("login", False, str(error))]
        except Unreachable as error:
            return [*steps, CheckStep("mail dialogue", False, str(error))]
        return [*steps, CheckStep(what, True, "the server would take mail from us; nothing was sent")]


def build(settings: EmailSettings, surroundings: Surroundings) -> EmailDestination:
    return EmailDestination(settings, surroundings)


class _TooLarge(Rejected):
    """The server may take the mail without its photos."""


def _failure(error: TransportError, host: Endpoint) -> tuple[DeliveryError, str]:
    """Who must wait, and how the exchange is called."""
    if isinstance(error, MailRefused):
        return _refused(error, host)
    if isinstance(error, NoAnswer):
        return TryLater(f"{error}. The server may have taken the mail; it is sent again"), "silent"
    if isinstance(error, LinkBroken):
        return TryLater(f"{error}. The server may have taken the mail; it is sent again"), "broken"
    return LinkDown(str(error)), "unreachable"


def _refused(error: MailRefused, host: Endpoint) -> tuple[DeliveryError, str]:
    if not all(refusal.permanent for refusal in error.refusals):
        return TryLater(f"{host} does not take the mail now: {error}"), "retry"
    whole = any(refusal.code in _TOO_LARGE and not refusal.command.startswith("RCPT") for refusal in error.refusals)
    reason = f"{host} refuses the mail: {error}"
    return (_TooLarge(reason) if whole else Rejected(reason)), "refused"


def _noted(*parts: str) -> str:
    return ". ".join(part for part in parts if part)
