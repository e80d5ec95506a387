"""From paths to files: what a path may be, and the errors of one that leads nowhere."""

from pathlib import Path

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.files import files_of


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        files_of([path])
    return str(caught.value)


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").touch()
    link = tmp_path / "link.csv"
    link.symlink_to("prices.csv")
    assert files_of([link]) == [(link, str(link))]
    assert [path for path, _ in files_of([tmp_path])] == [link, tmp_path / "prices.csv"]


def test_a_link_that_leads_nowhere_is_told_from_a_file_that_is_not_there(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to("gone.csv")
    said = f"{link} is a link to gone.csv, which does not exist"
    assert refusal(link) == said
    assert refusal(tmp_path) == said
    assert refusal(tmp_path / "lnk.csv") == (
        f"{tmp_path / 'lnk.csv'} does not exist; did you mean 'link.csv'?"
    )
