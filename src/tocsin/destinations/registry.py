"""What a destination type is, and the ones there are: one line each."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tocsin.destinations.cloud.destination import build as build_cloud
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.dc09.destination import build as build_dc09
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.ebus.destination import build as build_ebus
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.email.destination import build as build_email
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.immix.destination import build as build_immix
from tocsin.destinations.immix.settings import ImmixSettings
from tocsin.destinations.manitou.destination import build as build_manitou
from tocsin.destinations.manitou.mail import ManitouMailSettings
from tocsin.destinations.manitou.mail import build as build_manitou_mail
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.destinations.microkey.destination import build as build_microkey
from tocsin.destinations.microkey.settings import MicrokeySettings
from tocsin.destinations.osap.destination import build as build_osap
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.destinations.patriot.api import PatriotApiSettings
from tocsin.destinations.patriot.api import build as build_patriot_api
from tocsin.destinations.patriot.destination import build as build_patriot
from tocsin.destinations.patriot.settings import PatriotSettings
from tocsin.destinations.sentinel.destination import build as build_sentinel
from tocsin.destinations.sentinel.settings import SentinelSettings
from tocsin.destinations.sentinel.xml import SentinelXmlSettings
from tocsin.destinations.sentinel.xml import build as build_sentinel_xml
from tocsin.destinations.settings import DestinationSettings
from tocsin.destinations.stages.destination import build as build_stages
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.destinations.sureview.destination import build as build_sureview
from tocsin.destinations.sureview.http import SureViewHttpSettings
from tocsin.destinations.sureview.http import build as build_sureview_http
from tocsin.destinations.sureview.settings import SureViewSettings
from tocsin.destinations.surgard.destination import build as build_surgard
from tocsin.destinations.surgard.settings import SurgardSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.webhook.destination import build as build_webhook
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.engine.contracts import Destination


class DestinationType(Struct, frozen=True):
    """`published` says in one sentence what of the format is published and what is ours; shown where types are
    listed.
    """

    name: str
    title: str
    published: str
    settings: type[DestinationSettings]
    build: Callable[[Any, Surroundings], Destination]


_TYPES = (
    DestinationType(
        "dc09",
        "SIA DC-09",
        "Frames, formats and replies are the standard's; which fields are filled is published, their inner form ours.",
        Dc09Settings,
        build_dc09,
    ),
    DestinationType(
        "webhook",
        "JSON over HTTP",
        "Transport and the device's address are published; the body is ours, with the names seen in public receivers.",
        WebhookSettings,
        build_webhook,
    ),
    DestinationType(
        "email",
        "Mail for people",
        "SMTP with STARTTLS and the device's address are published; layout and subject are ours.",
        EmailSettings,
        build_email,
    ),
    DestinationType(
        "stages",
        "Stages signal service (SOAP, unconfirmed)",
        "Transport, address and Contact ID are published; the message is as seen in public senders, unconfirmed.",
        StagesSettings,
        build_stages,
    ),
    DestinationType(
        "manitou",
        "Manitou (XML over TCP, unconfirmed)",
        "That it takes XML over TCP is published; packet, numbers and answers are unconfirmed templates.",
        ManitouSettings,
        build_manitou,
    ),
    DestinationType(
        "manitou/email",
        "Manitou (mail to its connector)",
        "The rules are published; the lines are ours, for the site's data mapping.",
        ManitouMailSettings,
        build_manitou_mail,
    ),
    DestinationType(
        "osap",
        "Open Secure Alarm Protocol (JSON over HTTPS, a draft)",
        "Messages, logins and answers are a published draft (v1alpha); the codes but VDS-1100 are ours.",
        OsapSettings,
        build_osap,
    ),
    DestinationType(
        "patriot/api",
        "Patriot (JSON over HTTPS, unconfirmed)",
        "That the service exists and its login are published; the names of the message's members are unconfirmed.",
        PatriotApiSettings,
        build_patriot_api,
    ),
    DestinationType(
        "sureview/http",
        "SureView Ops (JSON over HTTPS)",
        "Addresses, login and message are published; the text is ours.",
        SureViewHttpSettings,
        build_sureview_http,
    ),
    DestinationType(
        "sentinel/xml",
        "Sentinel (XML over HTTP, unconfirmed)",
        "That it has an XML Event Processor for Contact ID is published; the document is ours, unconfirmed.",
        SentinelXmlSettings,
        build_sentinel_xml,
    ),
    DestinationType(
        "immix",
        "Immix CS",
        "The XML, its event names and the address are published by integrators; which event has which name is ours.",
        ImmixSettings,
        build_immix,
    ),
    DestinationType(
        "sentinel",
        "Sentinel (unconfirmed)",
        "The vendor publishes no layout; ours is made from the names of fields that integrators publish.",
        SentinelSettings,
        build_sentinel,
    ),
    DestinationType(
        "patriot",
        "Patriot",
        "The line of Standard Media mails and the address are published; event types are each site's own numbers.",
        PatriotSettings,
        build_patriot,
    ),
    DestinationType(
        "sureview",
        "SureView",
        "What SureView Ops reads of a mail is published; the wording, and the lines for SureView Response, are ours.",
        SureViewSettings,
        build_sureview,
    ),
    DestinationType(
        "ebus",
        "Accellence EBÜS",
        "Upload by FTP or FTPES into a folder per source is published; names and text are ours and unconfirmed.",
        EbusSettings,
        build_ebus,
    ),
    DestinationType(
        "surgard",
        "Sur-Gard automation output",
        "Records, answers and times are from published manuals; address in the description and codes are ours.",
        SurgardSettings,
        build_surgard,
    ),
    DestinationType(
        "microkey",
        "MicroKey (unconfirmed)",
        "Nothing is published: Sur-Gard Contact ID records, for its receiver drivers of that family, are our choice.",
        MicrokeySettings,
        build_microkey,
    ),
    DestinationType(
        "cloud",
        "Service cloud (inventory and health, JSON over HTTPS)",
        "Names of fields and workflows are a published brief; transport, customer_id in events and extended are ours.",
        CloudSettings,
        build_cloud,
    ),
)
DESTINATION_TYPES: dict[str, DestinationType] = {one.name: one for one in _TYPES}
"""By the name that `type` gives in the configuration, or `type/mode` (config/modes.py)."""
