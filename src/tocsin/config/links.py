"""Links that either connect or listen: the TLS of both ways, and who may come in."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from tocsin.config.fields import Settings, parse_duration
from tocsin.config.hosts import CertificateName
from tocsin.config.listening import is_loopback

Mode = Literal["connect", "listen"]


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError('expected an address or network, such as "192.0.2.5" or "192.0.2.0/24"') from None
    return text


def _off_or_duration(value: object) -> float | None:
    return None if value == "off" else parse_duration(value)


AllowedPeer = Annotated[str, AfterValidator(_network)]
Heartbeat = Annotated[float | None, BeforeValidator(_off_or_duration, json_schema_input_type=str)]
"""Seconds, written as a duration; None, written "off": there is none."""


class LinkTlsSettings(Settings):
    """TLS of a link that connects (`ca_file`, `server_name`, `pin`, `insecure`; `cert` and `key` where the other side
    asks for a certificate) or listens (`cert`, `key`, `client_ca`).
    """

    ca_file: str = Field("", description="Connecting: PEM file with the other side's authority, complete chain.")
    cert: str = Field("", description="PEM file of our certificate: needed to listen.")
    key: str = Field("", description="PEM file of the certificate's key.")
    client_ca: str = Field("", description="Listening: only peers with a certificate of this authority are served.")
    server_name: CertificateName = Field(
        "", description="Connecting: name the certificate must carry, if not the host's."
    )
    pin: str = Field("", pattern=r"^([0-9A-Fa-f]{64})?$", description="Connecting: SHA-256 of the certificate.")
    insecure: bool = Field(False, description="Connecting: true switches verification off; shown on every page.")


def link_problem(mode: Mode, hosts: list[str], listen: str, allowed: list[str], tls: LinkTlsSettings | None) -> str:
    """What does not fit together, as a sentence; empty when all does."""
    if mode == "connect":
        return _connecting_problem(hosts, listen, allowed, tls)
    if hosts or not listen:
        return 'mode = "listen" needs listen, such as "0.0.0.0:1025", and no hosts'
    if tls is not None:
        if not (tls.cert and tls.key):
            return "to listen with TLS, tls needs cert and key"
        if tls.ca_file or tls.server_name or tls.pin or tls.insecure:
            return (
                "ca_file, server_name, pin and insecure are for connecting; to ask for certificates there is client_ca"
            )
    known = bool(allowed) or (tls is not None and tls.client_ca)
    if not known and not is_loopback(listen):
        return "the protocol has no login: say who may connect with allowed, or with tls.client_ca"
    return ""


def _connecting_problem(hosts: list[str], listen: str, allowed: list[str], tls: LinkTlsSettings | None) -> str:
    if not hosts or listen:
        return 'mode = "connect" needs hosts, such as ["arc.example.net:1025"], and no listen'
    if allowed:
        return 'allowed is for mode = "listen"'
    if tls is not None and tls.client_ca:
        return 'tls.client_ca is for mode = "listen"; the authority of the other side is ca_file'
    if tls is not None and bool(tls.cert) != bool(tls.key):
        return "tls.cert and tls.key belong together: give both or neither"
    return ""
