"""Tokens, refusals, overload, wrong profiles: what the registry may answer (clearance.md 4, 6, 9.1)."""

import logging

import pytest

from tocsin.evidence.registry.profile import assumed_text
from tocsin.store.evidence import JobQuery
from tocsin.telemetry.occurrences import AgentCameBack, AgentWentAway, ProfileMisfit


async def delivered(one):
    job = one.media_request(30)
    return await one.job_ended(job)


async def test_a_token_that_is_no_longer_good_is_replaced_and_the_call_repeated(scene):
    one = await scene()
    async with one.working():
        await one.until(lambda: len(one.requests("get_jobs")) > 1)
        one.registry.door.revoke()
        assert await delivered(one) == "completed"
    assert [line["status"] for line in one.told if line["status"] == 401] == [401]
    assert len(one.requests("token")) == 2


async def test_tokens_are_renewed_at_half_of_their_life(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.registry.tokens.SHORTEST_S", 0.0)
    one = await scene("token_s=2")
    async with one.working():
        await one.until(lambda: len(one.requests("token")) > 2)
    assert [line for line in one.told if line["status"] == 401] == []


async def test_a_login_that_is_refused_is_told_and_not_tried_all_the_time(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.polling.REFUSED_S", 0.5)
    one = await scene()
    one.registry.door.refuse = "client is disabled"
    async with one.working() as agent:
        await one.until(lambda: any(isinstance(told, AgentWentAway) for told in one.occurrences))
        assert (await agent.status()).state == "refused"
        assert not agent.state().ok
        assert len(one.requests("token")) == 2
        one.registry.door.refuse = ""
        await one.until(lambda: any(isinstance(told, AgentCameBack) for told in one.occurrences))
        assert (await agent.status()).state == "asking"
    (away,) = [told for told in one.occurrences if isinstance(told, AgentWentAway)]
    assert "client is disabled" in away.reason
    assert "Download the connection file anew" in away.reason


async def test_retry_after_always_wins(scene):
    one = await scene()
    async with one.working():
        await one.until(lambda: one.requests("get_jobs"))
        one.fault("get_jobs=429:2*1")
        await one.until(lambda: any(line["status"] == 429 for line in one.told))
        held = len(one.registry.calls)
        began = one.registry.calls[-1][0]
        await one.until(lambda: len(one.registry.calls) > held)
    assert one.registry.calls[held][0] - began >= 2.0


async def test_never_more_calls_than_agreed_also_with_many_workers_and_errors(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.jobs.choosing.HOLD_OFF_S", (0.0,))
    one = await scene()
    one.recordings.away = True
    one.fault("lock=503")
    for _ in range(30):
        one.media_request(30)
    async with one.working(workers=50):
        await one.until(lambda: len(one.registry.calls) >= 30)
    times = [called for called, _ in one.registry.calls]
    for n, called in enumerate(times):
        within = sum(1 for other in times[n:] if other - called <= 2.0)
        assert within <= 10 + 5 * 2 + 1


async def test_a_profile_that_misses_a_field_takes_no_more_jobs_of_that_type(scene):
    text = assumed_text().replace('["fileId", "id"]', '["fileIdentifier"]')
    one = await scene()
    (one.folder / "wrong.toml").write_text(text)
    job = one.media_request(30)
    async with one.working(profile_file=str(one.folder / "wrong.toml")) as agent:
        assert await one.job_ended(job) == "released"
        other = one.post("thumbnail", "cam")
        assert await one.job_ended(other) == "released"
        third = one.media_request(30)
        polls = len(one.requests("get_jobs"))
        await one.until(lambda: len(one.requests("get_jobs")) > polls + 2)
        assert "mediarequest" in (await agent.status()).blocked[0]
        assert not agent.state().ok
    assert (job.locks, third.locks) == (1, 0)
    misfits = [told for told in one.occurrences if isinstance(told, ProfileMisfit)]
    assert {told.type for told in misfits} == {"mediarequest", "thumbnail"}
    assert "looked for fileIdentifier" in misfits[0].reason
    assert "there is fileId, jsonWebKey, " in misfits[0].reason
    assert "sig=" not in misfits[0].reason


async def test_another_profile_needs_no_other_program(scene):
    text = (
        assumed_text()
        .replace("/agentservice/api/v1/tenant/{tenant}", "/v2/{tenant}/agents")
        .replace('method = "PUT"\npath = "/agent/{agent}/job/{job}/progress"', 'method = "PATCH"\npath = "/jobs/{job}"')
        .replace('taskProgress = "progress", taskTotal = "total"', 'done = "progress", of = "total"')
        .replace('["deviceId", "cameraId", "externalId"]', '["media.camera.id"]')
        .replace("completemedia", "finish")
    )
    one = await scene(profile=text)
    async with one.working():
        job = one.post("discovery", "")
        assert await one.job_ended(job) == "completed"
        assert await delivered(one) == "completed"


@pytest.mark.parametrize("fault", ["get_jobs=page*2", "get_jobs=500*2", "get_jobs=close*2", "get_jobs=400*2"])
async def test_polling_goes_on_after_any_nonsense(scene, fault, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.polling.FIRST_S", 0.1)
    one = await scene()
    one.fault(fault)
    async with one.working():
        assert await delivered(one) == "completed"


async def test_dry_run_takes_nothing(scene):
    one = await scene()
    job = one.media_request(30)
    async with one.working(dry_run=True):
        await one.until(lambda: any("would take" in getattr(told, "text", "") for told in one.occurrences))
        await one.until(lambda: len(one.requests("get_jobs")) > 3)
    assert (job.state, job.locks) == ("available", 0)
    assert list(await one.store.jobs(JobQuery())) == []
    assert sum("would take" in getattr(told, "text", "") for told in one.occurrences) == 1


async def test_paused_it_finishes_what_it_has_and_takes_nothing_more(scene):
    one = await scene()
    one.recordings.gate.clear()
    first = one.media_request(30)
    async with one.working() as agent:
        await one.until(lambda: one.recordings.asked)
        agent.pause()
        second = one.media_request(30)
        one.recordings.gate.set()
        assert await one.job_ended(first) == "completed"
        assert (await agent.status()).state == "paused"
        assert second.state == "available"
        agent.resume()
        assert await one.job_ended(second) == "completed"


async def test_no_secret_in_any_log_or_custody_line(scene, caplog):
    caplog.set_level(logging.DEBUG)
    one = await scene()
    one.fault("complete_media=500*1")
    async with one.working():
        assert await delivered(one) == "completed"
        tokens = list(one.registry.door._tokens)
    private = one.registry.connection_file()["ServicePrincipalKey"]["d"]
    custody = [line.text for line in await one.store.custody("city")]
    seen = "\n".join([caplog.text, *map(str, one.occurrences), *custody])
    assert [secret for secret in ("sig=", private, *tokens) if secret in seen] == []
    (job,) = await one.store.jobs(JobQuery())
    (file,) = await one.store.job_files(job.id)
    assert file.upload.sealed_key == b""
    assert "sig=" not in file.upload.uri
