"""What the faults of a system and of the video process mean for a job (clearance.md 7.3)."""

from tocsin.engine.systems import Misconfigured, NotSupported, SystemFault, UnknownDevice
from tocsin.evidence.contracts import Impossible, NotNow, UnknownCamera
from tocsin.media.child import NotMade


def of_system(system: str, fault: SystemFault) -> Exception:
    """To raise instead."""
    if isinstance(fault, UnknownDevice):
        return UnknownCamera("unknown device")
    if isinstance(fault, NotSupported):
        return Impossible(f"{system}: {fault}")
    wrong = " (its settings need somebody)" if isinstance(fault, Misconfigured) else ""
    return NotNow(f"{system}: {fault}{wrong}")


def of_video(origin: str, found: NotMade) -> Impossible:
    return Impossible(f"the recording of {origin} cannot be used: {found.reason}")
