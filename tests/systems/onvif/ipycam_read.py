"""A virtual camera of another hand, and the connector that reads it, in one network namespace; prints what was read.

The camera listens on every interface: tests/systems/onvif/test_peers.py starts this where there is only a loopback.
"""

import asyncio
import json
import random
import sys
import threading
from typing import Any

import numpy
from ipycam import CameraConfig, IPCamera

from tocsin.engine.clock import LoopClock
from tocsin.engine.systems import SystemFault
from tocsin.model.inventory import FoundDevice
from tocsin.systems.onvif.discovery import look_around
from tocsin.systems.onvif.settings import OnvifSettings
from tocsin.systems.onvif.system import OnvifSystem, build
from tocsin.systems.surroundings import SystemSurroundings


def system(password: str) -> OnvifSystem:
    table = {
        "name": "cams", "type": "onvif", "username": "viewer", "password": password,
        "devices": [{"address": "127.0.0.1:8080"}], "clear_login": True,
    }  # fmt: skip
    around = SystemSurroundings(LoopClock(), random.Random(1), lambda occurrence: None)
    return build(OnvifSettings.model_validate(table), around)


async def read(password: str) -> dict[str, Any]:
    one = system(password)
    told: dict[str, Any] = {"check": [[step.ok, step.detail] for step in await one.check()]}
    try:
        found = [each async for each in one.devices()]
        told["devices"] = [[each.kind, each.native_key, each.name] for each in found if isinstance(each, FoundDevice)]
        told["notes"] = [each.text for each in found if not isinstance(each, FoundDevice)]
        key = next(key for kind, key, _ in told["devices"] if kind == "camera")
        told["states"] = [[each.kind, each.state, each.reason] async for each in one.baseline()]
        told["stream"] = await one.stream_uri(key)
        told["photo"] = (await one.photo(key))[:3].hex()
    except SystemFault as fault:
        told["fault"] = f"{type(fault).__name__}: {fault}"
    await one.aclose()
    return told


def main() -> None:
    sizes = {"main_width": 320, "main_height": 240, "main_fps": 5, "sub_width": 160, "sub_height": 120}
    rates = {"main_bitrate": "1M", "sub_bitrate": "512K"}
    login = {"username": "viewer", "password": "sesame"}
    camera = IPCamera(CameraConfig(name="Virtual", local_ip="127.0.0.1", **login, **sizes, **rates))
    camera.start()
    ending, sees = threading.Event(), threading.Event()

    def stream() -> None:
        while not ending.is_set():
            camera.stream(numpy.full((240, 320, 3), 128, dtype=numpy.uint8))
            if camera.get_snapshot_frame() is not None:
                sees.set()

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        assert sees.wait(20)
        told: dict[str, Any] = {password: asyncio.run(read(password)) for password in ("sesame", "wrong")}
        proposed = asyncio.run(look_around(random.Random(1), 2.0))
        told["proposed"] = [[one.name, one.addresses] for one in proposed]
        json.dump(told, sys.stdout)
    finally:
        ending.set()
        thread.join()
        camera.stop()


if __name__ == "__main__":
    main()
