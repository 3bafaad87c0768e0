"""Immix: joins the format with the mail servers."""

from tocsin.destinations.immix.format import ImmixFormat
from tocsin.destinations.immix.settings import ImmixSettings
from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.surroundings import Surroundings


def build(settings: ImmixSettings, surroundings: Surroundings) -> StationMail:
    return StationMail(settings, surroundings, ImmixFormat(settings))
