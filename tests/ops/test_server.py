"""The ops port over real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from strategy_runtime.errors import ConfigError
from strategy_runtime.ops import Ops
from strategy_runtime.runtime.status import RunStatus
from tests.ops.support import ask, status


class Standing:
    """Return the status of the run."""

    def __init__(self) -> None:
        self.status: RunStatus | None = status()

    def __call__(self) -> RunStatus | None:
        return self.status


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
async def ops(standing: Standing) -> AsyncIterator[Ops]:
    async with Ops("127.0.0.1", 0, standing) as found:
        await asyncio.sleep(0)  # noqa: TID251
        yield found


async def get(ops: Ops, path: str, host: str | None = None) -> tuple[int, object]:
    return await asyncio.to_thread(ask, ops.url + path, host)


async def test_the_loop_leaves_its_status_every_second_and_has_no_timer_for_it(
    standing: Standing,
) -> None:
    loop = asyncio.get_running_loop()
    before = list(loop._scheduled)  # type: ignore[attr-defined]
    standing.status = None
    async with Ops("127.0.0.1", 0, standing) as ops:
        assert ops.health.status is None
        standing.status = status()
        assert list(loop._scheduled) == before  # type: ignore[attr-defined]
        await asyncio.sleep(1.5)  # noqa: TID251
        assert ops.health.status == standing.status


async def test_probes_of_a_run_in_good_order(ops: Ops) -> None:
    code, said = await get(ops, "/readyz")
    assert code == 200
    assert said == {
        "ready": True,
        "risk_state": "ACTIVE",
        "checks": {
            "connected": True,
            "reconciled": True,
            "not_halted": True,
            "not_stopping": True,
            "loop_turns": True,
        },
    }
    code, said = await get(ops, "/livez")
    assert (code, isinstance(said, dict) and said["live"]) == (200, True)


async def test_an_unready_run_says_503_and_why(ops: Ops) -> None:
    ops.health.update(status(reconciled=False))
    code, said = await get(ops, "/readyz")
    assert code == 503
    assert isinstance(said, dict)
    assert said["checks"]["reconciled"] is False


async def test_status_shows_positions_and_orders(ops: Ops) -> None:
    code, said = await get(ops, "/status")
    assert code == 200
    assert isinstance(said, dict)
    assert said["run"]["positions"] == [
        {
            "symbol": "S:A",
            "quantity": "-3",
            "average_entry_price": "10",
            "unrealized_pnl": "1.5",
        }
    ]
    assert said["run"]["open_orders"][0]["client_order_id"] == "Bot-1"
    assert (said["run"]["risk_state"], said["run"]["halted_symbols"]) == ("ACTIVE", ["S:B"])
    assert said["readiness"]["ready"] is True


async def test_metrics_have_the_content_type_of_their_format(ops: Ops) -> None:
    code, said = await get(ops, "/metrics")
    assert code == 200
    assert isinstance(said, str)
    assert "strategy_ready 1.0" in said


async def test_other_paths_and_methods_are_refused(ops: Ops) -> None:
    assert (await get(ops, "/"))[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "[::1", "\xff\xfe", "a b"])
async def test_a_page_that_comes_by_another_name_is_refused(
    ops: Ops, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    code, said = await get(ops, "/status", host=host)
    assert (code, said) == (403, {"error": "this port serves 127.0.0.1 only"})
    assert caplog.text == ""


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.2", "[::1]:9090"])
async def test_other_names_of_the_machine_itself_are_not(ops: Ops, host: str) -> None:
    assert (await get(ops, "/livez", host=host))[0] == 200


async def test_it_answers_while_the_loop_is_blocked(ops: Ops) -> None:
    answers: list[tuple[int, object]] = []
    thread = threading.Thread(target=lambda: answers.append(ask(ops.url + "/livez")))
    thread.start()
    began = time.monotonic()  # noqa: TID251
    while thread.is_alive() and time.monotonic() - began < 10:  # noqa: TID251
        pass  # a hook that blocks the loop
    assert answers
    assert answers[0][0] == 200


async def test_whoever_holds_connections_neither_takes_all_files_nor_keeps_others_out(
    ops: Ops,
) -> None:
    address = urlsplit(ops.url)
    with ExitStack() as held:
        idle = [
            held.enter_context(socket.create_connection((address.hostname, address.port)))
            for _ in range(300)
        ]
        for _ in range(2):  # by the second, all connections before the first are known
            assert (await get(ops, "/livez"))[0] == 200
        for each in idle[:-64]:
            each.settimeout(5)
            assert await asyncio.to_thread(each.recv, 1) == b""


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^cannot listen on 127.0.0.1 port {port}: Address"):
            Ops("127.0.0.1", port, lambda: None)


async def test_after_the_end_nobody_listens(standing: Standing) -> None:
    async with Ops("127.0.0.1", 0, standing) as found:
        url = found.url
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(ask, url + "/livez")
