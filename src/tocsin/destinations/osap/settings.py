"""What a `[[destinations]]` table of type osap may say."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.osap.codes import CODES
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.posting import HttpUrl
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.model.event import Address


def _off(value: object) -> object:
    return None if value == "off" else value


Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,32}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
Severity = Annotated[int, Field(ge=0, le=10)]


class OauthSettings(Settings):
    """OAuth2, client credentials."""

    token_url: HttpUrl = Field(description="Where tokens are given out, https://…")
    client_id: str = Field(min_length=1, max_length=200, description="The gateway's name there.")
    client_secret: Secret = Field(description="The gateway's secret there.")
    scope: str = Field("osap.write", pattern=r"^[\x21-\x7e ]{0,200}$", description="Scope asked for.")
    send: Literal["basic", "body"] = Field("basic", description="Name and secret as HTTP Basic, or in the form.")


class OsapSettings(DestinationSettings):
    """A control room that takes OSAP v1alpha."""

    default_key: ClassVar[str] = "site"
    type: Literal["osap"] = Field("osap", description="Type of station.")
    urls: list[HttpUrl] = Field(
        min_length=1, max_length=16, description="Servers, before /v1/events: https://arc.example.net; first first."
    )
    api_key: Secret | None = Field(None, description="Login by the header X-API-Key.")
    oauth: OauthSettings | None = Field(None, description="Login by OAuth2 client credentials.")
    tls: TlsSettings = Field(TlsSettings(), description="TLS; cert and key for a login by certificate.")
    site: Part | None = Field(None, description="Site of events that bring no address of their own.")
    area: Part | None = Field(None, description="Area sent with the default site.")
    zone: Part | None = Field(None, description="Sensor sent with the default site.")
    number_in: Literal["site_id", "account_id"] = Field("site_id", description="Where the site's number stands.")
    event_schema: str = Field("osap.v1.vds-style", min_length=1, max_length=100, description="Profile, event.schema.")
    codes: dict[str, Code] = Field({}, description='The site\'s codes: kind = code, such as tamper = "VDS-1120".')
    severities: dict[str, Severity] = Field({}, description="Other severities, 0 to 10: kind = number.")
    photos: Pictures = Field(PictureSettings(), description='Pictures in the message: "jpg", "none" or a table.')
    health_every: Annotated[Duration | None, BeforeValidator(_off)] = Field(
        60.0, description='Silence after which GET /v1/health proves the way there, or "off".'
    )
    timeout: Duration = Field(15.0, ge=0.1, le=60, description="One request, from connecting to its answer's end.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests at once; never two of one device.")

    @field_validator("urls")
    @classmethod
    def _without_path(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if "?" in url or url.rstrip("/").endswith("/v1/events"):
                raise ValueError("give the server's address only; /v1/events is added")
        return [url.rstrip("/") for url in urls]

    @field_validator("codes", "severities")
    @classmethod
    def _kinds(cls, table: dict[str, str]) -> dict[str, str]:
        for name in table:
            if name not in CODES:
                raise ValueError(f"{name!r} is no event kind")
        return table

    @field_validator("health_every")
    @classmethod
    def _in_range(cls, value: float | None) -> float | None:
        if value is not None and not 10 <= value <= 90000:
            raise ValueError('health_every lies between "10s" and "25h"; "off" switches it off')
        return value

    @model_validator(mode="after")
    def _one_login(self) -> "OsapSettings":
        if self.api_key is not None and self.oauth is not None:
            raise ValueError("give either api_key or oauth, not both")
        if self.api_key is None and self.oauth is None and not self.tls.cert:
            raise ValueError("say how to log in: api_key, oauth, or tls.cert with tls.key")
        key = self.api_key.reveal() if self.api_key is not None else "key"
        if not (key.strip() and key.isascii() and key.isprintable()):
            raise ValueError("api_key is not plain ASCII on one line")
        return self

    def hold_s(self) -> float:
        return self.photos.wait

    def wants_photos(self) -> bool:
        return self.photos.sends_files

    def host_s(self) -> float:
        return self.timeout

    def doubts(self) -> list[Doubt]:
        found = []
        if any(url.endswith(("/v1", "/v1/health")) for url in self.urls):
            found.append(
                Doubt(("urls",), "/v1/events is added, and /v1 would stand there twice", "the server's address only")
            )
        plain = [url for url in self.urls if url.startswith("http://")]
        if self.api_key is None and self.oauth is None and plain:
            message = f"the login is by certificate, and {plain[0]} has no TLS in which it could be shown"
            found.append(Doubt(("urls",), message, "https://, or api_key or oauth"))
        return found

    def can_say_test(self) -> bool:
        return True

    def default_address(self) -> Address | None:
        return None if self.site is None else Address(self.site, self.area, self.zone)
