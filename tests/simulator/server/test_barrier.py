"""The ack barrier: what releases events, for any order of calls."""

from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.ids import counted
from strategy_runtime.simulator.server.barrier import AckBarrier


def barrier_with(count: int, *, written: int) -> AckBarrier:
    barrier = AckBarrier()
    for number in range(1, count + 1):
        event_id = f"evt-{number}"
        barrier.announce(event_id, event_id.encode())
        if number <= written:
            barrier.written(event_id)
    return barrier


def test_what_is_written_can_be_acknowledged_once() -> None:
    barrier = barrier_with(2, written=2)
    assert barrier.acknowledge(["evt-2", "evt-2"]) == 1
    assert barrier.missing == ["evt-1"]
    assert barrier.acknowledge(["evt-2", "evt-1"]) == 1
    assert barrier.is_clear
    assert barrier.unknown == 2


def test_a_notice_is_waited_for_until_it_is_written_and_by_nobody_acknowledged() -> None:
    barrier = AckBarrier()
    barrier.announce("evt-1", b"event")
    barrier.announce_notice(b"notice")
    names = [name for name, _ in barrier.unwritten()]
    assert [frame for _, frame in barrier.unwritten()] == [b"event", b"notice"]
    assert barrier.missing == ["evt-1"]
    assert barrier.acknowledge(names) == 0
    for name in names:
        barrier.written(name)
    barrier.new_client()
    assert [frame for _, frame in barrier.unwritten()] == [b"event"], "it is not sent again"
    barrier.written("evt-1")
    assert barrier.acknowledge(names) == 1
    assert barrier.is_clear


def test_what_is_not_written_yet_is_unknown() -> None:
    barrier = barrier_with(2, written=1)
    assert barrier.acknowledge(["evt-2", "evt-3", ""]) == 0
    assert barrier.missing == ["evt-1", "evt-2"]
    assert barrier.unwritten() == [("evt-2", b"evt-2")]
    assert barrier.unknown == 3


def test_a_new_client_is_to_be_written_all_that_is_waited_for() -> None:
    barrier = barrier_with(3, written=3)
    barrier.acknowledge(["evt-2"])
    barrier.new_client()
    assert barrier.unwritten() == [("evt-1", b"evt-1"), ("evt-3", b"evt-3")]
    assert barrier.acknowledge(["evt-1"]) == 0


def test_the_writing_of_what_is_no_longer_waited_for_changes_nothing() -> None:
    barrier = barrier_with(1, written=1)
    barrier.acknowledge(["evt-1"])
    barrier.written("evt-1")
    assert barrier.acknowledge(["evt-1"]) == 0


@given(
    st.lists(
        st.one_of(
            st.just("announce"),
            st.just("write"),
            st.just("reconnect"),
            st.lists(st.integers(0, 8), max_size=4),
        ),
        max_size=40,
    )
)
def test_only_written_ids_are_released_and_order_is_kept(steps: list[str | list[int]]) -> None:
    barrier = AckBarrier()
    next_id = counted("evt-")
    waiting: list[str] = []
    acknowledgeable: set[str] = set()
    for step in steps:
        if step == "announce":
            event_id = next_id()
            barrier.announce(event_id, b"")
            waiting.append(event_id)
        elif step == "write":
            for event_id, _ in barrier.unwritten():
                barrier.written(event_id)
            acknowledgeable = set(waiting)
        elif step == "reconnect":
            barrier.new_client()
            acknowledgeable = set()
        else:
            ids = [f"evt-{number}" for number in step]
            released = acknowledgeable & set(ids)
            assert barrier.acknowledge(ids) == len(released)
            acknowledgeable -= released
            waiting = [event_id for event_id in waiting if event_id not in released]
        assert barrier.missing == waiting
        assert barrier.is_clear == (not waiting)
        assert [event_id for event_id, _ in barrier.unwritten()] == [
            event_id for event_id in waiting if event_id not in acknowledgeable
        ]
