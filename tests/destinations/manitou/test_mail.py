"""The mail to Manitou's connector: its lines, its address, and a real mail server."""

import email
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.manitou.mail import ManitouMailSettings, build
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Event, Photo, Place
from tocsin.model.kinds import Lane
from tocsin.standins.smtp import MailStandin
from tocsin.transports.sockets import SocketNetwork

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(
    id="e1", kind="motion", occurred_at=AT, accepted_at=AT, source="s", device_id="cam", actors=(Actor("person", 0.9),),
    place=Place(name="North gate"), url="https://portal.example/e/01J8ZQ5C7Q",
)  # fmt: skip


def changed(**changes: Any) -> Event:
    return Event(**({name: getattr(EVENT, name) for name in EVENT.__struct_fields__} | changes))


def destination(**changes: Any) -> StationMail:
    table = {"name": "arc", "hosts": ["mx.example.net"], "sender": "gw@example.net", "to": "in@arc.example.net"}
    around = Surroundings(LoopClock(), random.Random(7), SocketNetwork(), lambda _: None)
    return build(ManitouMailSettings.model_validate(table | changes), around)


def text(event: Event = EVENT, address: str = "#123588|1-3", **changes: Any) -> tuple[str, str]:
    """Subject and text of the mail."""
    [rendered] = destination(**changes).render(Due(DeliveryKey(7, "arc"), Lane.ALARM, address, "q", 0, event), ())
    mail = email.message_from_bytes(rendered.data)
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    return str(mail["Subject"]), body.decode().replace("\r\n", "\n").rstrip("\n")


def test_the_mail_of_receivers_md() -> None:
    subject, body = text()
    assert subject == "Manitou alarm 123588"
    assert body == (
        "TXID=123588\nEvent=BA\nZone=3\nArea=1\nPointID=Person detected, North gate\nTime=2026-03-04 05:06:07\n"
        "URL=https://portal.example/e/01J8ZQ5C7Q"
    )
    assert text(changed(url=""), "#123588")[1].split("\n")[2:] == [
        "PointID=Person detected, North gate",
        "Time=2026-03-04 05:06:07",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"state": "restore"}, "BR"), ({"kind": "tamper"}, "TA1"), ({"kind": "tamper", "state": "restore"}, "TR")],
)
def test_codes(changes: dict[str, Any], code: str) -> None:
    assert f"\nEvent={code}\n" in text(changed(**changes), codes={"tamper": "TA1"})[1]


def test_addresses() -> None:
    found = destination().address(EVENT, Device("cam", description="Manitou:#4711|1-3"))
    assert (found.address, found.problem) == ("#4711|1-3", "")
    assert destination().address(changed(address=Address("6F01", "2", "17")), None).address == "#6F01|2-17"
    assert "there is no address for arc" in destination().address(EVENT, Device("cam")).problem
    assert "SIA has no code" in destination().address(changed(kind="system_stopped"), None).unsupported
    with pytest.raises(ValueError, match="up to 10"):
        destination(codes={"tamper": "ABCDEFGHIJK"})


@given(st.text(max_size=60))
def test_any_text_stays_on_its_line(written: str) -> None:
    event = changed(text=written, url=written, place=Place(name=written), device_id=written or "d")
    names = [line.partition("=")[0] for line in text(event)[1].split("\n")]
    assert [name for name in names if name not in ("TXID", "Event", "Zone", "Area", "PointID", "Time", "URL")] == []


async def test_taken_by_a_mail_server_with_its_picture(
    bench: Any, make_event: Callable[..., Event], make_photo: Callable[..., Photo]
) -> None:
    received: list[dict[str, Any]] = []
    standin = MailStandin("127.0.0.1:0", received.append, bench.clock)
    port = await standin.start()
    made = destination(hosts=[f"127.0.0.1:{port}"], tls={"mode": "off"})
    due = Due(DeliveryKey(7, "arc"), Lane.ALARM, "#123588|1-3", "q", 0, make_event(photos=1))
    receipt = await made.deliver(due, bench.attempt(make_photo(1)))
    assert receipt.answer.startswith("250")
    assert "TXID=123588" in repr(received[0])
    await made.aclose()
    await standin.aclose()
