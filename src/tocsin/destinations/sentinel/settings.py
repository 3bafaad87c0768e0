"""What a `[[destinations]]` table of type sentinel may say."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from tocsin.destinations.doubts import Doubt
from tocsin.destinations.mailing.recipients import is_mail_address
from tocsin.destinations.mailing.settings import IMPLICIT_PORT, MailAddress
from tocsin.destinations.mailing.station_settings import StationMailSettings
from tocsin.destinations.mailing.times import TimeSettings
from tocsin.transports.smtp_entry import TlsMode

SENTINEL_PORT = 9025
SITE = "{site}"


def _recipient(text: str) -> str:
    if not is_mail_address(text.replace(SITE, "12345")):
        raise ValueError(f'expected a mail address; {SITE} in it stands for the site number: "{SITE}@arc.example.net"')
    return text


class SentinelSettings(StationMailSettings):
    """A Sentinel machine's mail receiver; the customer there is of type Generic Line Interface."""

    PORTS: ClassVar[dict[TlsMode, int]] = {
        "required": SENTINEL_PORT, "opportunistic": SENTINEL_PORT, "off": SENTINEL_PORT, "implicit": IMPLICIT_PORT,
    }  # fmt: skip
    prefix: ClassVar[str] = "Sentinel"

    type: Literal["sentinel"] = Field("sentinel", description="Type of station.")
    mode: Literal["email"] = Field("email", description="email: a mail to the Sentinel machine.")
    layout: Literal["pipe", "lines"] = Field(
        "pipe", description="Layout of the text, unconfirmed: pipe: one line; lines: one pair per line."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of hosts that say none; absent: 9025, with implicit TLS 465."
    )
    sender: MailAddress = Field(description="Address the mail comes from.")
    to: Annotated[str, AfterValidator(_recipient)] = Field(
        description='Where the mail goes, such as "alarm@sentinel.example.net" or "{site}@arc.example.net".'
    )
    camera: str = Field(
        "", pattern=r"^[A-Za-z0-9]{0,16}$", description="CameraNo of devices that list no zone; absent: none is sent."
    )
    time: TimeSettings = Field(TimeSettings(), description="Zone and form of DateTime.")

    def doubts(self) -> list[Doubt]:
        if not set(self.to.replace(SITE, "")) & set("{}"):
            return super().doubts()
        message = f"the mail goes to the braces as they stand: only {SITE} stands for a number"
        return [*super().doubts(), Doubt(("to",), message, f'"{SITE}@arc.example.net"')]
