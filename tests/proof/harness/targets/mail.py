"""Any mail can be read; what is read can be kept, matched by rules and handed to the intake."""

from datetime import UTC, datetime

import msgspec

from tocsin.model.event import Event
from tocsin.sources.smtp.events import Mails, alarm_of, submission
from tocsin.sources.smtp.reading import read_mail
from tocsin.sources.smtp.settings import SmtpSourceSettings

NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
SETTINGS = SmtpSourceSettings.model_validate(
    {
        "name": "mails",
        "type": "smtp",
        "listen": "127.0.0.1:0",
        "rules": [{"subject": "{text} on {device}"}, {"line": "Channel: {device}"}, {"to": "{device}@*"}],
        "kinds": [{"contains": "tamper", "kind": "tamper"}],
    }
)
MAILS = Mails(SETTINGS)
SEEDS = (
    b"Subject: Motion on Gate\r\nMessage-ID: <1@x>\r\n\r\nChannel: 3\r\n",
    b"Subject: =?utf-8?b?w5xiZXJmYWxs?=\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n/9j/4AAQ\r\n--x--\r\n",
    b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>Person<script>x</script> at <b>gate</b>",
    b"\r\n\r\n<Alarm><Input1>3</Input1><EventType>PersonDetected</EventType><DateTime>2026-03-04T05:06:07Z</DateTime>"
    b"<Location>59.4,24.7</Location><URL>https://x.example.net/</URL></Alarm>",
)


def one(data: bytes) -> None:
    mail = read_mail(data)
    alarm = alarm_of(mail)
    found = MAILS.find("gate@alarms.example.net", "cam@site.example.net", mail, alarm)
    assert found is not None
    event = submission(SETTINGS, found, mail, alarm, "gate@alarms.example.net", NOW).event
    assert "\n" not in event.text
    assert len(event.text) <= 2000
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
