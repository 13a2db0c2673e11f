"""Names to addresses; the name server is a function."""

import asyncio
from typing import Any

import dns.asyncresolver
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from bastau.collect.visits import FetchFailed, FetchRefused, Trouble
from bastau.collect.web import names as module
from bastau.collect.web.guard import place_of
from bastau.collect.web.names import Names, ask_nameservers

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


class NameServer(asyncio.DatagramProtocol):
    """A real name server for two domains."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked)
        name = asked.question[0].name
        if name == dns.name.from_text("site.kz"):
            hosts = [f"NS{n}.Host.kz." for n in (2, 1)]
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "NS", *hosts))
        elif name == dns.name.from_text("large.kz"):
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "NS", *(f"n{i}.kz." for i in range(60))))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(max_size=65535), addr)


def test_name_servers_are_told_in_one_form_and_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_NAMESERVERS_S", 1.0)

    async def ask() -> list[tuple[str, ...]]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = transport.get_extra_info("sockname")[1]
        found = [await ask_nameservers(domain, resolver) for domain in ("site.kz", "large.kz", "none.kz", "b\udcffd")]
        transport.close()
        found.append(await ask_nameservers("site.kz", resolver))
        return found

    site, large, none, odd, unanswered = asyncio.run(ask())
    assert site == ("ns1.host.kz", "ns2.host.kz")
    assert len(large) == module.MAX_NAMESERVERS
    assert none == odd == unanswered == ()
