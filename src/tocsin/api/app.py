"""The REST application: routes, access, problem documents, schema."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI

from tocsin import __version__
from tocsin.api import (
    areas,
    commands,
    custody,
    deliveries,
    destinations,
    devices,
    events,
    importing,
    intake,
    jobs,
    links,
    on_test,
    problems,
    rpc,
    schema,
    stream,
    systems,
    views,
    written,
)
from tocsin.api.access import Access
from tocsin.api.health import health_router
from tocsin.api.limits import Limits
from tocsin.api.proxies import Proxies
from tocsin.api.room import make_room
from tocsin.engine.gateway import Gateway
from tocsin.telemetry.record import Recorder

_ROUTERS = (
    intake,
    events,
    links,
    deliveries,
    destinations,
    areas,
    devices,
    commands,
    importing,
    on_test,
    stream,
    systems,
    jobs,
    custody,
    rpc,
)
_DEVICE_TYPES = (written.DeviceIn, devices.DeviceView, devices.DevicePage, written.AreaIn, areas.AreaView)
_LIST_TYPES: tuple[type, ...] = (areas.AreaList, importing.ImportIn, importing.ImportView, *commands.TYPES)
_LINK_AND_TEST_TYPES = (links.LinkView, on_test.OnTestIn, on_test.OnTestView, on_test.OnTestList)
_RPC_TYPES = (*systems.TYPES, *jobs.TYPES, *custody.TYPES, rpc.Call, rpc.Reply)


def create_app(
    gateway: Gateway,
    access: Access,
    metrics: Callable[[], Awaitable[bytes]],
    record: Recorder,
    limits: Limits | None = None,
    proxies: Proxies = (),
) -> FastAPI:
    """The application for `serve`. `metrics` gives Prometheus text; `record` learns of unexpected errors; `proxies` are
    believed when they say whom they ask for.
    """
    app = FastAPI(
        title="Tocsin",
        version=__version__,
        description="The gateway between physical-security systems and monitoring stations.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.room = make_room(gateway, access, limits or Limits(), record, proxies)
    problems.install(app, record)
    for module in _ROUTERS:
        app.include_router(module.router, prefix=views.API)
    app.include_router(health_router(metrics))
    schema.install(app, [*schema.VIEWS, *_DEVICE_TYPES, *_LIST_TYPES, *_LINK_AND_TEST_TYPES, *_RPC_TYPES])
    return app
