"""Sentinel: joins the format with the mail servers."""

from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.sentinel.format import SentinelFormat
from tocsin.destinations.sentinel.settings import SentinelSettings
from tocsin.destinations.surroundings import Surroundings


def build(settings: SentinelSettings, surroundings: Surroundings) -> StationMail:
    return StationMail(settings, surroundings, SentinelFormat(settings))
