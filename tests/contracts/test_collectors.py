"""What holds for every collector of a live place, ours and those of plug-in authors."""

import asyncio
import inspect
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau import plugins
from bastau.collect.visits import Answer, Collector, FetchFailed, Request, Trouble

NAMES = plugins.names("collectors")
NOW = datetime(2026, 11, 28, tzinfo=UTC)
ADDRESSES = (
    "https://t.me/tau_gazeti", "@tau_gazeti", "tau_gazeti.t.me", "tau@lake.example", "https://lake.example/@tau", "https://lake.example/tags/kol",
    "https://lake.example/public/local", "tau.bsky.social", "@tau.example", "https://bsky.app/profile/tau.example", "https://bsky.app/search?q=a b&x=1",
    "https://bsky.app/hashtag/kol", "vk.com/tau", "https://vk.com/wall-7_1", "https://www.youtube.com/@Tau", "youtube.com/channel/UC" + "a" * 22,
    "r/kol", "https://old.reddit.com/r/Kol/new", "https://tau.example/feed.xml", "tau.example", "https://tau.example/2026/11/news",
)  # fmt: skip


def collector(name: str) -> Collector:
    found: Collector = plugins.load("collectors", name)
    return found


class Nowhere:
    """A network on which every host is unknown."""

    async def fetch(self, request: Request) -> Answer:
        raise FetchFailed(Trouble.DNS, request.url)

    async def allows(self, url: str) -> bool:
        raise FetchFailed(Trouble.DNS, url)

    async def nameservers(self, host: str) -> tuple[str, ...]:
        return ()

    def messages(self, request: Request) -> Any:
        raise FetchFailed(Trouble.DNS, request.url)


@pytest.mark.parametrize("name", NAMES)
class TestCollectors:
    def test_go_by_the_name_of_their_entry_point(self, name: str) -> None:
        assert collector(name).name == name

    def test_have_a_card_that_says_what_they_read_whose_terms_and_when_they_were_read(self, name: str) -> None:
        card = collector(name).card
        assert min(len(card.about), len(card.terms), len(card.limits)) > 10
        assert date.fromisoformat(card.checked_on) >= date(2026, 1, 1)
        assert 0 <= card.posts_a_visit[0] < card.posts_a_visit[1]
        assert all(key == key.upper() for key in card.needs)

    def test_name_the_options_that_they_read_on_their_card(self, name: str) -> None:
        module = inspect.getmodule(type(collector(name)))
        assert module is not None
        read = set(re.findall(r"options\.get\([\"'](\w+)", inspect.getsource(module)))
        assert read <= set(collector(name).card.options)

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_recognise_an_address_in_its_one_form_as_itself(self, name: str, address: str) -> None:
        known = collector(name).recognises(address)
        assert known is None or collector(name).recognises(known) == known

    @settings(max_examples=50)
    @given(address=st.text(max_size=60))
    def test_recognise_anything_without_failing(self, name: str, address: str) -> None:
        known = collector(name).recognises(address)
        assert known is None or collector(name).recognises(known) == known

    @pytest.mark.parametrize("address", ["", "not an address", "https://", "http://[::1", "@", "mailto:a@tau.example"])
    def test_find_nothing_in_what_is_no_address(self, name: str, address: str) -> None:
        try:
            found = asyncio.run(collector(name).find(address, Nowhere(), NOW))
        except FetchFailed:
            return
        assert list(found) == []


def test_no_address_of_a_social_place_is_claimed_by_two() -> None:
    social = [
        n
        for n in NAMES
        if n not in ("feed", "sitemap", "site", "site-crawl", "crawl", "news-sitemap", "pages", "websub")
    ]
    for address in ADDRESSES:
        assert len([n for n in social if collector(n).recognises(address)]) <= 1, address
