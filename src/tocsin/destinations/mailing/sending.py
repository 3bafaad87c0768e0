"""Bringing a mail to a station's server: hosts in turn, a smaller mail where it is too large, everything noted."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime

from msgspec import Struct

from tocsin.destinations.checking import link_steps
from tocsin.destinations.mailing.answers import TooLarge, failure
from tocsin.destinations.mailing.settings import MailSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.trace import ANSWER_LIMIT, excerpt, masked
from tocsin.engine.contracts import Attempt, CheckStep, DeliveryError, LinkDown, Rejected, TryLater
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.contract import Endpoint, TransportError, Unreachable
from tocsin.transports.ring import round_order
from tocsin.transports.smtp import Mail, MailTaken, SmtpLink
from tocsin.transports.smtp_entry import Log, LoginRefused

_REMEMBERED = 1000


class Draft(Struct, frozen=True):
    """One form of an event's mail. `written` makes the message for the moment of sending; `note` is for people."""

    sender: str
    recipients: tuple[str, ...]
    written: Callable[[datetime], bytes]
    note: str = ""


class Mailing:
    """The mail servers of one destination. One connection, kept through a burst; one mail at a time keeps the order."""

    def __init__(self, settings: MailSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings
        self._hosts = settings.endpoints()
        self._link = SmtpLink(settings.options())
        self._secrets = [secret.reveal() for secret in settings.secrets()]
        self._last = str(self._hosts[0])
        self._told: OrderedDict[DeliveryKey, frozenset[str]] = OrderedDict()
        self._unknown: set[str] = set()

    async def deliver(self, due: Due, drafts: AsyncGenerator[Draft], attempt: Attempt) -> Receipt:
        """Send the first draft; if it is found too large the next, which is smaller, and so on.

        Raises LinkDown, TryLater, Rejected.
        """
        refused = ""
        async with aclosing(drafts):
            async for draft in drafts:
                try:
                    return await self._round(due, draft, attempt)
                except TooLarge as error:
                    refused = str(error)
        raise Rejected(refused or "there is nothing to send")

    def message(self, due: Due, draft: Draft) -> Mail:
        """The mail as it would go out now, to those who have not got it yet. Raises Rejected."""
        if not draft.recipients:
            raise Rejected("the event has no recipient")
        told = self._told.get(due.key, frozenset())
        waiting = tuple(who for who in draft.recipients if who not in told) or draft.recipients
        return Mail(draft.sender, waiting, draft.written(self._around.clock.now()))

    async def check(self) -> Sequence[CheckStep]:
        """Every host as far as the login; nothing is sent. Stops at the first failure."""
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

    async def _round(self, due: Due, draft: Draft, attempt: Attempt) -> Receipt:
        """Each host once, a kept connection's before the others. Only when none can be reached the whole destination
        must wait; only when nobody may take it later it is refused.
        """
        kept = self._link.linked()
        linked = [] if kept is None else [kept]
        failures: list[DeliveryError] = []
        for host in [*linked, *round_order(self._hosts, linked)]:
            try:
                return await self._at(host, due, draft, attempt)
            except TooLarge:
                raise
            except DeliveryError as error:
                failures.append(error)
        raise _failed_round(failures)

    async def _at(self, host: Endpoint, due: Due, draft: Draft, attempt: Attempt) -> Receipt:
        """One try at one host, noted."""
        log: Log = []
        message = self.message(due, draft)
        self._last = str(host)
        try:
            taken = await self._link.send(host, message, log)
        except TransportError as error:
            found, result = failure(error, host)
            self._note(attempt, host, result, message, log, noted(str(found), draft.note))
            raise found from error
        later = self._later(due, draft, message, taken)
        remark = noted("; ".join(f"not to {who}: {refusal}" for who, refusal in taken.refused), draft.note)
        self._note(attempt, host, "retry" if later else "delivered", message, log, remark)
        if later:
            raise TryLater(f"{host} took the mail, but not yet for {', '.join(later)}: {remark}")
        self._told.pop(due.key, None)
        return Receipt(str(host), noted(taken.answer, remark))

    def _later(self, due: Due, draft: Draft, message: Mail, taken: MailTaken) -> list[str]:
        """Whom the server wants to be asked again for; the others are not sent to twice. An address it refuses for
        good is reported once.
        """
        refused = dict(taken.refused)
        for who in set(message.recipients) - set(refused):
            self._unknown.discard(who)
        for who, refusal in refused.items():
            if refusal.permanent and who not in self._unknown:
                self._unknown.add(who)
                self._around.record(Trouble(f"destination {self._settings.name}", f"no mail for {who}: {refusal}"))
        later = [who for who, refusal in refused.items() if not refusal.permanent]
        if later:
            self._told[due.key] = frozenset(draft.recipients) - set(later)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return later

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


def _failed_round(failures: Sequence[DeliveryError]) -> DeliveryError:
    """A server that could not be reached may take tomorrow what another one refuses."""
    alike = next((kind for kind in (Rejected, LinkDown) if all(isinstance(one, kind) for one in failures)), TryLater)
    return alike("; ".join(map(str, failures)))


def noted(*parts: str) -> str:
    """Remarks as one text; empty ones are left out."""
    return ". ".join(part for part in parts if part)
