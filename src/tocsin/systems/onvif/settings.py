"""What a `[[systems]]` table of type onvif may say."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from yarl import URL

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.model.kinds import Kind
from tocsin.systems.settings import HealthSettings, SystemSettings, SystemTlsSettings

DEVICE_SERVICE = "/onvif/device_service"
EVENT_KINDS: tuple[Kind, ...] = ("motion", "tamper", "alarm", "video_loss", "trouble")
"""What events of devices can become: `alarm` is a digital input."""
HEALTH_KINDS: tuple[Kind, ...] = ("connection_lost", "connection_restored")
"""What the health of devices can become."""
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_WRITTEN = 'expected "192.0.2.11", "camera.example.net:8080" or a whole "https://…/onvif/device_service"'


def service_url(address: str) -> URL:
    """The device service at an address as people write it. Raises ValueError."""
    if any(letter.isspace() or ord(letter) < 32 for letter in address):
        raise ValueError(_WRITTEN)
    try:
        url = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        raise ValueError(_WRITTEN) from None
    if url.scheme not in ("http", "https") or not url.host or not url.port or url.user or url.fragment:
        raise ValueError(_WRITTEN)
    return url if url.path not in ("", "/") else url.with_path(DEVICE_SERVICE)


def _address(address: str) -> str:
    service_url(address)
    return address


def _host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError('expected HOST:PORT, such as "192.0.2.1:80"')
    return text


class OnvifDeviceSettings(Settings):
    """One device: a camera, or an encoder or recorder with several."""

    address: Annotated[str, StringConstraints(max_length=300), AfterValidator(_address)] = Field(
        description="Where it is: an address, host:port, or the whole URL of its device service."
    )
    key: Key | None = Field(
        None, description="What it is called in its ids, for good; absent: maker and serial number, else its MAC."
    )
    username: str | None = Field(None, description="User, where it is not the system's.")
    password: Secret | None = Field(None, description="Password, where it is not the system's.")
    siren: str = Field("", max_length=100, description="Token of the relay output that sounds its siren.")


class OnvifHealthSettings(HealthSettings):
    """ONVIF devices do not say that they go; they are asked."""

    mode: Literal["poll", "off"] = Field("poll", description="The devices are asked regularly.")


class OnvifSettings(SystemSettings):
    """Cameras that speak ONVIF, each asked on its own."""

    type: Literal["onvif"] = Field("onvif", description="Type of system.")
    devices: list[OnvifDeviceSettings] = Field(min_length=1, max_length=5000, description="The devices.")
    discovery: bool = Field(
        False, description="true looks for devices in the network; those not listed are named, and never asked."
    )
    username: str = Field("", description="User of all devices that name none; a viewer's rights are enough.")
    password: Secret = Field(Secret(""), description="Password of that user.")
    tls: SystemTlsSettings = Field(SystemTlsSettings(), description="For addresses that begin with https.")
    timeout: Duration = Field(5.0, ge=0.1, le=60, description="How long a device may take for an answer.")
    in_flight: int = Field(32, ge=1, le=500, description="So many devices are asked at once, at most.")
    canary: Annotated[str, AfterValidator(_host_port)] | None = Field(
        None,
        description="HOST:PORT of something near the devices that is always there: when none of them answers but it "
        "does, they are offline; without it, the gateway's own link is suspected.",
    )
    alarm_photos: bool = Field(True, description="A picture of now with each alarm of a camera.")
    clear_login: bool = Field(False, description="true sends passwords readable (HTTP Basic) over http, for pictures.")
    health: OnvifHealthSettings = Field(OnvifHealthSettings(), description="How online and offline are noticed.")

    @field_validator("alarms")
    @classmethod
    def _known_alarms(cls, value: list[Kind]) -> list[Kind]:
        for kind in value:
            if kind not in EVENT_KINDS + HEALTH_KINDS:
                raise ValueError(
                    f"ONVIF devices do not tell {kind}; {', '.join(EVENT_KINDS + HEALTH_KINDS)} can be had"
                )
        return value

    @model_validator(mode="after")
    def _unique(self) -> Any:
        _no_twice("address", [str(service_url(each.address)) for each in self.devices])
        _no_twice("key", [each.key for each in self.devices if each.key is not None])
        return self

    def login(self, device: OnvifDeviceSettings) -> tuple[str, Secret]:
        """User and password of a device; an empty user: none is sent."""
        user = self.username if device.username is None else device.username
        return user, self.password if device.password is None else device.password


def _no_twice(what: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1}) if len(set(values)) < len(values) else []
    if twice:
        raise ValueError(f"two devices have the same {what}: {', '.join(twice[:5])}")
