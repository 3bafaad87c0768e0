"""A mail source on real sockets over a real gateway's door, and cameras that mail to it by smtplib."""

import asyncio
import io
import random
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.engine.conftest import ScriptedStation

from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import PhotoIn
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.model.event import Event
from tocsin.sources.smtp.settings import SmtpSourceSettings
from tocsin.sources.smtp.source import SmtpSource, build
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.store.contract import EventFilter, Store
from tocsin.store.open import open_store
from tocsin.telemetry.record import Occurrence


def jpeg(shade: int = 90) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, 90, 40)).save(written, "JPEG")
    return written.getvalue()


def a_mail(subject: str = "Motion at Gate", text: str = "Channel 3\n", *photos: bytes, **headers: str) -> EmailMessage:
    mail = EmailMessage()
    told = {"From": "cam@site.example.net", "To": "gate@alarms.example.net", "Subject": subject} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    for name, value in told.items():
        mail[name] = value
    mail.set_content(text)
    for n, photo in enumerate(photos):
        mail.add_attachment(photo, maintype="image", subtype="jpeg", filename=f"{n}.jpg")
    return mail


async def any_jpeg(picture: PhotoIn) -> bytes | str:
    return picture.data if picture.data.startswith(b"\xff\xd8") else "it does not begin like a JPEG"


@dataclass
class Mailing:
    source: SmtpSource
    gateway: Gateway
    store: Store
    occurrences: list[Occurrence]
    heard: list[tuple[str, str]]

    async def send(
        self,
        mail: EmailMessage | bytes,
        to: str | list[str] = "gate@alarms.example.net",
        login: tuple[str, str] | None = None,
        trust: Path | None = None,
    ) -> tuple[int, str]:
        """Code and words of the answer to the mail, or to what was refused before."""
        data = mail if isinstance(mail, bytes) else mail.as_bytes()
        recipients = [to] if isinstance(to, str) else to
        return await asyncio.to_thread(_sent, self.source.port, data, recipients, login, trust)

    async def events(self) -> list[Event]:
        return [each.event for each in reversed(await self.store.events(EventFilter(limit=100)))]

    async def photos(self, event: Event) -> list[bytes]:
        stored = await self.store.event(event.id)
        assert stored is not None
        return [photo.data for photo in await self.store.photos(stored.seq)]


def _sent(port: int, data: bytes, to: list[str], login: tuple[str, str] | None, trust: Path | None) -> tuple[int, str]:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.ehlo()
        if trust is not None:
            client.starttls(context=ssl.create_default_context(cafile=str(trust)))
            client.ehlo()
        if login is not None:
            try:
                client.login(*login)
            except smtplib.SMTPResponseException as error:
                return error.smtp_code, _words(error.smtp_error)
        code, said = client.mail("cam@site.example.net")
        if code != 250:
            return code, _words(said)
        for each in to:
            code, said = client.rcpt(each)
            if code != 250:
                return code, _words(said)
        code, said = client.data(data)
        return code, _words(said)


def _words(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode()


Start = Callable[..., Awaitable[Mailing]]


@pytest.fixture
async def mailing(tmp_path: Path) -> AsyncIterator[Start]:
    """`await mailing(rules=[…])` starts a source; with stations the gateway delivers to them."""
    running: list[tuple[Mailing, list[asyncio.Task[Any]]]] = []

    async def start(*stations: ScriptedStation, **changes: Any) -> Mailing:
        rules = [{"to": "{device}@alarms.example.net"}]
        table = {"name": "mails", "type": "smtp", "listen": "127.0.0.1:0", "rules": rules} | changes
        occurrences: list[Occurrence] = []
        heard: list[tuple[str, str]] = []
        store = open_store(tmp_path / f"{len(running)}.db")
        await store.open()
        parts = GatewayParts(store, LoopClock(), random.Random(1), occurrences.append, any_jpeg)
        gateway = Gateway("test", parts, [Member(each, "scripted", "scripted") for each in stations], AreaTree(), [])
        await gateway.start()
        around = SourceSurroundings(
            LoopClock(), random.Random(2), occurrences.append, lambda source, subject: heard.append((source, subject))
        )
        source = build(SmtpSourceSettings.model_validate(table), around)
        work = (source.run(gateway.intake), gateway.run(announce=False)) if stations else (source.run(gateway.intake),)
        tasks = [asyncio.create_task(each) for each in work]
        running.append((Mailing(source, gateway, store, occurrences, heard), tasks))
        await source.listening.wait()
        return running[-1][0]

    yield start
    for each, tasks in running:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await each.store.aclose()
