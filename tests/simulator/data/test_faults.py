"""The summary of faults that reports show."""

from strategy_runtime.simulator.data.faults import DataFault, FaultKind, FaultSummary, summarize


def fault(kind: FaultKind, source: str, line: int) -> DataFault:
    return DataFault(kind, source, line, "S:X", "detail")


def test_one_line_a_kind_and_file_with_the_first_and_the_count() -> None:
    faults = [
        fault(FaultKind.GAP, "b.csv", 3),
        fault(FaultKind.DUPLICATE, "a.csv", 7),
        fault(FaultKind.GAP, "b.csv", 9),
        fault(FaultKind.GAP, "a.csv", 2),
    ]
    assert summarize(faults) == [
        FaultSummary(FaultKind.GAP, "b.csv", 2, str(faults[0])),
        FaultSummary(FaultKind.DUPLICATE, "a.csv", 1, str(faults[1])),
        FaultSummary(FaultKind.GAP, "a.csv", 1, str(faults[3])),
    ]
    assert summarize([]) == []
