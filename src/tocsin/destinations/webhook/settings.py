"""What a `[[destinations]]` table of type webhook may say."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.posting import HttpUrl
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.destinations.webhook.signing import check_key
from tocsin.model.event import Address

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4000}\Z")
RESERVED = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type"}
    | {"expect", "host", "idempotency-key", "te", "transfer-encoding", "upgrade", "user-agent", "webhook-id"}
    | {"webhook-signature", "webhook-timestamp", "x-signature-256"}
)


class PhotoSettings(Settings):
    """How photos travel."""

    carry: Literal["inline", "none"] = Field(
        "inline", alias="as", description="inline: base64 in `binary`; none: no photos."
    )
    max_count: int = Field(5, ge=1, le=20, description="At most this many photos per event, the first ones.")
    max_bytes: int = Field(4_000_000, ge=1, le=16_000_000, description="At most this many bytes of photos per event.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late photos or actors.")


def _photos(value: Any) -> Any:
    return {"as": value} if isinstance(value, str) else value


class WebhookSettings(DestinationSettings):
    """A receiver of JSON over HTTP or HTTPS."""

    default_key: ClassVar[str] = "site"
    type: Literal["webhook"] = Field("webhook", description="Type of station.")
    url: HttpUrl = Field(description="Where events are POSTed, http:// or https://.")
    query: Secret | None = Field(None, description="Query string added to the URL, where the station's token is in it.")
    site: str | None = Field(
        None, pattern=r"^[A-Za-z0-9]{1,32}$", description="Site of events that bring no address of their own."
    )
    area: str | None = Field(None, pattern=r"^[A-Za-z0-9]{1,3}$", description="Area sent with the default site.")
    zone: str | None = Field(None, pattern=r"^[A-Za-z0-9]{1,3}$", description="Zone sent with the default site.")
    headers: dict[str, Secret] = Field({}, description="Extra headers; their values are never shown.")
    token: Secret | None = Field(None, description="Bearer token.")
    user: str | None = Field(None, pattern=r"^[^:\x00-\x1f]{1,200}$", description="User of HTTP Basic authentication.")
    password: Secret | None = Field(None, description="Password of HTTP Basic authentication.")
    tls: TlsSettings = Field(TlsSettings(), description="TLS, for https.")
    signing: Literal["none", "standard-webhooks", "hmac-sha256"] = Field(
        "none", description="How requests are signed: webhook-signature, or X-Signature-256 over the body."
    )
    signing_keys: list[Secret] = Field(
        [], max_length=2, description="The key; two while it is being changed, the new one first."
    )
    photos: Annotated[PhotoSettings, BeforeValidator(_photos)] = Field(
        PhotoSettings(), description='"inline", "none", or a table.'
    )
    timeout: Duration = Field(10.0, ge=0.1, le=60, description="One request, from connecting to its answer's end.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests at once; never two of one device.")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        for name, value in headers.items():
            if not _HEADER_NAME.match(name):
                raise ValueError(f"{name!r} cannot be the name of a header")
            if name.lower() in RESERVED:
                raise ValueError(f"the header {name} is set by the gateway itself; use the setting made for it")
            if not _HEADER_VALUE.match(value.reveal()):
                raise ValueError(f"the value of the header {name} is not plain ASCII on one line")
        return headers

    @model_validator(mode="after")
    def _together(self) -> "WebhookSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or neither")
        if self.token is not None and self.user is not None:
            raise ValueError("give either token or user and password, not both")
        if self.token is not None and not _HEADER_VALUE.match(self.token.reveal()):
            raise ValueError("the token is not plain ASCII on one line")
        if self.query is not None and not re.fullmatch(r"[\x21-\x7e]{1,4000}", self.query.reveal()):
            raise ValueError("query is plain ASCII without blanks; write other characters as %XX")
        return self

    @model_validator(mode="after")
    def _keys(self) -> "WebhookSettings":
        if self.signing == "none":
            if self.signing_keys:
                raise ValueError('signing_keys are given but signing is "none": say how to sign')
            return self
        if not self.signing_keys:
            raise ValueError(f'signing = "{self.signing}" needs signing_keys')
        for key in self.signing_keys:
            check_key(self.signing, key.reveal())
        return self

    def doubts(self) -> list[Doubt]:
        found = []
        if self.token is not None and not self.token.reveal().strip():
            found.append(Doubt(("token",), "is empty", "give the receiver's token, or leave it out"))
        if self.token is not None and self.token.reveal().lower().startswith("bearer "):
            found.append(
                Doubt(("token",), "the word Bearer is put before it by the gateway, and would stand there twice")
            )
        if self.query is not None and self.query.reveal().startswith("?"):
            found.append(
                Doubt(("query",), "the question mark is put before it by the gateway, and would stand there twice")
            )
        return found

    def hold_s(self) -> float:
        return self.photos.wait

    def can_say_test(self) -> bool:
        return True

    def wants_photos(self) -> bool:
        return self.photos.carry == "inline"

    def default_address(self) -> Address | None:
        return None if self.site is None else Address(self.site, self.area, self.zone)

    def full_url(self) -> str:
        """The URL with the secret part of its query; never to be shown."""
        if self.query is None:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{self.query.reveal()}"
