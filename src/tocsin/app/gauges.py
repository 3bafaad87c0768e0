"""Metrics that are asked for rather than counted: what waits, and who is up."""

from tocsin.engine.evidence import AgentStatus
from tocsin.engine.gateway import DestinationStatus, Gateway
from tocsin.engine.inventory.systems import SystemStatus
from tocsin.model.kinds import Lane
from tocsin.telemetry.metrics import Metrics


async def metrics_text(gateway: Gateway, metrics: Metrics) -> bytes:
    """The exposition text, with the gauges as they are now. Raises StoreError when the store cannot be read."""
    for status in await gateway.destinations():
        _measure(metrics, status, gateway)
    for source, state in gateway.sources():
        metrics.source_up.labels(source, state.subject).set(state.up)
    metrics.devices.clear()
    for system in await gateway.systems.statuses():
        _measure_system(metrics, system)
    metrics.lock_left.clear()
    for agent in await gateway.agents.statuses():
        _measure_agent(metrics, agent, gateway)
    metrics.tests.clear()
    for test in gateway.tests.all():
        metrics.tests.labels(test.area).inc()
    return metrics.text()


def _measure_system(metrics: Metrics, system: SystemStatus) -> None:
    for status, count in system.devices.items():
        metrics.devices.labels(system.name, status).set(count)
    metrics.system_up.labels(system.name).set(system.source.status in ("ok", "degraded"))
    metrics.held.labels(system.name).set(system.held)
    metrics.unmapped.labels(system.name).set(system.unmapped)
    if system.last_complete_sync:
        metrics.last_sync.labels(system.name).set(system.last_complete_sync.timestamp())


def _measure_agent(metrics: Metrics, status: AgentStatus, gateway: Gateway) -> None:
    oldest = status.oldest_offered
    age_s = (gateway.clock.now() - oldest).total_seconds() if oldest else 0.0
    metrics.agent_up.labels(status.name).set(status.state in ("asking", "paused"))
    metrics.offered.labels(status.name).set(status.offered)
    metrics.oldest_job.labels(status.name).set(max(age_s, 0.0))
    metrics.spool.labels(status.name).set(status.spool_bytes)
    metrics.clock_offset.labels(status.name).set(status.clock_offset_s)
    ends = gateway.agents.named(status.name).locks().values()
    if ends:
        metrics.lock_left.labels(status.name).set((min(ends) - gateway.clock.now()).total_seconds())


def _measure(metrics: Metrics, status: DestinationStatus, gateway: Gateway) -> None:
    for lane in Lane:
        metrics.pending.labels(status.name, lane.label).set(status.pending.get(lane.label, 0))
    age_s = (gateway.clock.now() - status.oldest).total_seconds() if status.oldest else 0.0
    metrics.oldest.labels(status.name).set(max(age_s, 0.0))
    metrics.up.labels(status.name).set(status.state != "down")
