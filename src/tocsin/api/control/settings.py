"""`[control]`: the listener for monitoring stations, and what each of them may do."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tocsin.api.settings import PersonName, ServerTls
from tocsin.config.fields import Secret, Settings
from tocsin.config.listening import Listen, is_loopback

Allowed = Literal["list", "siren", "arm"]
"""`siren`: trigger and stop; `arm`: arm and disarm."""
AudioName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ControlUserSettings(Settings):
    """One station."""

    name: PersonName = Field(description="User name of the station.")
    password: Secret = Field(description="Its password; 8 characters or more are advised.")
    allow: list[Allowed] = Field(description="What it may do.")
    areas: list[str] | None = Field(None, description="Only these areas and those below them; absent: all.")
    get_orders: bool = Field(False, description="Orders by GET too, for a station that can only open URLs.")

    @model_validator(mode="after")
    def _usable(self) -> "ControlUserSettings":
        if not self.password.reveal():
            raise ValueError(f'the password of "{self.name}" is empty')
        return self


class ControlSettings(Settings):
    """Reverse control by monitoring stations."""

    listen: Listen = Field("127.0.0.1:9028", description="Address and port of the control API.")
    tls: ServerTls | None = Field(None, description="Certificate and key; absent: plain HTTP, on loopback only.")
    users: list[ControlUserSettings] = Field(description="The stations that may control devices.")
    audio: list[AudioName] = Field(
        [], max_length=100, description="Recordings of the sirens, by name or number; empty: any name is passed on."
    )

    @model_validator(mode="after")
    def _usable(self) -> "ControlSettings":
        if self.tls is None and not is_loopback(self.listen):
            raise ValueError(
                f"plain HTTP on {self.listen} would send passwords and orders readably over the network: give tls = "
                '{ cert = "…", key = "…" }, or listen on 127.0.0.1'
            )
        if not self.users:
            raise ValueError("nobody may use the control API: give at least one user, or remove [control]")
        return self
