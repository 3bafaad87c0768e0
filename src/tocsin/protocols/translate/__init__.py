"""The two joins between a DC-09 message's payload and an event: what a panel says, and what a station is told."""

from tocsin.protocols.errors import Unsendable
from tocsin.protocols.translate.panel import PanelEvent, panel_events
from tocsin.protocols.translate.station import DataOptions, Format, Remembered, station_data

__all__ = ["DataOptions", "Format", "PanelEvent", "Remembered", "Unsendable", "panel_events", "station_data"]
