"""`acknowledge = "delivered"`: 250 when a station has the mail's event, else 451 and the same mail comes again."""

import asyncio

from tests.engine.conftest import ScriptedStation, takes_it
from tests.sources.smtp.conftest import Start, a_mail

from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import Due, Receipt
from tocsin.telemetry.occurrences import EventRefused


class Thinking(ScriptedStation):
    """A station that acknowledges when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may = asyncio.Event()
        self.script = self._thinks

    async def _thinks(self, due: Due, attempt: Attempt) -> Receipt:
        self.asked.set()
        await self.may.wait()
        return await takes_it(due, attempt)


async def test_the_answer_comes_with_the_delivery(mailing: Start) -> None:
    station = Thinking()
    m = await mailing(station, acknowledge="delivered")
    sending = asyncio.create_task(m.send(a_mail()))
    async with asyncio.timeout(5):
        await station.asked.wait()
    assert not sending.done()
    station.may.set()
    code, said = await sending
    (event,) = await m.events()
    assert (code, said) == (250, f"2.0.0 kept as {event.id}")


async def test_a_mail_that_is_not_delivered_in_time_is_to_come_again_and_is_one_event(mailing: Start) -> None:
    station = Thinking()
    m = await mailing(station, acknowledge="delivered", delivered_within="1s")
    mail = a_mail(Message_ID="<1@cam.example.net>")
    assert await m.send(mail) == (451, "4.4.7 kept, but no station has it within 1 s: send it again")
    assert [each.reason for each in m.occurrences if isinstance(each, EventRefused)] == ["not_delivered"]
    station.may.set()
    assert (await m.send(mail))[0] == 250
    assert len(await m.events()) == 1
    assert station.kinds() == ["motion"]


async def test_what_nobody_owes_is_taken_at_once(mailing: Start) -> None:
    m = await mailing(acknowledge="delivered")
    assert (await m.send(a_mail()))[0] == 250
