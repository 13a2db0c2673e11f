"""What collectors share: times and counts of any value, and streams that break one by one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from bastau.collect.collectors import answers
from bastau.collect.collectors.answers import as_time, count, merge
from bastau.collect.visits import FetchFailed, Trouble


@pytest.mark.parametrize(
    "value",
    [1e300, 10**400, float("nan"), float("inf"), -1e300, "0001-01-01T00:00:00+14:00", "soon", "", None, True, [], {}],
)
def test_nonsense_is_no_time(value: Any) -> None:
    assert as_time(value) is None


def test_times() -> None:
    assert as_time(0) == as_time("1970-01-01T00:00:00") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many", None, -1, [], {}])
def test_nonsense_is_no_count(value: Any) -> None:
    assert count(value) is None


def test_a_stream_that_breaks_is_begun_again_while_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(answers, "MOST_WAIT_S", 0.002)
    begun = []
    mended = asyncio.Event()

    async def breaks() -> AsyncIterator[str]:
        begun.append("breaks")
        if len(begun) < 3:
            raise FetchFailed(Trouble.SERVER, "a.example")
        yield "a"
        mended.set()
        await asyncio.Event().wait()

    async def goes_on() -> AsyncIterator[str]:
        yield "b1"
        await mended.wait()
        yield "b2"
        await asyncio.Event().wait()

    async def hear() -> list[str]:
        heard: list[str] = []
        stream = merge([breaks, goes_on])
        async for item in stream:
            heard.append(item)
            if item == "b2":
                break
        await stream.aclose()  # type: ignore[attr-defined]
        return heard

    assert asyncio.run(asyncio.wait_for(hear(), 5)) == ["b1", "a", "b2"]
    assert len(begun) == 3


@pytest.mark.parametrize("n", [1, 3])
def test_when_all_have_failed_the_caller_is_told(n: int) -> None:
    async def breaks(number: int) -> AsyncIterator[int]:
        yield number
        raise FetchFailed(Trouble.SERVER, "a.example")

    async def hear() -> list[int]:
        return [item async for item in merge([partial(breaks, number) for number in range(n)])]

    with pytest.raises(FetchFailed) as raised:
        asyncio.run(asyncio.wait_for(hear(), 5))
    assert raised.value.kind is Trouble.SERVER


def test_streams_that_all_end_in_good_order_end() -> None:
    async def ends(number: int) -> AsyncIterator[int]:
        yield number

    async def hear() -> list[int]:
        return [item async for item in merge([partial(ends, number) for number in range(3)])]

    assert sorted(asyncio.run(asyncio.wait_for(hear(), 5))) == [0, 1, 2]
    assert asyncio.run(_of_none()) == []


async def _of_none() -> list[int]:
    return [item async for item in merge([])]
