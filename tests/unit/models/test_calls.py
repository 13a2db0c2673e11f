from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bastau.errors import ConfigError
from bastau.models.calls import Budget, Calls
from bastau.models.endpoint import CallFailed, Endpoint


@dataclass
class Scripted:
    """An endpoint that takes a second for each call and does what it is told; also the clock."""

    script: list[Exception | dict[str, Any]]
    now: float = 100.0
    waits: list[float] = field(default_factory=list)

    def post(self, path: str, body: Mapping[str, Any], deadline: float, clock: Callable[[], float]) -> dict[str, Any]:
        self.now += 1
        what = self.script.pop(0)
        if isinstance(what, Exception):
            raise what
        return what

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def calls_to(script: list[Exception | dict[str, Any]], **budget: float) -> tuple[Calls, Scripted]:
    server = Scripted(script)
    limits = Budget(**budget)  # type: ignore[arg-type]
    return Calls(cast(Endpoint, server), limits, server.clock, server.sleep), server


def post(calls: Calls, n_bytes: int = 30) -> dict[str, Any]:
    return calls.post("/x", {}, n_bytes=n_bytes, answer_tokens=10)


def busy(wait_s: float | None = None) -> CallFailed:
    return CallFailed("server_error", may_retry=True, retry_after_s=wait_s, status=503)


def test_waits_double_and_heed_the_server() -> None:
    calls, server = calls_to([busy(), busy(), busy(7), {"ok": 1}], tries=4)
    assert post(calls) == {"ok": 1}
    assert server.waits == [0.5, 1.0, 7.0]


def test_what_cannot_get_better_is_not_tried_again() -> None:
    calls, server = calls_to([CallFailed("not_json")])
    with pytest.raises(CallFailed, match="not_json"):
        post(calls)
    assert server.waits == []


def test_a_server_that_failed_too_often_is_left_alone_then_tried_once() -> None:
    calls, server = calls_to([busy(), busy(), busy(), {"ok": 1}, {"ok": 2}], tries=1, failures=2, pause_s=30)
    reasons = []
    for wait_s in (0, 0, 0, 31, 0, 31, 0):
        server.now += wait_s
        try:
            reasons.append(post(calls)["ok"])
        except CallFailed as failure:
            reasons.append(failure.reason)
    assert reasons == ["server_error", "server_error", "circuit_open", "server_error", "circuit_open", 1, 2]


def test_tokens_count_as_the_server_says_or_by_size_whichever_is_more() -> None:
    calls, _ = calls_to([{"usage": {"total_tokens": 500}}, {"usage": {"total_tokens": -9}}, {}])
    post(calls)
    assert calls.n_tokens == 500
    post(calls)
    assert calls.n_tokens == 520  # 30 bytes / 3, and the longest answer
    post(calls, 3000)
    assert calls.n_tokens == 1530


def test_a_call_that_would_break_the_budget_is_not_made() -> None:
    calls, server = calls_to([{}], tokens=25)
    post(calls)
    with pytest.raises(CallFailed, match="budget_tokens"):
        post(calls)
    calls, server = calls_to([{}, {}], seconds=1.5)
    post(calls)
    server.now += 1
    with pytest.raises(CallFailed, match="budget_seconds"):
        post(calls)


def test_a_wait_never_goes_beyond_the_budget() -> None:
    calls, server = calls_to([busy(20)], seconds=10)
    with pytest.raises(CallFailed, match="server_error"):
        post(calls)
    assert server.waits == []


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="requests must lie above 0"):
        Budget(requests=0)
