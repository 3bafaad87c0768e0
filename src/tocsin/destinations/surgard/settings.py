"""What a `[[destinations]]` table of type surgard may say."""

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, wrong_setting
from tocsin.config.hosts import HostPort
from tocsin.config.links import AllowedPeer, Heartbeat, LinkTlsSettings, Mode, link_problem
from tocsin.config.listening import ListenOrNot, split_listen
from tocsin.destinations.settings import DestinationSettings
from tocsin.model.event import Address
from tocsin.protocols.codes import check_override
from tocsin.protocols.surgard.sender import ACK, ATTEMPTS, NAK, WAIT_S
from tocsin.transports.contract import Endpoint, TlsOptions

SHORTEST_HEARTBEAT_S, LONGEST_HEARTBEAT_S = 1.0, 99.0
LONGEST_ROUND_S = 280.0
"""The engine ends an attempt after 300 s."""

_CONTACT_ID_ACCOUNT = re.compile(r"[0-9B-F]+", re.ASCII | re.IGNORECASE)

Account = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,16}$")]
Receiver = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,2}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,3}$")]


class LinkedSettings(DestinationSettings):
    """The link to automation software that acknowledges each record: the part shared with type microkey."""

    mode: Mode = Field("connect", description="connect to the station, or listen for it.")
    hosts: list[HostPort] = Field(
        [], max_length=16, description="To connect: host:port, the first first; usually 1025."
    )
    listen: ListenOrNot = Field("", description="To listen: address and port for the station to connect to.")
    allowed: list[AllowedPeer] = Field([], description="Listening: addresses and networks that may connect.")
    tls: LinkTlsSettings | None = Field(None, description="Absent: plain TCP.")
    receiver: Receiver = Field("01", description="Receiver number we pass for, two hexadecimal digits.")
    line: Line = Field("1", description="Line number.")
    account: Account | None = Field(None, description="For events that bring no address of their own.")
    area: str | None = Field(None, pattern=r"^[0-9]{1,2}$", description="Area sent with the default account.")
    zone: str | None = Field(None, pattern=r"^[0-9]{1,3}$", description="Zone sent with the default account.")
    accounts: dict[Account, Account] = Field({}, description="Renames of panels' accounts.")
    account_width: int = Field(4, ge=3, le=16, description="Contact ID: digits of every account, filled on the left.")
    account_fill: Literal["0", " "] = Field("0", description="What shorter accounts are filled with.")
    oversized_numbers: Literal["zero", "refuse"] = Field(
        "zero",
        description="Contact ID: a panel's area or zone that does not fit goes out as 00 or 000; refuse: is set aside.",
    )
    heartbeat: Heartbeat = Field(30.0, description='Sent after this long without a record: "1s" to "99s", or "off".')
    wait: Duration = Field(WAIT_S, ge=1, le=30, description="Wait for the answer to a record.")
    attempts: int = Field(
        ATTEMPTS, ge=1, le=10, description="Transmissions of a record before the link counts as dead."
    )
    connect_timeout: Duration = Field(5.0, ge=1, le=30, description="Wait for the connection.")
    failback_after: Duration | None = Field(
        None, ge=1, description="Close a link to another host than the first after this long."
    )
    codes: dict[str, str] = Field(
        {}, description='Other codes: kind, "kind.restore", class or code = code, such as tamper = "137".'
    )

    @field_validator("heartbeat")
    @classmethod
    def _heartbeat_in_range(cls, value: float | None) -> float | None:
        if value is not None and not SHORTEST_HEARTBEAT_S <= value <= LONGEST_HEARTBEAT_S:
            raise ValueError('heartbeat lies between "1s" and "99s"; "off" switches it off')
        return value

    @model_validator(mode="after")
    def _one_way(self) -> "LinkedSettings":
        problem = link_problem(self.mode, self.hosts, self.listen, self.allowed, self.tls)
        if problem:
            raise ValueError(problem)
        each_s = self.connect_timeout + 2 * self.attempts * self.wait
        if each_s * max(1, len(self.hosts)) > LONGEST_ROUND_S:
            raise ValueError(
                f"a host may take {each_s:g} s, all {len(self.hosts)} of them too long for one round "
                f"({LONGEST_ROUND_S:g} s): give fewer hosts, fewer attempts or a shorter wait"
            )
        return self

    @model_validator(mode="after")
    def _usable_codes(self) -> "LinkedSettings":
        wire: Literal["sia", "contact_id"] = "sia" if self.writes_sia() else "contact_id"
        problems = [check_override(wire, name, code) for name, code in self.codes.items()]
        wrong = [problem for problem in problems if problem]
        if wrong:
            raise ValueError(f"codes: {'; '.join(wrong)}")
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> "LinkedSettings":
        """What would set aside every event that goes out under it (surgard.md 6.4)."""
        if not self.line_fits(self.line):
            room = f"{self.line_width()} character" + ("s" if self.line_width() > 1 else "")
            raise wrong_setting(("line",), f"does not fit: the header has room for {room}", self._line_hint())
        if self.account and not self.account_fits(self.account):
            raise wrong_setting(("account",), self._misfit(), self._account_hint(self.account))
        for old, new in self.accounts.items():
            if not self.account_fits(new):
                raise wrong_setting(("accounts", old), self._misfit(), self._account_hint(new))
        return self

    def line_width(self) -> int:
        """Characters that the header has for the line."""
        return 1

    def line_fits(self, line: str) -> bool:
        return len(line.lstrip("0")) <= self.line_width()

    def account_fits(self, account: str) -> bool:
        """SIA takes any; in a Contact ID record digits are never cut."""
        if self.writes_sia():
            return True
        return len(account) <= self.account_width and bool(_CONTACT_ID_ACCOUNT.fullmatch(account))

    def _line_hint(self) -> str:
        return "one digit or letter, as the station gave it"

    def _misfit(self) -> str:
        return f"does not fit a Contact ID record: {self.account_width} characters of 0 to 9 and B to F"

    def _account_hint(self, account: str) -> str:
        if _CONTACT_ID_ACCOUNT.fullmatch(account):
            return f"account_width = {len(account)}, if the station reads that many"
        return "ask the station for an account without other letters"

    def writes_sia(self) -> bool:
        return False

    def answers(self) -> tuple[bytes, bytes]:
        """ACK and NAK."""
        return ACK, NAK

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(*split_listen(host)) for host in self.hosts]

    def connecting_tls(self) -> TlsOptions | None:
        tls = self.tls
        if tls is None:
            return None
        return TlsOptions(tls.ca_file, tls.cert, tls.key, tls.server_name, tls.pin.lower(), tls.insecure)

    def default_address(self) -> Address | None:
        return Address(self.account, self.area, self.zone) if self.account else None


class SurgardSettings(LinkedSettings):
    """Automation software to which we pass for a Sur-Gard receiver. Several `hosts` are one fallback group."""

    type: Literal["surgard"] = Field("surgard", description="Type of station.")
    format: Literal["contact-id", "sia2"] = Field("contact-id", description="Contact ID, or SIA protocol 2.")
    line_digits: Literal[1, 3] = Field(1, description="Header RRL of older receivers (1), or RRLLL of newer ones (3).")
    zone_names: bool = Field(False, description="sia2: send the device's name as text behind the zone.")
    link: bool = Field(False, description="sia2: send the event's link as a text block, where it fits.")
    longest: int = Field(100, ge=40, le=500, description="sia2: bytes of the longest record.")
    clock: bool = Field(False, description="Append the time of occurrence, HH:MM:SS-dd/mm, in the gateway's zone.")

    def line_width(self) -> int:
        return self.line_digits

    def _line_hint(self) -> str:
        return "line_digits = 3, where the station reads the newer header RRLLL" if self.line_digits == 1 else ""

    def writes_sia(self) -> bool:
        return self.format == "sia2"
