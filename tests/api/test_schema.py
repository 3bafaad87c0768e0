"""The answers keep what /openapi.json says, whatever is asked."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, openapi
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from serving import served

from tocsin.api.access import Access, Token, digest
from tocsin.api.limits import Limits

LENIENT = [positive_data_acceptance, negative_data_rejection]
"""A schema says less than we demand (66.0 is an integer for JSON Schema) and more (unknown parameters do no harm)."""
BEARER = {"Authorization": "Bearer known"}


class _Server:
    """A served gateway on a loop of its own, for a client that blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""
        self.failures: list[object] = []

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        boss = Token("boss", frozenset({"admin"}), digest=digest("known"))
        patient = Limits(failed_tokens_per_minute=100_000)
        async with served(self._folder, access=Access((boss,)), limits=patient, console=False, headers=BEARER) as gw:
            await gw.post(id="known")
            self.url = gw.url
            self._up.set()
            await self._stop.wait()
        self.failures = [one for one in gw.occurrences if type(one).__name__ == "TaskFailed"]

    def __enter__(self) -> "_Server":
        self._thread.start()
        assert self._up.wait(20)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    with _Server(tmp_path_factory.mktemp("schema")) as running:
        yield running
    assert running.failures == []


def test_answers_conform(server: _Server) -> None:
    described = openapi.from_url(f"{server.url}/openapi.json").exclude(path="/api/v1/stream")
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def conforms(case: schemathesis.Case) -> None:
            case.call_and_validate(timeout=10, headers=BEARER, excluded_checks=LENIENT)

        conforms()


def test_every_route_of_the_contract_is_described(server: _Server) -> None:
    paths = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in openapi.from_url(f"{server.url}/openapi.json").raw_schema["paths"].items()
        for method in methods
    }
    assert paths == {
        "POST /events",
        "GET /events",
        "GET /events/{event_id}",
        "GET /systems",
        "GET /systems/{name}",
        "POST /systems/{name}/sync",
        "GET /runs/{run_id}",
        "GET /inventory",
        "GET /evidence/{agent}/custody",
        "GET /evidence",
        "POST /evidence/{agent}/pause",
        "POST /evidence/{agent}/resume",
        "POST /evidence/{agent}/accept",
        "GET /jobs",
        "GET /jobs/{job_id}",
        "PATCH /events/{event_id}",
        "POST /events/{event_id}/photos",
        "GET /events/{event_id}/photos/{n}",
        "GET /events/{event_id}/deliveries/{destination}/trace",
        "GET /deliveries",
        "POST /deliveries/{delivery_id}/retry",
        "POST /deliveries/{delivery_id}/discard",
        "GET /destinations",
        "POST /destinations/{name}/test",
        "POST /destinations/{name}/pause",
        "POST /destinations/{name}/resume",
        "GET /devices",
        "GET /devices/{device_id}",
        "PUT /devices/{device_id}",
        "DELETE /devices/{device_id}",
        "GET /devices/{device_id}/commands",
        "POST /devices/{device_id}/commands",
        "GET /commands",
        "GET /commands/{command_id}",
        "POST /commands/{command_id}/result",
        "GET /audit",
        "GET /areas",
        "PUT /areas/{name}",
        "DELETE /areas/{name}",
        "POST /import",
        "GET /stream",
        "GET /events/{event_id}/link",
        "POST /events/{event_id}/link/revoke",
        "POST /areas/{name}/test",
        "DELETE /areas/{name}/test",
        "GET /tests",
        "POST /rpc",
    }
