"""Patriot: joins the format with the mail servers."""

from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.patriot.format import PatriotFormat
from tocsin.destinations.patriot.settings import PatriotSettings
from tocsin.destinations.surroundings import Surroundings


def build(settings: PatriotSettings, surroundings: Surroundings) -> StationMail:
    return StationMail(settings, surroundings, PatriotFormat(settings))
