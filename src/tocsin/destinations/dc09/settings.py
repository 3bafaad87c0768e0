"""What a `[[destinations]]` table of type dc09 may say."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import AesKey, Duration, Secret, Settings
from tocsin.config.hosts import HostPort
from tocsin.config.listening import split_listen
from tocsin.config.supervision import Poll, SecondPoll, is_dual
from tocsin.destinations.mailing.settings import Host
from tocsin.destinations.pictures import PictureSettings
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.destinations.uploading.settings import FolderPath, FtpSettings, Password
from tocsin.model.event import Address
from tocsin.protocols.codes import check_override
from tocsin.transports.contract import Endpoint

SHORTEST_POLL_S, LONGEST_POLL_S, LONGEST_SECOND_POLL_S = 10.0, 90000.0, 180000.0


def _off(value: object) -> object:
    return None if value == "off" else value


Account = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{3,16}$")]
AnyAccount = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,16}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,6}$")]


class PhotoSettings(PictureSettings, FtpSettings):
    """How long an alarm may wait for late pictures or classification; with `by`, how its pictures go ahead of it."""

    by: Literal["ftp"] | None = Field(None, description="ftp: pictures are uploaded before the event that names them.")
    wait: Duration = Field(5.0, ge=0, le=60, description="The longest an event waits for late photos or actors.")
    upload_wait: Duration = Field(
        10.0, ge=0, le=60, description="The longest an event waits for its upload; then it goes without, the upload on."
    )
    hosts: list[Host] = Field([], max_length=16, description="FTP servers, host or host:port; mirrors, used in turn.")
    user: str = Field("", pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="User to log in as.")
    password: Password = Field(default_factory=lambda: Secret(""), description="Password of the user.")
    create_dirs: bool = Field(True, description="Make the account's folder if it is missing.")
    path: FolderPath = Field("", description="Where the accounts' folders are; absent: where the login leads.")
    url: str = Field(
        "", pattern=r"^([a-z]{3,5}://[!-~]{1,150})?$", description="How the station reaches `path`, put before names."
    )
    field: Literal["U", "V"] = Field("U", description="U: one field per picture; V: behind the link to the event.")

    @model_validator(mode="after")
    def _complete(self) -> "PhotoSettings":
        if self.by is None and self.model_fields_set - {"wait"}:
            raise ValueError('without by = "ftp" only wait can be set')
        if self.by == "ftp" and not (self.hosts and self.user and self.password.reveal()):
            raise ValueError('by = "ftp" needs hosts, user and password')
        if not self.sends_files:
            raise ValueError('as is "jpg", "avi" or "sheet" here; leave by out to send the link only')
        return self


class FieldSettings(Settings):
    """Which extended data goes with an event (stations.md 5); each can be switched off."""

    area: bool = Field(True, description="S: name of the area.")
    device: bool = Field(True, description="L: name of the device.")
    time: bool = Field(True, description="H: time of occurrence.")
    link: bool = Field(True, description="V: link to the event.")
    info: bool = Field(True, description="I: text, battery, signal, detected objects.")
    position: bool = Field(True, description="X and Y: longitude and latitude.")


class Dc09Settings(DestinationSettings):
    """A station's DC-09 receiver. Several `hosts` are one fallback group: an answer of any of them is enough."""

    type: Literal["dc09"] = Field("dc09", description="Type of station.")
    format: Literal["SIA-DCS", "ADM-CID"] = Field("SIA-DCS", description="Event format the station expects.")
    hosts: list[HostPort] = Field(min_length=1, max_length=16, description="Receivers as host:port, the first first.")
    transport: Literal["tcp", "udp"] = Field("tcp", description="tcp, or udp without TLS.")
    tls: TlsSettings | None = Field(None, description="Absent: plain TCP.")
    account: Account | None = Field(None, description="For events that bring no address of their own, and for polls.")
    area: str | None = Field(None, pattern=r"^[0-9]{1,2}$", description="Area sent with the default account.")
    zone: str | None = Field(None, pattern=r"^[0-9]{1,3}$", description="Zone sent with the default account.")
    receiver: Line | None = Field(None, description="Receiver number, R…")
    prefix: Line | None = Field(None, description="Account prefix, L…; absent: L0.")
    accounts: dict[AnyAccount, Account] = Field({}, description="Renames of panels' accounts.")
    key: AesKey | None = Field(None, description='{ hex = "…" } or { text = "…" }; absent: plain messages.')
    connections: int = Field(4, ge=1, le=64, description="Deliveries at once; never two of one account.")
    keep: bool = Field(True, description="true: connections are kept; false: one connection per message.")
    failback_after: Duration | None = Field(
        None, ge=1, description="Close a kept link to another host than the first after this long, when idle."
    )
    reply_timeout: Duration = Field(20.0, ge=5, le=60, description="Wait for the station's answer.")
    connect_timeout: Duration = Field(5.0, ge=1, le=30, description="Wait for the connection.")
    attempts: int = Field(1, ge=1, le=10, description="Attempts per host and round.")
    supervision: Annotated[Poll | None, BeforeValidator(_off)] = Field(
        60.0, description='Interval of polls, or a category such as "SP5", or "off".'
    )
    second_path: SecondPoll | None = Field(
        None,
        description="With two hosts or more: each other host is polled by itself this often, and as often as the first "
        "while that is lost. Default: a DP category's figure; with any other supervision they are not.",
    )
    occurred_time: Literal["utc", "device"] = Field("utc", description="Time zone of field H.")
    fields: FieldSettings = Field(FieldSettings(), description="Extended data to send.")
    encoding: Literal["utf-8", "cp1252", "ascii"] = Field("utf-8", description="Encoding of texts.")
    dcs_group_as_ri: bool = Field(False, description="SIA-DCS: send an address's area as ri.")
    oversized_numbers: Literal["text", "refuse"] = Field(
        "text",
        description="ADM-CID: a panel's area or zone that does not fit goes out as 00 or 000 with the number in I, "
        "or the event is set aside.",
    )
    codes: dict[str, str] = Field(
        {}, description='Other codes: kind, "kind.restore", class or code = code, such as tamper = "137".'
    )
    photos: PhotoSettings | None = Field(None, description="Pictures ahead of the event, and how long it waits.")

    @model_validator(mode="before")
    @classmethod
    def _second_of_category(cls, value: Any) -> Any:
        if isinstance(value, dict) and is_dual(value.get("supervision")):
            return {"second_path": value["supervision"], **value}
        return value

    @field_validator("second_path")
    @classmethod
    def _second_in_range(cls, value: float | None) -> float | None:
        if value is not None and not SHORTEST_POLL_S <= value <= LONGEST_SECOND_POLL_S:
            raise ValueError('second_path lies between "10s" and "50h"')
        return value

    @field_validator("supervision")
    @classmethod
    def _poll_in_range(cls, value: float | None) -> float | None:
        if value is not None and not SHORTEST_POLL_S <= value <= LONGEST_POLL_S:
            raise ValueError('supervision lies between "10s" and "25h"; "off" switches it off')
        return value

    @model_validator(mode="after")
    def _no_tls_over_udp(self) -> "Dc09Settings":
        if self.transport == "udp" and self.tls is not None:
            raise ValueError('tls needs transport = "tcp"; leave one of them out')
        return self

    @model_validator(mode="after")
    def _usable_codes(self) -> "Dc09Settings":
        wire: Literal["sia", "contact_id"] = "sia" if self.format == "SIA-DCS" else "contact_id"
        problems = [check_override(wire, name, code) for name, code in self.codes.items()]
        wrong = [problem for problem in problems if problem]
        if wrong:
            raise ValueError(f"codes: {'; '.join(wrong)}")
        return self

    def hold_s(self) -> float:
        return self.photos.wait if self.photos else super().hold_s()

    def wants_photos(self) -> bool:
        return self.photos is not None and self.photos.by is not None

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(*split_listen(host)) for host in self.hosts]

    def default_address(self) -> Address | None:
        if self.account is None:
            return None
        return Address(self.account, self.area, self.zone, self.receiver, self.prefix)
