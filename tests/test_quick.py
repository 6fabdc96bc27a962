"""What `make test` leaves out."""

from __future__ import annotations

from pathlib import Path

from tests.quick import LIST, to_leave_out


def test_long_tests_stay_only_for_lines_that_no_other_reaches():
    seconds = {"short": 0.1, "long, the same": 2.0, "long, more": 3.0, "longer, part of it": 9.0, "long, nothing": 1.0}
    lines = {"short": {1, 2}, "long, the same": {1, 2}, "long, more": {2, 3, 4}, "longer, part of it": {4, 1}}
    assert to_leave_out(seconds, lines) == ["long, nothing", "long, the same", "longer, part of it"]


def test_the_list_names_tests_of_files_that_exist():
    files = {name.partition("::")[0] for name in LIST.read_text().splitlines()}
    assert files
    assert {file for file in files if not (Path(__file__).parents[1] / file).is_file()} == set()
