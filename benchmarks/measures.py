"""The measurements by name, in the order in which `make bench` makes them."""

from collections.abc import Callable, Iterator

from benchmarks import backlog, every_type, evidence, mails, panels, remuxing, systems, uploads
from benchmarks.figure import Figure

MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "parse": panels.parse,
    "receiver": panels.receiver,
    "end_to_end": panels.end_to_end,
    "stages": panels.stages,
    "pysiaalarm": panels.pysiaalarm_station,
    "intake": backlog.intake,
    "growth": backlog.growth,
    "overtaking": backlog.overtaking,
    "mails": mails.mails,
    "uploads": uploads.uploads,
    "encrypting": evidence.encrypting,
    "evidence": evidence.evidence,
    "remuxing": remuxing.remuxing,
    "reading": systems.reading,
    "unchanged": systems.unchanged,
    "transitions": systems.transitions,
    "state_frame": systems.state_frame,
    "polled": systems.polled,
    "every_type": every_type.every_type,
    "troubled": every_type.troubled,
}
