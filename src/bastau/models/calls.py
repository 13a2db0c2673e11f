"""Calls of a model server under a budget: tried again where that helps, given up where it does not."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bastau.errors import ConfigError
from bastau.models.endpoint import CallFailed, Endpoint

_BYTES_PER_TOKEN = 3
"""For budgets only, where a server counts no tokens; Cyrillic texts have about 3 bytes a token, English ones 4."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True)
class Budget:
    """What one run may use.

    Args:
        requests: tries included.
        tokens: of questions and answers, as the server counts them or by their size, whichever is more.
        seconds: from the first call; calls under way are broken off.
        parallel: calls at the same time.
        tries: of one call.
        failures: calls that fail in a row until the server is left alone.
        pause_s: how long it is left alone; then one call tries.
    """

    requests: int = 1000
    tokens: int = 1_000_000
    seconds: float = 600.0
    parallel: int = 2
    tries: int = 3
    failures: int = 5
    pause_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value <= 1e9:
                raise ConfigError(f"{name} must lie above 0, got {value}")


@dataclass
class Calls:
    """Calls of one server in one run; safe to use from several threads.

    Args:
        endpoint: the server.
        budget: what all calls together may use.
        clock: seconds that never run back.
        sleep: waits so many seconds.
    """

    endpoint: Endpoint
    budget: Budget = field(default_factory=Budget)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._started: float | None = None
        self.n_requests = 0
        self.n_tokens = 0
        self._n_failures = 0
        self._open_until = 0.0

    def post(self, path: str, body: Mapping[str, Any], *, n_bytes: int, answer_tokens: int) -> dict[str, Any]:
        """Return the server's answer.

        Args:
            path: below the endpoint's address.
            body: sent as JSON.
            n_bytes: size of the question, for the budget.
            answer_tokens: the most that the answer may have.

        Raises:
            CallFailed: the server gave none, or the budget is used up (``budget_requests``, ``budget_tokens``,
                ``budget_seconds``), or the server failed too often (``circuit_open``).
        """
        for attempt in range(1, self.budget.tries + 1):
            reserved = n_bytes // _BYTES_PER_TOKEN + answer_tokens
            deadline = self._reserve(reserved)
            try:
                answer = self.endpoint.post(path, body, deadline, self.clock)
            except CallFailed as failure:
                self._settle(reserved, n_bytes // _BYTES_PER_TOKEN, failure)
                if not failure.may_retry or attempt == self.budget.tries:
                    raise
                self._wait(attempt, failure, deadline)
            else:
                self._settle(reserved, max(n_bytes // _BYTES_PER_TOKEN, _usage(answer) or reserved), None)
                return answer
        raise AssertionError("every try returned or raised")

    def _reserve(self, n_tokens: int) -> float:
        """Take a request out of the budget and return the time at which the run ends."""
        with self._lock:
            now = self.clock()
            if self._started is None:
                self._started = now
            end = self._started + self.budget.seconds
            if now >= end:
                raise CallFailed("budget_seconds")
            if self.n_requests >= self.budget.requests:
                raise CallFailed("budget_requests")
            if self.n_tokens + n_tokens > self.budget.tokens:
                raise CallFailed("budget_tokens")
            if self._n_failures >= self.budget.failures:
                if now < self._open_until:
                    raise CallFailed("circuit_open")
                self._open_until = now + self.budget.pause_s  # this call tries; others wait for what it finds
            self.n_requests += 1
            self.n_tokens += n_tokens
            return end

    def _settle(self, reserved: int, used: int, failure: CallFailed | None) -> None:
        with self._lock:
            self.n_tokens += used - reserved
            if failure is None or failure.status in (400, 404, 422):
                self._n_failures = 0  # it lives, whatever it thinks of the question
                return
            self._n_failures += 1
            if self._n_failures >= self.budget.failures:
                self._open_until = self.clock() + self.budget.pause_s

    def _wait(self, attempt: int, failure: CallFailed, end: float) -> None:
        wait_s = min(_FIRST_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S)
        if failure.retry_after_s is not None:
            wait_s = max(wait_s, failure.retry_after_s)
        if self.clock() + wait_s >= end or wait_s > self.budget.pause_s:
            raise failure
        self.sleep(wait_s)


def _usage(answer: dict[str, Any]) -> int:
    """Return the tokens a server says were used; 0 when it says nothing sensible."""
    usage = answer.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and 0 <= total <= 10**9 else 0
