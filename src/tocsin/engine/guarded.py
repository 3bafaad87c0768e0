"""A destination's addressing, without its defects: they must not keep an event from the other destinations."""

import traceback
from collections.abc import Callable

from tocsin.engine.contracts import Addressed, Destination
from tocsin.model.device import Device
from tocsin.model.event import Event
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Recorder


def guarded(destination: Destination, record: Recorder) -> Callable[[Event, Device | None], Addressed]:
    """`destination.address`; when it fails, the event is set aside there with what is wrong."""

    def address(event: Event, device: Device | None) -> Addressed:
        try:
            return destination.address(event, device)
        except Exception as error:  # noqa: BLE001 - see above
            trace = "".join(traceback.format_exception(error))
            what = f"{type(error).__name__}: {error}"
            record(TaskFailed(f"destination {destination.name}", what, trace, 0.0))
            return Addressed(problem=f"internal error in finding the address: {type(error).__name__}")

    return address
