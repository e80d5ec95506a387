"""The health check of containers: asks a run on this machine whether it is ready.

It imports next to nothing, because it runs every few seconds.
"""

from http.client import HTTPConnection, HTTPException

from strategy_runtime.errors import reason_of

__all__ = ["probe"]

_PATIENCE_S = 3.0


def probe(host: str, port: int) -> tuple[bool, str]:
    """Return whether a run is ready, and the text of its answer."""
    # A server that listens on all addresses is asked on loopback.
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    connection = HTTPConnection(here, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == 200, answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        asked = f"{here} port {port}: {reason_of(error)}"
        return False, f"no answer from {asked}; is there a run with that ops port?"
    finally:
        connection.close()
