"""The spool keeps every record until it is delivered, whichever process dies."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.tracking.spool import Spool


def test_records_come_back_in_order_until_they_are_delivered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for number in range(5):
        spool.append({"number": number})
    assert [record["number"] for record in spool.waiting(3)] == [0, 1, 2]
    assert [record["number"] for record in spool.waiting(3)] == [0, 1, 2]
    spool.delivered(3)
    assert [record["number"] for record in spool.waiting(3)] == [3, 4]
    assert len(spool) == 2


def test_an_undelivered_spool_is_found_by_the_next_driver(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool")
    first.append({"number": 1})
    first.append({"number": 2})
    first.delivered(1)
    second = Spool(tmp_path / "spool")  # the first one was killed: never closed
    assert second.waiting(10) == [{"number": 2}]


def test_half_a_line_of_a_killed_driver_is_dropped(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").append({"number": 1})
    with (tmp_path / "spool" / "records.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "tex')
    spool = Spool(tmp_path / "spool")
    spool.append({"number": 3})
    assert [record["number"] for record in spool.waiting(10)] == [1, 3]


def test_nothing_is_left_behind_once_all_is_delivered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append({})
    spool.delivered(1)
    spool.close()
    assert not (tmp_path / "spool").exists()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.just("append"), st.just("reopen"), st.integers(1, 4)), max_size=25))
def test_no_record_is_lost_or_repeated_by_any_history(
    tmp_path_factory: pytest.TempPathFactory, history: list[str | int]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool, appended, delivered = Spool(folder), 0, []
    for event in history:
        if event == "append":
            spool.append({"number": appended})
            appended += 1
        elif event == "reopen":
            spool = Spool(folder)
        else:
            records = spool.waiting(int(event))
            delivered += [record["number"] for record in records]
            spool.delivered(len(records))
    delivered += [record["number"] for record in spool.waiting(appended)]
    assert delivered == list(range(appended))
