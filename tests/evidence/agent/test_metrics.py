"""What an operator may raise alarms on: repeated blocks, permissions and locks near their end, how jobs end."""

from datetime import timedelta

from agentkit.scene import Scene

from tocsin.standins.blobs import Fault
from tocsin.telemetry.metrics import Metrics


def figure(one: Scene, name: str) -> float:
    metrics = Metrics()
    for occurrence in one.occurrences:
        metrics.move(occurrence)
    found = [line for line in metrics.text().decode().splitlines() if line.startswith(f"{name} ")]
    return float(found[0].split()[-1]) if found else 0.0


async def test_blocks_that_were_sent_again_and_what_was_left_of_the_permission_are_counted(scene):
    one = await scene("sas_s=1800")
    one.recordings.bytes_per_s = 300_000
    one.blobs.switches.faults["block"] = [Fault(kind="busy")] * 3
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert figure(one, 'tocsin_upload_blocks_total{agent="city"}') == 3
    assert figure(one, 'tocsin_upload_blocks_repeated_total{agent="city"}') == 3
    left = 'tocsin_permission_left_seconds_bucket{agent="city",le="%s"}'
    assert (figure(one, left % "900.0"), figure(one, left % "3600.0")) == (0, 1)
    assert figure(one, 'tocsin_jobs_total{outcome="completed",type="mediarequest"}') == 1
    assert figure(one, "tocsin_upload_bytes_total") == job.files[0].check["cipher"]


async def test_renewals_that_fail_are_counted_and_the_lock_that_ends_first_is_known(scene):
    one = await scene("lock_s=4")
    one.fault("renew=503*1")
    async with one.fetching() as job:
        await one.until(lambda: len(one.requests("renew")) > 1)
        one.recordings.gate.set()
        assert await one.job_ended(job) == "completed"
    assert figure(one, 'tocsin_lock_renew_failures_total{agent="city"}') == 1


async def test_a_running_job_tells_how_long_its_lock_lasts(scene):
    one = await scene("lock_s=600")
    async with one.working() as agent:
        one.recordings.gate.clear()
        job = one.media_request(30)
        await one.until(lambda: one.recordings.asked)
        (until,) = agent.locks().values()
        assert timedelta(seconds=60) < until - one.clock.now() < timedelta(seconds=660)
        one.recordings.gate.set()
        assert await one.job_ended(job) == "completed"
