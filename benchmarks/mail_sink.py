"""A mail server that takes everything and looks at nothing, and smtplib's sender into it; each as a process.

`python -m benchmarks.mail_sink server --port P | smtplib --port P --count N --photo FILE [--ready]`
"""

import argparse
import asyncio
import json
import signal
import smtplib
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import cast

import uvloop

_ANSWERS = {
    b"EHLO": b"250-mailbox.example.net\r\n250 SIZE 10000000\r\n", b"DATA": b"354 go ahead\r\n", b"QUIT": b"221 bye\r\n",
}  # fmt: skip
_TEXT = "<Alarm>\n<VersionInfo>1</VersionInfo>\n<Input1>1</Input1>\n<EventType>MotionDetected</EventType>\n</Alarm>\n"


class Seen:
    def __init__(self) -> None:
        self.mails = 0
        self.bytes = 0
        self.connections = 0
        self.first = 0.0
        self.last = 0.0


class Mailbox(asyncio.Protocol):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._data = bytearray()
        self._in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._seen.connections += 1
        self._transport.write(b"220 mailbox.example.net\r\n")

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._step():
            pass

    def _step(self) -> bool:
        """One command or one message; False when more bytes are needed."""
        mark = b"\r\n.\r\n" if self._in_message else b"\r\n"
        end = self._data.find(mark)
        if end < 0:
            return False
        taken = bytes(self._data[:end])
        del self._data[: end + len(mark)]
        if self._in_message:
            self._took(taken)
            self._in_message = False
            self._transport.write(b"250 taken\r\n")
        else:
            command = taken[:4].upper()
            self._in_message = command == b"DATA"
            self._transport.write(_ANSWERS.get(command, b"250 ok\r\n"))
        return True

    def _took(self, message: bytes) -> None:
        self._seen.mails += 1
        self._seen.bytes += len(message)
        self._seen.last = time.time()
        self._seen.first = self._seen.first or self._seen.last


async def serve(port: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    seen = Seen()
    server = await loop.create_server(lambda: Mailbox(seen), "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    return {**vars(seen), "seconds": seen.last - seen.first}


def send(port: int, count: int, photo: Path, ready: bool) -> None:
    """One kept connection; the standard library makes and sends each mail, or sends one that is `ready`."""
    data = photo.read_bytes()
    mail = _mail(data).as_bytes(policy=SMTP)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="gw.example.net") as client:
        client.ehlo()
        for _ in range(count):
            if ready:
                client.sendmail("S12345@immixalarms.com", "S12345@immixalarms.com", mail)
            else:
                client.send_message(_mail(data))
    print(json.dumps({"sent": count}), flush=True)


def _mail(photo: bytes) -> EmailMessage:
    message = EmailMessage()
    message["From"] = message["To"] = "S12345@immixalarms.com"
    message["Subject"] = "MotionDetected"
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="example.net")
    message.set_content(_TEXT)
    message.add_attachment(photo, "image", "jpeg", filename="20260304_050607_01.jpg")
    return message


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=["server", "smtplib"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--ready", action="store_true")
    given = parser.parse_args()
    if given.who == "server":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(serve(given.port))), flush=True)
    else:
        send(given.port, given.count, given.photo, given.ready)


if __name__ == "__main__":
    main()
