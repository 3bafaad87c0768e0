"""`check --connect` for a fleet: each device up to its first failure, in the order of the configuration."""

import asyncio
from collections.abc import Sequence

from tocsin.engine.contracts import CheckStep
from tocsin.engine.systems import LoginRefused, SystemFault
from tocsin.systems.onvif.device import SKEW_TAKEN_S
from tocsin.systems.onvif.fleet import Fleet, Listed
from tocsin.systems.onvif.replay import missing_packages
from tocsin.systems.onvif.soap import NAMESPACES

MOST_SHOWN = 20


async def steps(fleet: Fleet) -> Sequence[CheckStep]:
    """One line for each device; of many that are well, only how many."""
    made = await asyncio.gather(*(_step(fleet, one) for one in fleet.listed))
    return [*_bounded(made), *_recordings(fleet)]


def _recordings(fleet: Fleet) -> list[CheckStep]:
    """Only where a device has any."""
    replaying = [one for one in fleet.listed if one.facts is not None and NAMESPACES["trp"] in one.facts.services]
    if not replaying:
        return []
    if missing := missing_packages():
        said = "they cannot be exported: this machine lacks a part of GStreamer"
        return [CheckStep("recordings", True, said, f"apt-get install {' '.join(missing)}")]
    return [CheckStep("recordings", True, f"{_counted(len(replaying), 'device')} can replay them")]


def _bounded(made: Sequence[CheckStep]) -> Sequence[CheckStep]:
    if len(made) <= MOST_SHOWN:
        return made
    failed = [step for step in made if not step.ok]
    well = len(made) - len(failed)
    more = (
        [CheckStep("more devices", False, f"{len(failed) - MOST_SHOWN} more fail")] if len(failed) > MOST_SHOWN else []
    )
    return [
        CheckStep("devices", not failed, f"{well} of {len(made)} answer and take the login"),
        *failed[:MOST_SHOWN],
        *more,
    ]


async def _step(fleet: Fleet, one: Listed) -> CheckStep:
    try:
        await fleet.learn(one)
    except LoginRefused as fault:
        return CheckStep(f"login at {one.endpoint}", False, str(fault))
    except SystemFault as fault:
        return CheckStep(f"device {one.endpoint}", False, str(fault))
    return _read(one)


def _read(one: Listed) -> CheckStep:
    assert one.facts is not None
    information = one.facts.information
    identity = one.identity
    said = [
        f"{information.manufacturer} {information.model}, firmware {information.firmware}",
        _counted(len(one.cameras()), "camera"),
        *([_counted(len(one.facts.outputs), "relay output")] if one.facts.outputs else []),
        f"called {identity.key}" if identity is not None else "",
    ]
    skewed = abs(one.facts.skew_s) > SKEW_TAKEN_S
    said += [f"its clock is {one.facts.skew_s:+.0f} s from the gateway's"] if skewed else []
    weak = identity is not None and identity.step == "address"
    hint = "set key: it has no serial number or MAC of its own, and its name follows its address" if weak else ""
    hint = hint or ("set its clock, by NTP: the times of its events are corrected by that much" if skewed else "")
    return CheckStep(f"device {one.endpoint}", True, "; ".join(filter(None, said)), hint)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
