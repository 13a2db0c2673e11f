"""Names to addresses; the name server is a function."""

import asyncio

import pytest

from bastau.collect.visits import FetchFailed, FetchRefused, Trouble
from bastau.collect.web import names as module
from bastau.collect.web.guard import place_of
from bastau.collect.web.names import Names

A = place_of("http://a.kz/")


class Server:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: list[str] | None = ["1.1.1.1", "2606:4700::1111"]

    def __call__(self, host: str, _: int) -> list[str]:
        self.asked.append(host)
        if self.answer is None:
            raise OSError(host)
        return self.answer


def test_many_who_ask_at_once_are_one_question() -> None:
    async def main() -> None:
        server = Server()
        names = Names(server, allow_private=False)
        found = await asyncio.gather(*(names.addresses(A) for _ in range(20)))
        assert set(found) == {("1.1.1.1", "2606:4700::1111")}
        assert server.asked == ["a.kz"]
        names.close()

    asyncio.run(main())


def test_a_name_that_is_none_is_not_asked_for_again_soon() -> None:
    async def main() -> None:
        server = Server()
        server.answer = None
        names = Names(server, allow_private=False)
        for _ in range(3):
            with pytest.raises(FetchFailed) as failure:
                await names.addresses(A)
            assert failure.value.kind is Trouble.DNS
        assert server.asked == ["a.kz"]
        names.close()

    asyncio.run(main())


def test_when_the_name_server_is_away_yesterdays_answer_holds_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        clock = [0.0]
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
        server = Server()
        names = Names(server, allow_private=False)
        before = await names.addresses(A)
        server.answer = None
        for hours in (1, 12, 23):
            clock[0] = hours * 3600.0
            assert await names.addresses(A) == before
        clock[0] = 25 * 3600.0
        with pytest.raises(FetchFailed):
            await names.addresses(A)
        names.close()

    asyncio.run(main())


@pytest.mark.parametrize("inside", [["10.0.0.1"], ["1.1.1.1", "::1"], ["::ffff:127.0.0.1"]])
def test_one_private_address_among_them_is_too_many(inside: list[str]) -> None:
    async def main() -> None:
        server = Server()
        server.answer = inside
        names = Names(server, allow_private=False)
        with pytest.raises(FetchRefused):
            await names.addresses(A)
        allowed = Names(server, allow_private=True)
        assert await allowed.addresses(A) == tuple(inside)
        names.close()
        allowed.close()

    asyncio.run(main())


def test_memory_is_bounded() -> None:
    async def main() -> None:
        names = Names(Server(), allow_private=False, max_names=10)
        for i in range(50):
            await names.addresses(place_of(f"http://s{i}.kz/"))
        assert len(names._known) == 10
        names.close()

    asyncio.run(main())
