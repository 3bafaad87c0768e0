"""Events of cameras on their way to the intake."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.systems.onvif.conftest import JPEG, MemoryIntake, Scene, Scenes, cameras

from tocsin.engine.contracts import Submission, Taken
from tocsin.standins.onvif import OnvifCamera
from tocsin.systems.onvif.facts import Notification
from tocsin.systems.onvif.meaning import meaning
from tocsin.telemetry.occurrences import Notice, TaskFailed, Trouble

MOTION = "tns1:RuleEngine/CellMotionDetector/Motion"
TAMPER = "tns1:RuleEngine/TamperDetector/Tamper"
INPUT = "tns1:Device/Trigger/DigitalInput"
LENS = {"VideoSourceConfigurationToken": "VSC1", "VideoAnalyticsConfigurationToken": "VA1", "Rule": "Yard"}
ALARMS = ["motion", "tamper", "alarm", "video_loss"]
Listened = Callable[[Scene], MemoryIntake]


@pytest.fixture
async def listened() -> AsyncIterator[Listened]:
    """Start handing the events of a scene to an intake in memory."""
    tasks: list[asyncio.Task[None]] = []

    def start(one: Scene) -> MemoryIntake:
        intake = MemoryIntake()
        tasks.append(asyncio.create_task(one.system.alarms(intake)))
        return intake

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def asked(camera: OnvifCamera, operation: str, times: int) -> None:
    """Once it was asked for something so often."""
    async with asyncio.timeout(10):
        while camera.requests.count(operation) < times:
            await asyncio.sleep(0.01)


async def subscribed(*of: OnvifCamera) -> None:
    """Once each camera is being pulled."""
    async with asyncio.timeout(10):
        while not all(camera.subscriptions and camera.requests[-1] == "PullMessages" for camera in of):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("parameters", [False, True])
async def test_motion_begins_and_ends(scene: Scenes, listened: Listened, parameters: bool) -> None:
    (camera,) = cameras(1)
    camera.parameters = parameters
    intake = listened(await scene([camera], alarms=ALARMS))
    await subscribed(camera)
    await camera.notify(MOTION, LENS, {"IsMotion": "true"})
    await camera.notify(MOTION, LENS, {"IsMotion": "true"})
    await camera.notify(MOTION, LENS, {"IsMotion": "false"})
    first, second = await intake.wait(2)
    assert (first.kind, first.state, first.source, first.device_id, first.text, first.place.area) == (
        "motion", "new", "cams", "cams:camera:acme-ac22-0004418", "Cell Motion Detection, Rule Yard", "North depot",
    )  # fmt: skip
    assert (second.kind, second.state) == ("motion", "restore")
    assert abs(first.occurred_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert first.flags == ()


async def test_motion_brings_a_picture_of_now_unless_it_is_not_wanted(scene: Scenes, listened: Listened) -> None:
    (camera,) = cameras(1)
    intake = listened(await scene([camera], alarms=ALARMS))
    await subscribed(camera)
    await camera.notify(MOTION, LENS, {"IsMotion": "true"})
    assert await intake.pictured(1) == [JPEG]
    assert intake.events[0].photos_expected == 1
    camera.picture = b"not a picture"
    await camera.notify(TAMPER, LENS, {"IsTamper": "true"})
    assert await intake.pictured(2) == [JPEG], "the second is told to go without"
    (plain,) = cameras(1)
    intake = listened(await scene([plain], alarms=ALARMS, alarm_photos=False))
    await subscribed(plain)
    await plain.notify(MOTION, LENS, {"IsMotion": "true"})
    assert (await intake.wait(1))[0].photos_expected == 0


async def test_each_event_is_of_its_own_camera(scene: Scenes, listened: Listened) -> None:
    (many,) = cameras(1, sources=3)
    intake = listened(await scene([many], alarms=ALARMS))
    await subscribed(many)
    await many.notify(MOTION, LENS | {"VideoSourceConfigurationToken": "VSC2"}, {"IsMotion": "true"})
    await many.notify("tns1:VideoSource/MotionAlarm", {"Source": "VS3"}, {"State": "true"})
    await many.notify(INPUT, {"InputToken": "DI1"}, {"LogicalState": "true"})
    events = await intake.wait(3)
    assert [(event.kind, event.device_id.removeprefix("cams:"), event.text) for event in events] == [
        ("motion", "camera:acme-ac22-0004418:VS2", "Cell Motion Detection, Rule Yard"),
        ("motion", "camera:acme-ac22-0004418:VS3", "Motion Alarm"),
        ("alarm", "device:acme-ac22-0004418", "Digital Input, InputToken DI1"),
    ]


async def test_only_the_kinds_that_are_asked_for(scene: Scenes, listened: Listened) -> None:
    (camera,) = cameras(1)
    intake = listened(await scene([camera], alarms=["tamper"]))
    await subscribed(camera)
    await camera.notify(MOTION, LENS, {"IsMotion": "true"})
    await camera.notify(TAMPER, LENS, {"IsTamper": "true"})
    assert [event.kind for event in await intake.wait(1)] == ["tamper"]


async def test_scenario_30_a_clock_two_hours_off_is_put_right(scene: Scenes, listened: Listened) -> None:
    (late,) = cameras(1)
    late.offset = timedelta(hours=-2)
    intake = listened(await scene([late], alarms=ALARMS))
    await subscribed(late)
    await late.notify(MOTION, LENS, {"IsMotion": "true"})
    (event,) = await intake.wait(1)
    assert abs(event.occurred_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert event.flags == ("clock_skew",)


async def test_scenario_30_a_time_that_cannot_be_is_that_of_arrival(scene: Scenes, listened: Listened) -> None:
    (jumping,) = cameras(1)
    intake = listened(await scene([jumping], alarms=ALARMS))
    await subscribed(jumping)
    jumping.offset = timedelta(days=-19_000)
    await jumping.notify(MOTION, LENS, {"IsMotion": "true"})
    (event,) = await intake.wait(1)
    assert abs(event.occurred_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert event.flags == ("time_absurd",)


async def test_what_happened_while_the_subscription_was_lost_is_told(scene: Scenes, listened: Listened) -> None:
    (camera,) = cameras(1)
    one = await scene([camera], alarms=ALARMS)
    intake = listened(one)
    await subscribed(camera)
    await camera.notify(TAMPER, LENS, {"IsTamper": "true"})
    await intake.wait(1)
    camera.forget_subscriptions()
    await camera.notify(INPUT, {"InputToken": "DI1"}, {"LogicalState": "true"})
    first, second = await intake.wait(2)
    assert (first.kind, second.kind) == ("tamper", "alarm"), "the tamper is still so and not told again"
    await camera.notify(TAMPER, LENS, {"IsTamper": "false"})
    assert (await intake.wait(3))[2].state == "restore"
    said = [each.text for each in one.occurrences if isinstance(each, Trouble | Notice)]
    assert ["do not come" in said[0], "come again" in said[1], len(said)] == [True, True, 2]


async def test_a_subscription_is_renewed_at_half_its_life(
    scene: Scenes, listened: Listened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.systems.onvif.pullpoint.SHORTEST_LIFE_S", 2.0)
    (brief,) = cameras(1)
    brief.life_s = 2.0
    intake = listened(await scene([brief], alarms=ALARMS))
    await asked(brief, "Renew", 2)
    await brief.notify(MOTION, LENS, {"IsMotion": "true"})
    await intake.wait(1)
    assert brief.requests.count("CreatePullPointSubscription") == 1


async def test_an_event_is_offered_until_the_intake_can_keep_it(
    scene: Scenes, listened: Listened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.systems.onvif.listening.INTAKE_PAUSE_S", 0.01)
    (camera,) = cameras(1)
    intake = listened(await scene([camera], alarms=ALARMS))
    intake.closed = 3
    await subscribed(camera)
    await camera.notify(MOTION, LENS, {"IsMotion": "true"})
    assert len(await intake.wait(1)) == 1


async def test_the_subscription_is_given_back_at_the_end(scene: Scenes) -> None:
    (camera,) = cameras(1)
    one = await scene([camera], alarms=ALARMS)
    task = asyncio.create_task(one.system.alarms(MemoryIntake()))
    await subscribed(camera)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert camera.subscriptions == {}


async def test_without_alarms_nothing_is_subscribed_or_claimed(scene: Scenes) -> None:
    one = await scene(cameras(1))
    assert one.system.capabilities - {"export"} == {
        "inventory",
        "baseline",
        "events",
        "photo",
        "commands",
        "blindness",
        "recordings",
    }
    assert "alarms" in (await scene(cameras(1), alarms=["motion"])).system.capabilities
    assert "alarms" not in (await scene(cameras(1), alarms=["connection_lost"])).system.capabilities


@pytest.mark.parametrize(
    ("topic", "data", "kind", "active"),
    [
        (MOTION, ("IsMotion", "true"), "motion", True),
        (MOTION, ("IsMotion", "1"), "motion", True),
        (MOTION, ("IsMotion", "false"), "motion", False),
        (TAMPER, ("IsTamper", "true"), "tamper", True),
        (INPUT, ("LogicalState", "true"), "alarm", True),
        ("tns1:Device/Trigger/tnshik:AlarmIn", ("State", "true"), "alarm", True),
        ("tns1:VideoSource/SignalLoss", ("State", "true"), "video_loss", True),
        ("tns1:VideoSource/GlobalSceneChange/ImagingService", ("State", "true"), "tamper", True),
        ("tns1:RuleEngine/LineDetector/Crossed", ("ObjectId", "17"), "motion", None),
        ("tns1:RuleEngine/MyRuleDetector/PeopleDetect", ("State", "true"), "motion", True),
        ("tns1:Device/HardwareFailure/StorageFailure", ("Failed", "true"), "trouble", True),
        ("tns1:Monitoring/ProcessorUsage", ("Value", "12"), None, None),
        ("tns1:VideoSource/MotionAlarmX", ("State", "true"), None, None),
        ("", ("", ""), None, None),
    ],
)
async def test_what_topics_mean(topic: str, data: tuple[str, str], kind: str | None, active: bool | None) -> None:
    source = (("VideoSourceConfigurationToken", "VSC1"),)
    means = await meaning(Notification(topic, None, "Changed", source, (data,)))
    assert (kind, active) == (None, None) if means is None else (means.kind, means.active) == (kind, active)


async def test_a_person_is_an_actor_and_a_message_without_contents_an_alarm_all_the_same() -> None:
    people = Notification(
        "tns1:RuleEngine/MyRuleDetector/PeopleDetect", None, "", (("Source", "0"),), (("State", "true"),)
    )
    means: Any = await meaning(people)
    assert [actor.cls for actor in means.actors] == ["person"]
    bare: Any = await meaning(Notification(INPUT, None))
    assert (bare.kind, bare.active) == ("alarm", None)


async def test_a_message_that_no_parser_expects_is_no_end_of_alarms(scene: Scenes, listened: Listened) -> None:
    bad, good = cameras(2)
    intake = listened(await scene([bad, good], alarms=ALARMS))
    await subscribed(bad, good)
    await bad.notify("tns1:Monitoring/ProcessorUsage", {"Token": "CPU"}, {"Value": "inf"})
    await bad.notify(MOTION, LENS, {"IsMotion": "true"})
    assert (await intake.wait(1))[0].device_id == "cams:camera:acme-ac22-0004418"
    assert [camera.requests.count("CreatePullPointSubscription") for camera in (bad, good)] == [1, 1]


async def test_a_defect_with_one_camera_is_none_with_the_others(scene: Scenes) -> None:
    class Defective(MemoryIntake):
        async def accept(self, submission: Submission) -> Taken:
            if submission.event.device_id.endswith("4418"):
                raise ZeroDivisionError("a defect")
            return await super().accept(submission)

    bad, good = cameras(2)
    one, intake = await scene([bad, good], alarms=ALARMS), Defective()
    listening = asyncio.create_task(one.system.alarms(intake))
    await subscribed(bad, good)
    await bad.notify(MOTION, LENS, {"IsMotion": "true"})
    await asked(bad, "CreatePullPointSubscription", 2)
    await good.notify(MOTION, LENS, {"IsMotion": "true"})
    await intake.wait(1)
    assert good.requests.count("CreatePullPointSubscription") == 1
    assert [each.task for each in one.occurrences if isinstance(each, TaskFailed)] == [f"events of {_at(one, 0)}"]
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


def _at(one: Scene, place: int) -> str:
    return f"127.0.0.1:{one.ports[place]}"
