"""Records an occurrence: its log line and its metric."""

import logging
import re
import sys
from typing import Any

import structlog
from msgspec.structs import asdict

from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.record import Occurrence

_WORDS = re.compile(r"(?<!^)(?=[A-Z])")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LoggedMetrics:
    """A recorder (telemetry/record.py) that writes to the log and moves the metrics."""

    def __init__(self, metrics: Metrics, log: Any = None) -> None:
        self._metrics = metrics
        self._log = log if log is not None else structlog.get_logger()

    def __call__(self, occurrence: Occurrence, /) -> None:
        self._metrics.move(occurrence)
        if occurrence.level != "none":
            self._write(occurrence)

    def _write(self, occurrence: Occurrence) -> None:
        kind, facts = type(occurrence), asdict(occurrence)
        text = facts.pop("text", "") or (kind.__doc__ or kind.__name__).strip()
        action = _WORDS.sub("_", kind.__name__).lower()
        self._log.log(_LEVELS[occurrence.level], text, action=action, **facts)


def configure_log(json: bool, level: str = "info") -> None:
    """Log to standard error: JSON lines for machines, or one readable line each."""
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
