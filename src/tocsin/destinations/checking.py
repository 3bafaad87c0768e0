"""The first lines of every `check --connect`: can the station be reached, and is its certificate accepted."""

from tocsin.engine.contracts import CheckStep
from tocsin.transports.contract import Endpoint, Network, TlsOptions, Unreachable


async def link_steps(
    network: Network, endpoint: Endpoint, tls: TlsOptions | None, timeout_s: float = 5.0
) -> list[CheckStep]:
    """Name, TCP and TLS of one host; the last step is the one that failed. Sends nothing over the connection."""
    try:
        link = await network.connect(endpoint, tls, timeout_s)
    except Unreachable as error:
        return await _where(network, endpoint, tls, timeout_s, str(error))
    await link.aclose()
    return [_reached(endpoint), *([] if tls is None else [_secured(tls)])]


async def _where(
    network: Network, endpoint: Endpoint, tls: TlsOptions | None, timeout_s: float, problem: str
) -> list[CheckStep]:
    """A TLS connection failed: ask without TLS whether it was the way there or the certificate."""
    if tls is not None:
        try:
            link = await network.connect(endpoint, None, timeout_s)
        except Unreachable as error:
            problem = str(error)
        else:
            await link.aclose()
            return [_reached(endpoint), CheckStep("TLS", False, problem)]
    return [CheckStep(f"connect to {endpoint}", False, problem)]


def _reached(endpoint: Endpoint) -> CheckStep:
    return CheckStep(f"connect to {endpoint}", True, "the name is found and the port is open")


def _secured(tls: TlsOptions) -> CheckStep:
    if tls.insecure:
        return CheckStep("TLS", True, "the certificate was NOT checked", "leave tls.insecure out to have it checked")
    return CheckStep("TLS", True, "the certificate is accepted")
