"""The metrics of interface.md 5, moved by occurrences. Names are a contract."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from tocsin.telemetry import occurrences as seen
from tocsin.telemetry.record import Occurrence

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """One registry of its own, so that several gateways can live in one process (tests, simulation)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.accepted = Counter("tocsin_events_accepted", "Events on disk", ["source", "kind"], registry=r)
        self.on_test = Counter("tocsin_events_on_test", "Events accepted while on test", ["source", "kind"], registry=r)
        self.tests = Gauge("tocsin_on_test", "What is on test now, per area", ["area"], registry=r)
        self.links = Counter("tocsin_link_requests", "Requests for events' links", ["outcome"], registry=r)
        self.refused = Counter("tocsin_events_refused", "Events and input not taken", ["source", "reason"], registry=r)
        self.deliveries = Counter("tocsin_deliveries", "Deliveries ended", ["destination", "outcome"], registry=r)
        self.seconds = Histogram(
            "tocsin_delivery_seconds",
            "Accepted to acknowledged",
            ["destination"],
            buckets=_SECONDS,
            registry=r,
        )
        self.attempts = Counter("tocsin_attempts", "Attempts by result", ["destination", "result"], registry=r)
        self.pending = Gauge("tocsin_pending", "Deliveries still owed", ["destination", "lane"], registry=r)
        self.oldest = Gauge(
            "tocsin_oldest_pending_seconds", "Age of the oldest delivery still owed", ["destination"], registry=r
        )
        self.up = Gauge("tocsin_destination_up", "1: reachable, or not tried yet", ["destination"], registry=r)
        self.commit = Histogram(
            "tocsin_store_commit_seconds", "Time of one transaction", buckets=_COMMIT_SECONDS, registry=r
        )
        self.source_up = Gauge("tocsin_source_up", "1: heard within its interval", ["source", "subject"], registry=r)
        self.store_up = Gauge("tocsin_store_up", "1: the store can write", registry=r)
        self.store_up.set(1)
        self._of_systems(r)
        self._of_evidence(r)
        self.restarts = Counter("tocsin_task_failures", "Supervised tasks that failed", ["task"], registry=r)
        self._labelled: dict[tuple[str, ...], Counter] = {}
        self._seconds: dict[str, Histogram] = {}
        self._moves: dict[type[Occurrence], Callable[..., None]] = {
            seen.EventAccepted: lambda o: self._count(self.accepted, o.source, o.kind, amount=o.count),
            seen.EventOnTest: lambda o: self._count(self.on_test, o.source, o.kind),
            seen.LinkOpened: lambda o: self._count(self.links, o.outcome),
            seen.EventRefused: lambda o: self._count(self.refused, o.source, o.reason),
            seen.FrameDropped: lambda o: self._count(self.refused, o.source, o.reason),
            seen.AttemptMade: lambda o: self._count(self.attempts, o.destination, o.result),
            seen.DeliveryEnded: self._delivery_ended,
            seen.DeliveriesFiltered: lambda o: self._count(self.deliveries, o.destination, "filtered", amount=o.count),
            seen.OutboxCompacted: lambda o: self._count(self.deliveries, o.destination, "superseded", amount=o.lost),
            seen.DestinationWentDown: lambda o: self.up.labels(o.destination).set(0),
            seen.DestinationCameUp: lambda o: self.up.labels(o.destination).set(1),
            seen.SupervisionLost: lambda o: self.source_up.labels(o.source, o.subject).set(0),
            seen.SupervisionRestored: lambda o: self.source_up.labels(o.source, o.subject).set(1),
            seen.Committed: lambda o: self.commit.observe(o.seconds),
            seen.StoreWentDown: lambda o: self.store_up.set(0),
            seen.StoreCameBack: lambda o: self.store_up.set(1),
            seen.SyncEnded: self._sync_ended,
            seen.StatesCorrected: lambda o: self._count(self.corrections, o.system, amount=o.count),
            seen.HealthDropped: lambda o: self._count(self.states_dropped, o.system, o.reason, amount=o.count),
            seen.TaskFailed: lambda o: self._count(self.restarts, o.task),
            **self._moves_of_evidence(),
        }

    def _of_systems(self, r: CollectorRegistry) -> None:
        self.devices = Gauge("tocsin_devices", "Devices of systems by state", ["system", "status"], registry=r)
        self.system_up = Gauge("tocsin_system_up", "1: the system can be read", ["system"], registry=r)
        self.held = Gauge("tocsin_removals_held", "Removals that wait for somebody to accept", ["system"], registry=r)
        self.unmapped = Gauge("tocsin_unmapped_devices", "Devices without a customer, not sent", ["system"], registry=r)
        self.sync_seconds = Histogram(
            "tocsin_sync_seconds", "Time of one reading", ["system"], buckets=_SECONDS, registry=r
        )
        self.last_sync = Gauge("tocsin_last_sync_timestamp", "Last complete reading, Unix time", ["system"], registry=r)
        self.syncs = Counter("tocsin_syncs", "Readings by outcome", ["system", "state"], registry=r)
        self.corrections = Counter(
            "tocsin_reconcile_corrections", "States that had changed untold", ["system"], registry=r
        )
        self.states_dropped = Counter("tocsin_states_dropped", "States not used", ["system", "reason"], registry=r)

    def _of_evidence(self, r: CollectorRegistry) -> None:
        self.jobs = Counter(
            "tocsin_jobs", "Jobs of evidence registries that ended here", ["type", "outcome"], registry=r
        )
        self.uploaded = Counter("tocsin_upload_bytes", "Bytes of evidence that storages have acknowledged", registry=r)
        self.video = Counter("tocsin_video_seconds", "Recordings fetched for evidence", ["agent"], registry=r)
        self.renewals = Histogram(
            "tocsin_lock_renew_seconds", "Time of renewing a job's lock", ["agent"], buckets=_SECONDS, registry=r
        )
        self.fenced = Counter("tocsin_jobs_fenced", "Jobs stopped because of their lock", ["agent"], registry=r)
        self.agent_up = Gauge("tocsin_agent_up", "1: the registry can be asked for jobs", ["agent"], registry=r)
        self.misfits = Counter("tocsin_profile_errors", "Answers the wire profile does not fit", ["agent"], registry=r)
        self.offered = Gauge("tocsin_jobs_offered", "Jobs in the registry's last answer", ["agent"], registry=r)
        self.oldest_job = Gauge(
            "tocsin_oldest_job_seconds", "Age of the oldest job in the registry's last answer", ["agent"], registry=r
        )
        self.spool = Gauge("tocsin_spool_bytes", "Recordings that wait in the spool", ["agent"], registry=r)
        self.clock_offset = Gauge(
            "tocsin_registry_clock_offset_seconds", "How far the registry's clock is ahead", ["agent"], registry=r
        )

    def _moves_of_evidence(self) -> dict[type[Occurrence], Callable[..., None]]:
        return {
            seen.JobEnded: lambda o: self._count(self.jobs, o.type, o.outcome),
            seen.BytesUploaded: lambda o: self.uploaded.inc(o.count),
            seen.VideoFetched: lambda o: self.video.labels(o.agent).inc(o.seconds),
            seen.LockRenewed: lambda o: self.renewals.labels(o.agent).observe(max(o.seconds, 0.0)),
            seen.LockFenced: lambda o: self._count(self.fenced, o.agent),
            seen.AgentWentAway: lambda o: self.agent_up.labels(o.agent).set(0),
            seen.AgentCameBack: lambda o: self.agent_up.labels(o.agent).set(1),
            seen.ProfileMisfit: lambda o: self._count(self.misfits, o.agent),
        }

    def move(self, occurrence: Occurrence) -> None:
        """Move what this occurrence counts; most log-only occurrences count nothing."""
        move = self._moves.get(type(occurrence))
        if move is not None:
            move(occurrence)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

    def _count(self, counter: Counter, *labels: str, amount: int = 1) -> None:
        key = (str(id(counter)), *labels)
        child = self._labelled.get(key)
        if child is None:
            child = self._labelled[key] = counter.labels(*labels)
        child.inc(amount)

    def _sync_ended(self, ended: seen.SyncEnded) -> None:
        self._count(self.syncs, ended.system, ended.state)
        self.sync_seconds.labels(ended.system).observe(max(ended.seconds, 0.0))

    def _delivery_ended(self, ended: seen.DeliveryEnded) -> None:
        self._count(self.deliveries, ended.destination, ended.outcome)
        if ended.outcome == "delivered":
            seconds = self._seconds.get(ended.destination)
            if seconds is None:
                seconds = self._seconds[ended.destination] = self.seconds.labels(ended.destination)
            seconds.observe(max(ended.seconds, 0.0))
