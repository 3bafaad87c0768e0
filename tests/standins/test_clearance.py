"""The stand-in registry is strict: what it does not know it refuses (clearance.md 18)."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tocsin.engine.clock import LoopClock
from tocsin.evidence.registry.profile import assumed_text
from tocsin.standins.clearance.keys import SIGNING_KEY_ID, Integration
from tocsin.standins.clearance.standin import ClearanceStandin, Storage
from tocsin.standins.clearance.switches import read_assumptions, read_fault

INTEGRATION = Integration("t", "p")
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Bench:
    def __init__(self, standin, http):
        self.standin = standin
        self.http = http
        self.token = ""

    async def login(self, alg="RS512", **claims):
        now = int(datetime.now(UTC).timestamp())
        address = f"{self.standin.root}/sts/connect/token"
        given = {"iss": "p@t", "sub": "p@t", "aud": address, "iat": now, "nbf": now, "exp": now + 300, "jti": "a" * 32}
        key = RSAKey.import_key(INTEGRATION.signing)
        header = {"alg": alg, "kid": SIGNING_KEY_ID, "typ": "JWT"}
        assertion = jwt.encode(header, {**given, **claims}, key, algorithms=[alg])
        form = {"client_id": "p@t", "grant_type": GRANT, "assertion": assertion}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self.http.post(address, data=urlencode(form), headers=headers) as answer:
            said = await answer.json()
            self.token = said.get("access_token", "")
            return answer.status, said.get("error_description", "")

    async def call(self, method, path, body=None, **headers):
        address = f"{self.standin.root}/api/agentservice/api/v1/tenant/t/agent/p/job{path}"
        given = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.http.request(method, address, json=body, headers=given) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def bench():
    told = []
    storage = Storage("http://127.0.0.1:9/standin", b"k")
    standin = ClearanceStandin("127.0.0.1:0", told.append, LoopClock(), storage, assumed_text(), INTEGRATION)
    await standin.start()
    async with aiohttp.ClientSession() as http:
        one = Bench(standin, http)
        one.told = told
        yield one
    await standin.aclose()


PAST = int((datetime.now(UTC) - timedelta(hours=2)).timestamp())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "https://elsewhere"}, "aud is"),
        ({"iss": "x"}, "iss or sub"),
        ({"exp": PAST}, "not valid now"),
        ({"iat": PAST, "nbf": PAST}, "not valid now"),
        ({"jti": None}, "jti is missing"),
        ({"exp": "soon"}, ""),
    ],
)
async def test_assertions_that_are_not_good(bench, claims, said):
    status, why = await bench.login(**claims)
    assert status == 400
    assert said in why


async def test_an_assertion_is_good_once(bench):
    assert (await bench.login())[0] == 200
    assert await bench.login() == (400, "jti is missing or was used before")


async def test_who_may_do_what(bench):
    assert (await bench.call("GET", ""))[0] == 401
    await bench.login()
    job = bench.standin.ledger.post("thumbnail", "cam", id="j")
    assert await bench.call("POST", "/j/complete", {"state": "Completed"}) == (409, None)
    status, granted = await bench.call("POST", "/j/lock", {})
    assert (status, "lockExpiration" in granted, job.state) == (200, True, "locked")
    assert (await bench.call("POST", "/j/lock", {}))[0] == 409
    assert (await bench.call("PUT", "/j/progress", {"taskProgress": 5, "taskTotal": 3}))[0] == 400
    assert (await bench.call("PUT", "/j/progress", {"taskProgress": 1, "taskTotal": 3, "x": 1}))[0] == 400
    assert (await bench.call("POST", "/j/progress", {"taskProgress": 1, "taskTotal": 3}))[0] == 405
    assert (await bench.call("POST", "/j/complete", {"state": "Completed"}))[0] == 400
    assert (await bench.call("GET", "/j/everything"))[0] == 404
    status, place = await bench.call("POST", "/j/file", {"name": "a", "mimeType": "image/jpeg"})
    assert status == 200
    assert "sig=" in place["uri"]
    assert (await bench.call("POST", f"/j/file/{place['fileId']}/completemedia", {}))[0] == 400
    assert (await bench.call("POST", "/none/lock", {}))[0] == 404
    assert "sig=" not in json.dumps(bench.told)


async def test_orders(bench):
    async def order(name, **given):
        async with bench.http.post(f"{bench.standin.root}/standin/{name}", json=given) as answer:
            return answer.status

    await bench.login()
    assert await order("job", type="discovery", id="d") == 204
    assert await order("withdraw", id="d") == 204
    assert await order("withdraw", id="d") == 404
    assert await order("dance") == 404
    assert await order("fault", fault="lock=nonsense") == 400
    assert await order("fault", fault="get_jobs=429:7*1") == 204
    assert (await bench.call("GET", ""))[0] == 429
    assert await order("revoke") == 204
    assert (await bench.call("GET", ""))[0] == 401


@pytest.mark.parametrize("text", ["lock", "lock=", "=503", "lock=99", "lock=late:x", "lock=503*x", "lock=429:x"])
def test_faults_that_are_none(text):
    with pytest.raises(ValueError, match="--fault"):
        read_fault(text)


def test_faults_are_counted():
    fault = read_fault("lock=503*2+1")
    assert [fault.strikes("lock") for _ in range(5)] == [False, True, True, False, False]
    assert read_fault("*=close").strikes("renew")
    with pytest.raises(ValueError, match="there is spelling"):
        read_assumptions(["colour=blue"])
    with pytest.raises(ValueError, match="--assume"):
        read_assumptions(["lock_s=long"])
