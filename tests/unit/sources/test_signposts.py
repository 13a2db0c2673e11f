"""What the members of a group openly point to."""

from typing import Any

import ibis
import pytest
from sources_world import post, world

from bastau.collect import handles
from bastau.sources.signposts import MIN_POSTS, _platforms, add_signposts

DAY = 86_400
CONTACT = "https://t.me/send_us_bot"


def pointing(source: str, address: str, n: int = MIN_POSTS, days: int = 10) -> list[dict[str, Any]]:
    return [post(f"{source}-{address}-{i}", i % days * DAY + i, source, urls=[address]) for i in range(n)]


def judged(con: ibis.BaseBackend, rows: list[dict[str, Any]], *sources: str, others: int = 0) -> dict[str, Any]:
    tables = world(con, rows)
    group: dict[str, Any] = {"sources": list(sources), "n_other_accounts": others}
    add_signposts([group], tables.posts, tables.readings)
    return group


def test_members_with_one_contact_in_their_posts_are_openly_one_house(con: ibis.BaseBackend) -> None:
    group = judged(con, pointing("A", CONTACT) + pointing("B", CONTACT), "A", "B")
    assert group["signposts"] == [{"address": CONTACT, "sources": ["A", "B"]}]
    assert group["is_one_house"]


def test_a_member_that_points_to_another_is_of_its_house(con: ibis.BaseBackend) -> None:
    group = judged(con, [*pointing("A", "https://t.me/B"), post("b", 0, "B")], "A", "B")
    assert (group["signposts"][0]["sources"], group["is_one_house"]) == (["A", "B"], True)


def test_the_house_is_one_only_when_all_members_hang_together(con: ibis.BaseBackend) -> None:
    rows = [*pointing("A", CONTACT), *pointing("B", CONTACT), post("c", 0, "C")]
    assert judged(con, rows, "A", "B")["is_one_house"]
    group = judged(con, rows, "A", "B", "C")
    assert (len(group["signposts"]), group["is_one_house"]) == (1, False)


def test_a_group_with_private_accounts_is_no_declared_house(con: ibis.BaseBackend) -> None:
    assert not judged(con, pointing("A", CONTACT) + pointing("B", CONTACT), "A", "B", others=1)["is_one_house"]


def test_whom_everybody_points_to_is_no_signpost(con: ibis.BaseBackend) -> None:
    rows = [row for source in "ABCD" for row in pointing(source, CONTACT)]
    assert judged(con, rows, "A", "B")["signposts"] == []


@pytest.mark.parametrize(
    ("address", "n", "days"),
    [
        (CONTACT, MIN_POSTS - 1, 10),
        (CONTACT, MIN_POSTS, 4),
        ("https://t.me/channel/17", MIN_POSTS, 10),
        ("https://news.example/about", MIN_POSTS, 10),
        ("https://t.me/p~aaaaaaaaaaaaaaaa", MIN_POSTS, 10),  # a private person's page, as it is stored
        ("https://t.me/+Zx81kkAbCdE", MIN_POSTS, 10),  # an invitation to a closed group
        ("https://vk.com/wall-1_2", MIN_POSTS, 10),
    ],
    ids=["seldom", "few days", "a post", "a page", "private", "invitation", "wall"],
)
def test_what_is_no_habit_or_no_channel_is_no_signpost(con: ibis.BaseBackend, address: str, n: int, days: int) -> None:
    rows = pointing("A", address, n, days) + pointing("B", address, n, days)
    assert judged(con, rows, "A", "B")["signposts"] == []


def test_a_page_of_the_same_name_elsewhere_is_no_member(con: ibis.BaseBackend) -> None:
    group = judged(con, [*pointing("A", "https://x.com/B"), post("b", 0, "B")], "A", "B")
    assert (group["signposts"], group["is_one_house"]) == ([], False)


def test_as_many_outside_as_point_to_it_inside_make_it_no_signpost(con: ibis.BaseBackend) -> None:
    rows = [*pointing("A", "https://t.me/B"), post("b", 0, "B"), *pointing("C", "https://t.me/B")]
    assert judged(con, rows, "A", "B")["signposts"] == []


def test_only_pages_that_come_in_pseudonymised_can_be_signposts() -> None:
    def replace(_platform: str, handle: str) -> str:
        return f"masked-{len(handle)}"

    for host in _platforms():
        addresses = [f"https://{host}/some_person", f"https://{host}/@some_person"]
        assert any("masked" in handles.scrub(address, "web", replace) for address in addresses), host
