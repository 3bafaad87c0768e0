"""What a `[[sources]]` table of type dc09 may say."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from tocsin.config.fields import AesKey, Duration, Settings
from tocsin.config.supervision import Interval, second_interval
from tocsin.config.zones import TimeZone
from tocsin.model.event import Address
from tocsin.sources.settings import Listening, ListenTlsSettings, SourceSettings, require_each_once

LONGEST_REPEAT_WINDOW_S = 900.0
LEAST_WINDOW_DELIVERED_S = 60.0

Line = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,6}$")]


class AccountSettings(Settings):
    """One panel, by what stands in its frames."""

    account: str = Field(pattern=r"^[0-9A-Za-z]{1,16}$", description="Account number, in quotes; zeros count.")
    receiver: Line | None = Field(None, description="Only with this receiver number, R…")
    prefix: Line | None = Field(None, description="Only with this prefix, L…")
    key: AesKey | None = Field(None, description="With a key, plain messages are refused.")
    allow_plain: bool = Field(False, description="Take plain messages although there is a key.")
    check_time: bool = Field(False, description="Refuse plain messages outside the time window too.")
    area: str = Field("", description="The area its events belong to.")
    device: str = Field("", pattern=r"^[A-Za-z0-9._:@-]{0,200}$", description="The device its events belong to.")
    supervision: Interval | None = Field(
        None, description='It must be heard this often: "90s", or a category such as "SP5"; absent: not supervised.'
    )
    path: Literal["first", "second"] | None = Field(
        None,
        description="Of a panel with two paths, told apart by receiver or prefix: which one this is. Both give the "
        "same DP category as supervision.",
    )
    second_interval: Duration | None = Field(
        None, description="Of a second path: the longest silence while the first stands; default: the category's."
    )
    supervision_allowance: Duration = Field(30.0, ge=0, description="Added to supervision before it counts as lost.")
    repeat_window: Duration = Field(90.0, ge=0, le=LONGEST_REPEAT_WINDOW_S, description="A repeat within this is one.")
    time_zone: TimeZone | None = Field(
        None, description="Zone of the panel's times; absent: UTC, as the standard has it."
    )
    occurred_time: Literal["utc", "device"] = Field(
        "utc", description="Zone of the H field, the time of occurrence: UTC, or time_zone."
    )
    day_first: bool = Field(False, description="The panel writes the day before the month.")

    @model_validator(mode="before")
    @classmethod
    def _interval_of_category(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("path") == "second" and "second_interval" not in value:
            seconds = second_interval(value.get("supervision"))
            return {**value, "second_interval": f"{seconds:g}s"} if seconds else value
        return value

    @model_validator(mode="after")
    def _paths_are_supervised(self) -> "AccountSettings":
        if self.path and self.supervision is None:
            raise ValueError('path needs supervision, such as "DP4"')
        if self.path == "second" and self.second_interval is None:
            raise ValueError('the second path needs a category for two paths, such as "DP4", or second_interval')
        return self

    @property
    def subject(self) -> str:
        """The name of this account among the others of its source."""
        if self.receiver is None and self.prefix is None:
            return self.account
        return str(Address(self.account, receiver=self.receiver, prefix=self.prefix))


class Dc09SourceSettings(SourceSettings):
    """A receiver for panels, on TCP and UDP at one port; with TLS on TCP alone."""

    type: Literal["dc09"] = Field("dc09", description="Type of source.")
    tls: ListenTlsSettings | None = Field(None, description="Absent: plain TCP and UDP.")
    accounts: list[AccountSettings] = Field([], description="The panels that may report.")
    unknown_accounts: Literal["refuse", "accept"] = Field("refuse", description="What other accounts are told.")
    max_connections: int = Field(10_000, ge=1, le=100_000, description="Connections at once.")
    max_connections_per_peer: int = Field(1_000, ge=1, le=100_000, description="Connections of one IP address at once.")
    idle: Duration = Field(120.0, ge=10, description="Close silent connections; at least 3 x the panel's supervision.")

    @model_validator(mode="after")
    def _repeats_are_known(self) -> "Dc09SourceSettings":
        """A panel that is not answered repeats; every repeat must be known as one."""
        short = [one.subject for one in self.accounts if one.repeat_window < LEAST_WINDOW_DELIVERED_S]
        if self.acknowledge == "delivered" and short:
            raise ValueError(
                f'acknowledge = "delivered" needs a repeat_window of at least {LEAST_WINDOW_DELIVERED_S:g}s, so that a '
                f"panel that repeats is understood; shorter: {', '.join(short)}"
            )
        return self

    @model_validator(mode="after")
    def _paths_in_pairs(self) -> "Dc09SourceSettings":
        firsts, seconds = (
            [one.account.upper() for one in self.accounts if one.path == path] for path in ("first", "second")
        )
        if len(set(firsts)) < len(firsts) or sorted(firsts) != sorted(seconds):
            odd = sorted({*firsts, *seconds})
            raise ValueError(f'each of these accounts needs one path = "first" and one "second": {", ".join(odd)}')
        return self

    def first_path(self, second: AccountSettings) -> str:
        """The subject of the first path of a second path's panel."""
        same = (one for one in self.accounts if one.account.upper() == second.account.upper() and one.path == "first")
        return next(one.subject for one in same)

    @model_validator(mode="after")
    def _each_once(self) -> "Dc09SourceSettings":
        require_each_once(account.subject for account in self.accounts)
        return self

    def listening(self) -> list[Listening]:
        over_tcp = Listening(self.listen, "tcp")
        return [over_tcp] if self.tls else [over_tcp, Listening(self.listen, "udp")]
