"""`-m benchmarks.wire.client WHO LOOP MODE BATCH WS_PORT REST_PORT`: a client of the server.

WHO is `ours` or `bare`; LOOP is `asyncio`, `asyncio64` (reads of 64 KiB) or `uvloop`. It prints the
CPU time from the first candle to the end.
"""

import asyncio
import json
import resource
import sys
import time
from importlib import import_module

__all__ = ["main"]


def main(who: str, loop: str, mode: str, batch: str, ws_port: str, rest_port: str) -> None:
    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    elif loop == "asyncio64":
        from asyncio import selector_events

        selector_events._SelectorTransport.max_size = 64 * 1024  # type: ignore[attr-defined]
    # Imported here, so that neither client pays for the imports of the other.
    client = getattr(import_module(f"benchmarks.wire.{who}"), who)
    work = client(f"ws://127.0.0.1:{ws_port}/", f"http://127.0.0.1:{rest_port}", mode, int(batch))
    with asyncio.Runner(loop_factory=factory) as runner:
        began, events = runner.run(work)
    print(
        json.dumps(
            {
                "cpu_s": time.process_time() - began,
                "events": events,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
