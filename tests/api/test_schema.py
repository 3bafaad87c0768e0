"""The answers keep what /openapi.json says, whatever is asked."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, openapi
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from serving import Served, served_apart

from tocsin.api.access import Access, Token, digest
from tocsin.api.limits import Limits
from tocsin.telemetry.occurrences import TaskFailed

LENIENT = [positive_data_acceptance, negative_data_rejection]
"""A schema says less than we demand (66.0 is an integer for JSON Schema) and more (unknown parameters do no harm)."""
BEARER = {"Authorization": "Bearer known"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    boss = Token("boss", frozenset({"admin"}), digest=digest("known"))
    parts = {"access": Access((boss,)), "limits": Limits(failed_tokens_per_minute=100_000), "headers": BEARER}
    folder = tmp_path_factory.mktemp("schema")
    with served_apart(folder, lambda gw: gw.post(id="known"), console=False, **parts) as running:
        yield running
    assert [one for one in running.occurrences if isinstance(one, TaskFailed)] == []


def test_answers_conform(server: Served) -> None:
    described = openapi.from_url(f"{server.url}/openapi.json").exclude(path="/api/v1/stream")
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def conforms(case: schemathesis.Case) -> None:
            case.call_and_validate(timeout=10, headers=BEARER, excluded_checks=LENIENT)

        conforms()


def test_every_route_of_the_contract_is_described(server: Served) -> None:
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
