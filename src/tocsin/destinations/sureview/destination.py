"""SureView: joins the format with the mail servers."""

from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.sureview.format import SureViewFormat
from tocsin.destinations.sureview.settings import SureViewSettings
from tocsin.destinations.surroundings import Surroundings


def build(settings: SureViewSettings, surroundings: Surroundings) -> StationMail:
    return StationMail(settings, surroundings, SureViewFormat(settings))
