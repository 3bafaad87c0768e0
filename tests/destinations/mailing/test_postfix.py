"""Every mail type against a real Postfix: STARTTLS, login, a maildir read with the standard library's parser."""

import re
from collections.abc import AsyncIterator, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from tests.destinations.mailing.postfix import PASSWORD, USER, Postfix, running, why_not

from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.engine.contracts import LinkDown
from tocsin.model.event import Photo, Place

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
Make = Callable[..., Any]
PEOPLE = {"sender": "gw@example.net", "to": ["guard@example.net"], "photos": "both"}


@pytest.fixture
async def postfix(authority: Any) -> AsyncIterator[Postfix]:
    certificate, _ = authority.issue("mail.example.net")
    async with running(Path(certificate)) as server:
        yield server


@pytest.fixture
def told_by(authority: Any, surroundings: Any, make_station: Make) -> Make:
    """A destination of any mail type that enters that Postfix."""

    def make(kind: str, server: Postfix, **settings: Any) -> Any:
        way = {
            "hosts": [f"127.0.0.1:{server.port}"], "user": USER, "password": PASSWORD,
            "tls": {"mode": "required", "ca_file": authority.ca, "server_name": "mail.example.net"},
        }  # fmt: skip
        if kind != "email":
            return make_station(kind, **{**way, **settings})
        entry = DESTINATION_TYPES[kind]
        table = {"name": "people", "type": kind, **way, **PEOPLE, **settings}
        return entry.build(entry.settings.model_validate(table), surroundings)

    return make


def pictures(message: EmailMessage) -> list[bytes]:
    return [bytes(part.get_payload(decode=True)) for part in message.walk() if part.get_content_maintype() == "image"]


def read(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


async def test_every_type_arrives_whole(
    postfix: Postfix, told_by: Make, make_due: Make, make_event: Make, make_attempt: Make, make_photo: Make,
    detailed_photo: Photo,
) -> None:  # fmt: skip
    photos = [detailed_photo, make_photo(2)]
    event = make_event(photos=2, place=Place("Värav 2", area="Põhi"), text=".\r\n.leading dot")
    kinds = ("email", "immix", "sentinel", "patriot", "sureview")
    for count, kind in enumerate(kinds, start=1):
        destination = told_by(kind, postfix)
        attempt = make_attempt(photos)
        receipt = await destination.deliver(make_due(event, destination.address(event, None).address), attempt)
        await destination.aclose()
        assert re.match(r"250 2\.0\.0 Ok: queued as [0-9A-F]+", receipt.answer)
        assert PASSWORD not in str(attempt.exchanges)
        message = read((await postfix.mail(count))[-1])
        sent = {"email": [*photos, *photos], "patriot": photos[:1]}.get(kind, photos)
        assert pictures(message) == [photo.data for photo in sent]
        assert message["X-Event-ID"] == event.id
        assert "with ESMTPSA id" in str(message["Received"])  # encrypted and logged in
        body = message.get_body(("plain",))
        assert body is not None
        assert "leading dot" in (str(body.get_content()) + str(message["Subject"]))


async def test_a_burst_goes_over_one_connection_in_order(
    postfix: Postfix, told_by: Make, make_due: Make, make_event: Make, make_attempt: Make, make_photo: Make
) -> None:
    destination = told_by("immix", postfix)
    before = postfix.connections()
    for n in range(10):
        event = make_event(id=f"event-{n:02}", photos=1)
        await destination.deliver(make_due(event, "#12345"), make_attempt([make_photo(1)]))
    arrived = [read(data) for data in await postfix.mail(10)]
    assert sorted(str(message["X-Event-ID"]) for message in arrived) == [f"event-{n:02}" for n in range(10)]
    assert postfix.connections() == before + 1
    await destination.aclose()


async def test_a_mail_too_large_for_it_arrives_with_smaller_pictures(
    authority: Any, told_by: Make, make_due: Make, make_event: Make, make_attempt: Make, detailed_photo: Photo
) -> None:
    certificate, _ = authority.issue("mail.example.net")
    async with running(Path(certificate), size_limit=len(detailed_photo.data)) as server:
        destination = told_by("sureview", server)
        attempt = make_attempt([detailed_photo])
        event = make_event(photos=1)
        receipt = await destination.deliver(make_due(event, "ab@us.sureviewops.com"), attempt)
        [data] = await server.mail(1)
        await destination.aclose()
    assert "552 5.3.4" in attempt.exchanges[0].answer
    assert "smaller pictures" in receipt.answer
    [picture] = pictures(read(data))
    assert len(picture) <= len(detailed_photo.data) // 4


async def test_a_wrong_password_is_said_plainly(
    postfix: Postfix, told_by: Make, make_due: Make, make_event: Make, make_attempt: Make
) -> None:
    assert [step.ok for step in await told_by("patriot", postfix).check()] == [True, True]
    locked_out = told_by("patriot", postfix, password="not-the-password")
    with pytest.raises(LinkDown, match="refuses the user gateway or its password: 535"):
        await locked_out.deliver(make_due(make_event(), "#0011|01"), make_attempt())
    *_, last = await locked_out.check()
    assert (last.what, last.ok) == ("login", False)
