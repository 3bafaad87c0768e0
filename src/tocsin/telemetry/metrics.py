"""The metrics of interface.md 5, moved by occurrences. Names are a contract."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from tocsin.telemetry import occurrences as seen
from tocsin.telemetry.record import Occurrence
from tocsin.telemetry.tallies import Spread, Tally

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_LEFT_SECONDS = (0.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """One registry of its own, so that several gateways can live in one process (tests, simulation)."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry()
        self._of_events(r)
        self._of_destinations(r)
        self.commit = Spread("tocsin_store_commit_seconds", "Time of one transaction", [], _COMMIT_SECONDS, r)
        self.source_up = Gauge("tocsin_source_up", "1: heard within its interval", ["source", "subject"], registry=r)
        self.store_up = Gauge("tocsin_store_up", "1: the store can write", registry=r)
        self.store_up.set(1)
        self._of_systems(r)
        self._of_evidence(r)
        self.restarts = Tally("tocsin_task_failures", "Supervised tasks that failed", ["task"], r)
        self._moves: dict[type[Occurrence], Callable[..., None]] = {
            **self._moves_of_events(),
            **self._moves_of_destinations(),
            seen.SupervisionLost: lambda o: self.source_up.labels(o.source, o.subject).set(0),
            seen.SupervisionRestored: lambda o: self.source_up.labels(o.source, o.subject).set(1),
            seen.Committed: lambda o: self.commit.add((), o.seconds),
            seen.StoreWentDown: lambda o: self.store_up.set(0),
            seen.StoreCameBack: lambda o: self.store_up.set(1),
            seen.SyncEnded: self._sync_ended,
            seen.StatesCorrected: lambda o: self.corrections.add((o.system,), o.count),
            seen.HealthDropped: lambda o: self.states_dropped.add((o.system, o.reason), o.count),
            seen.TaskFailed: lambda o: self.restarts.add((o.task,)),
            **self._moves_of_evidence(),
        }

    def _of_events(self, r: CollectorRegistry) -> None:
        self.accepted = Tally("tocsin_events_accepted", "Events on disk", ["source", "kind"], r)
        self.on_test = Tally("tocsin_events_on_test", "Events accepted while on test", ["source", "kind"], r)
        self.tests = Gauge("tocsin_on_test", "What is on test now, per area", ["area"], registry=r)
        self.links = Tally("tocsin_link_requests", "Requests for events' links", ["outcome"], r)
        self.refused = Tally("tocsin_events_refused", "Events and input not taken", ["source", "reason"], r)

    def _moves_of_events(self) -> dict[type[Occurrence], Callable[..., None]]:
        return {
            seen.EventAccepted: lambda o: self.accepted.add((o.source, o.kind), o.count),
            seen.EventOnTest: lambda o: self.on_test.add((o.source, o.kind)),
            seen.LinkOpened: lambda o: self.links.add((o.outcome,)),
            seen.EventRefused: lambda o: self.refused.add((o.source, o.reason)),
            seen.FrameDropped: lambda o: self.refused.add((o.source, o.reason)),
        }

    def _of_destinations(self, r: CollectorRegistry) -> None:
        self.deliveries = Tally("tocsin_deliveries", "Deliveries ended", ["destination", "outcome"], r)
        self.seconds = Spread("tocsin_delivery_seconds", "Accepted to acknowledged", ["destination"], _SECONDS, r)
        self.attempts = Tally("tocsin_attempts", "Attempts by result", ["destination", "result"], r)
        self.pending = Gauge("tocsin_pending", "Deliveries still owed", ["destination", "lane"], registry=r)
        self.oldest = Gauge(
            "tocsin_oldest_pending_seconds", "Age of the oldest delivery still owed", ["destination"], registry=r
        )
        self.up = Gauge("tocsin_destination_up", "1: reachable, or not tried yet", ["destination"], registry=r)

    def _moves_of_destinations(self) -> dict[type[Occurrence], Callable[..., None]]:
        return {
            seen.AttemptMade: lambda o: self.attempts.add((o.destination, o.result)),
            seen.DeliveryEnded: self._delivery_ended,
            seen.DeliveriesFiltered: lambda o: self.deliveries.add((o.destination, "filtered"), o.count),
            seen.OutboxCompacted: lambda o: self.deliveries.add((o.destination, "superseded"), o.lost),
            seen.DestinationWentDown: lambda o: self.up.labels(o.destination).set(0),
            seen.DestinationCameUp: lambda o: self.up.labels(o.destination).set(1),
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
        self.syncs = Tally("tocsin_syncs", "Readings by outcome", ["system", "state"], r)
        self.corrections = Tally("tocsin_reconcile_corrections", "States that had changed untold", ["system"], r)
        self.states_dropped = Tally("tocsin_states_dropped", "States not used", ["system", "reason"], r)

    def _of_evidence(self, r: CollectorRegistry) -> None:
        self.jobs = Tally("tocsin_jobs", "Jobs of evidence registries that ended here", ["type", "outcome"], r)
        self.uploaded = Counter("tocsin_upload_bytes", "Bytes of evidence that storages have acknowledged", registry=r)
        self.video = Counter("tocsin_video_seconds", "Recordings fetched for evidence", ["agent"], registry=r)
        self.renewals = Histogram(
            "tocsin_lock_renew_seconds", "Time of renewing a job's lock", ["agent"], buckets=_SECONDS, registry=r
        )
        self.renewals_failed = Tally("tocsin_lock_renew_failures", "Renewals of locks that failed", ["agent"], r)
        self.lock_left = Gauge(
            "tocsin_lock_left_seconds",
            "Time left of the lock that ends first, while there is one",
            ["agent"],
            registry=r,
        )
        self.blocks = Tally("tocsin_upload_blocks", "Blocks of evidence stored", ["agent"], r)
        self.repeated = Tally("tocsin_upload_blocks_repeated", "Blocks that had to be sent once more", ["agent"], r)
        self.permission_left = Histogram(
            "tocsin_permission_left_seconds",
            "How long a file's permission would have lasted when it was stored",
            ["agent"],
            buckets=_LEFT_SECONDS,
            registry=r,
        )
        self.fenced = Tally("tocsin_jobs_fenced", "Jobs stopped because of their lock", ["agent"], r)
        self.agent_up = Gauge("tocsin_agent_up", "1: the registry can be asked for jobs", ["agent"], registry=r)
        self.misfits = Tally("tocsin_profile_errors", "Answers the wire profile does not fit", ["agent"], r)
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
            seen.JobEnded: lambda o: self.jobs.add((o.type, o.outcome)),
            seen.BytesUploaded: lambda o: self.uploaded.inc(o.count),
            seen.VideoFetched: lambda o: self.video.labels(o.agent).inc(o.seconds),
            seen.LockRenewed: lambda o: self.renewals.labels(o.agent).observe(max(o.seconds, 0.0)),
            seen.LockNotRenewed: lambda o: self.renewals_failed.add((o.agent,)),
            seen.BlockStored: self._block_stored,
            seen.FileStored: lambda o: self.permission_left.labels(o.agent).observe(max(o.left_s, 0.0)),
            seen.LockFenced: lambda o: self.fenced.add((o.agent,)),
            seen.AgentWentAway: lambda o: self.agent_up.labels(o.agent).set(0),
            seen.AgentCameBack: lambda o: self.agent_up.labels(o.agent).set(1),
            seen.ProfileMisfit: lambda o: self.misfits.add((o.agent,)),
        }

    def move(self, occurrence: Occurrence) -> None:
        """Move what this occurrence counts; most log-only occurrences count nothing."""
        move = self._moves.get(type(occurrence))
        if move is not None:
            move(occurrence)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

    def _sync_ended(self, ended: seen.SyncEnded) -> None:
        self.syncs.add((ended.system, ended.state))
        self.sync_seconds.labels(ended.system).observe(max(ended.seconds, 0.0))

    def _block_stored(self, stored: seen.BlockStored) -> None:
        self.blocks.add((stored.agent,))
        if stored.tries > 1:
            self.repeated.add((stored.agent,), stored.tries - 1)

    def _delivery_ended(self, ended: seen.DeliveryEnded) -> None:
        self.deliveries.add((ended.destination, ended.outcome))
        if ended.outcome == "delivered":
            self.attempts.add((ended.destination, "delivered"))
            self.seconds.add((ended.destination,), max(ended.seconds, 0.0))
