"""Preview pages of public channels."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playback import DATA, NOW, Place, PlaybackWeb, playing, said

from bastau.collect.collectors.telegram import TELEGRAM, read_page, rounded
from bastau.collect.formats.telegram import plain_text
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.errors import SourceChanged

PAGE = (DATA / "telegram-page.html").read_text("utf-8")
ADDRESS = "https://t.me/tau_gazeti"


@pytest.fixture
def place() -> Iterator[Place]:
    with playing() as place:
        place["t.me/s/tau_gazeti"] = PAGE
        yield place


def message(number: int, text: str = "сөз", channel: str = "tau_gazeti") -> str:
    minute = f"{number // 60 % 24:02}:{number % 60:02}"
    return (
        f'<div class="tgme_widget_message js-widget_message" data-post="{channel}/{number}">'
        f'<div class="tgme_widget_message_text js-message_text">{text} {number}</div><span class="tgme_widget_message_meta">'
        f'<a class="tgme_widget_message_date"><time datetime="2024-05-02T{minute}:00+00:00"></time></a></span></div>'
    )


def page(first: int, last: int, leave_out: tuple[int, ...] = ()) -> str:
    more = f'<a class="tme_messages_more" data-before="{first}"></a>' if first > 1 else ""
    inner = "".join(message(n) for n in range(first, last + 1) if n not in leave_out)
    return f'<div class="tgme_channel_info_header_title">Tau</div>{more}{inner}'


def visit(place: Place, state: dict[str, Any] | None = None, **options: Any) -> Visit:
    watched = Watched(1, "telegram", ADDRESS, state or {}, options)
    return asyncio.run(TELEGRAM.visit(watched, PlaybackWeb(place), NOW))


def numbers(visit: Visit) -> list[int]:
    return [int(row["post_id"].rsplit("/")[-1]) for row in visit.rows]


def test_the_recorded_page_gives_every_post_and_no_event() -> None:
    rows = {row["post_id"]: row for row in read_page(PAGE).rows}
    assert list(rows) == [f"telegram:tau_gazeti/{n}" for n in (101, 102, 105, 106, 109)]
    first = rows["telegram:tau_gazeti/101"]
    assert first["published_at"] == "2024-05-01T10:00:00+00:00"
    assert (first["views"], first["likes"]) == (12_500, 1234)
    assert first["links"][0] == "https://tau.example/kol"
    assert first["links"][-1] == "https://tau.example/kol2", "the preview of a link is a link"
    assert first["text"].startswith("Көлдің суы көтерілді 🌊\nтолығырақ: сайтта, #kol @zhasyryn_qz7")
    assert "Қол Қойған" not in str(rows), "the signature of a post is a person's name"


def test_albums_forwards_replies_polls_and_films() -> None:
    rows = {row["post_id"].rsplit("/")[-1]: row for row in read_page(PAGE).rows}
    assert [m["url"].rsplit("/")[-1] for m in rows["102"]["media"]] == ["one.jpg", "two.jpg"]
    assert (rows["105"]["forwarded_from"], rows["105"]["repost_of"]) == ("dala_news", "telegram:dala_news/55")
    assert (rows["106"]["forwarded_from"], rows["106"]["repost_of"]) == ("Жасырын Адам", None)
    assert rows["106"]["reply_to"] == "telegram:tau_gazeti/101"
    assert rows["106"]["text"] == "Көл тасиды ма?\n- Иә\n- Жоқ"
    assert rows["109"]["media"] == [{"url": "https://cdn4.telesco.pe/file/v.mp4?token=t"}]


def test_words_are_those_that_the_export_of_telegram_desktop_has() -> None:
    exported = ["Көлдің суы ", {"type": "bold", "text": "көтерілді"}, " 🌊\nтолығырақ: ", {"type": "text_link", "text": "сайтта", "href": "https://tau.example/kol"},
                ", ", {"type": "hashtag", "text": "#kol"}, " ", {"type": "mention", "text": "@zhasyryn_qz7"}, " ",
                {"type": "text_link", "text": "бір адам", "href": "https://t.me/zhasyryn_qz7"}]  # fmt: skip
    assert read_page(PAGE).rows[0]["text"] == plain_text(exported)


def test_the_recorded_page_says_what_changed_what_lacks_and_what_is_unknown(place: Place) -> None:
    seen = visit(place)
    assert seen.rows[0]["audience"] == 12_500
    assert [(c.post_id, c.kind) for c in seen.changes] == [("telegram:tau_gazeti/102", "edited")]
    assert [gap.reason for gap in seen.gaps] == ["missing_numbers"], "107 and 108; 103 is the album's, 104 an event"
    assert "unmapped part hologram" in seen.notes
    again = visit(place, dict(seen.state))
    assert not again.changes
    assert not again.gaps


def test_pages_are_turned_back_to_the_last_post_seen(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = page(81, 100)
    first = visit(place)
    assert numbers(first) == list(range(81, 101))
    for last in (121, 141):
        place[f"t.me/s/tau_gazeti?before={last}"] = page(last - 20, last - 1)
    place["t.me/s/tau_gazeti"] = page(141, 160)
    second = visit(place, dict(first.state))
    assert set(numbers(second)) == set(range(101, 161)), "none lost between the visits"
    assert second.n_requests == 3
    assert not second.more


def test_a_long_absence_is_caught_up_over_several_visits(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = page(981, 1000)
    for before in range(21, 982, 20):
        place[f"t.me/s/tau_gazeti?before={before}"] = page(before - 20, before - 1)
    state, got = {"last": 0}, set()
    for _ in range(5):
        seen = visit(place, state)
        got |= set(numbers(seen))
        state = dict(seen.state)
        if not seen.more:
            break
    assert got == set(range(1, 1001))


def test_back_fill_goes_down_to_a_date(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = page(100, 119)
    place["t.me/s/tau_gazeti?before=100"] = page(80, 99)
    place["t.me/s/tau_gazeti?before=80"] = page(60, 79)
    seen = visit(place, None, back_to="2024-05-02T01:25:00Z")
    assert min(numbers(seen)) == 80


def test_a_post_that_goes_away_is_told_only_when_telegram_says_so(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = page(1, 10)
    state = dict(visit(place).state)
    place["t.me/s/tau_gazeti"] = page(1, 10, leave_out=(4, 7))
    place["t.me/tau_gazeti/7?embed=1&mode=tme"] = '<div class="tgme_widget_message_error">Post not found</div>'
    place["t.me/tau_gazeti/4?embed=1&mode=tme"] = message(4)
    gone = visit(place, state)
    assert [(c.post_id, c.kind) for c in gone.changes] == [("telegram:tau_gazeti/7", "deleted")]
    place["t.me/s/tau_gazeti"] = page(1, 10)
    back = visit(place, dict(gone.state))
    assert [(c.post_id, c.kind) for c in back.changes] == [("telegram:tau_gazeti/7", "back")]


def test_a_channel_without_preview_is_said_to_have_none(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = said(b"", 302, Location="https://t.me/tau_gazeti")
    place["t.me/tau_gazeti"] = (
        '<div class="tgme_page_title">Tau</div><div class="tgme_page_extra">7 310 subscribers</div>'
    )
    with pytest.raises(FetchFailed, match="no preview page; use telegram-account") as raised:
        visit(place)
    assert raised.value.kind is Trouble.FORBIDDEN
    (found,) = asyncio.run(TELEGRAM.find("t.me/tau_gazeti", PlaybackWeb(place), NOW))
    assert (found.collector, found.audience) == ("telegram-account", 7310)
    assert "no preview page" in found.warnings[0]


def test_groups_and_persons_are_not_offered_under_their_names(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = said(b"", 302, Location="https://t.me/tau_gazeti")
    for extra, word in (("310 members, 5 online", "group"), ("@tau_gazeti", "person")):
        place["t.me/tau_gazeti"] = f'<div class="tgme_page_title">Аты</div><div class="tgme_page_extra">{extra}</div>'
        with pytest.raises(FetchFailed, match=word) as refused:
            asyncio.run(TELEGRAM.find("@tau_gazeti", PlaybackWeb(place), NOW))
        assert "tau_gazeti" not in str(refused.value)


def test_found_tells_title_audience_rate_and_first_posts(place: Place) -> None:
    (found,) = asyncio.run(TELEGRAM.find("https://t.me/s/Tau_gazeti", PlaybackWeb(place), NOW))
    assert (found.address, found.source, found.title, found.audience) == (ADDRESS, "tau_gazeti", "Tau gazeti", 12_500)
    assert len(found.first) == 5
    assert found.posts_a_day == pytest.approx(4 / (30 / 1440), rel=0.01)


def test_a_page_of_another_form_is_loud(place: Place) -> None:
    place["t.me/s/tau_gazeti"] = "<html><body>hello</body></html>"
    with pytest.raises(SourceChanged):
        visit(place)


@pytest.mark.parametrize(
    "address",
    ["t.me/Tau_gazeti", "@tau_gazeti", "https://t.me/s/tau_gazeti?before=3", "https://t.me/tau_gazeti/55?single", "tau_gazeti.t.me",
     "telegram.me/tau_gazeti", "tg://resolve?domain=tau_gazeti"],
)  # fmt: skip
def test_usual_forms_are_one_address(address: str) -> None:
    assert TELEGRAM.recognises(address) == ADDRESS


@pytest.mark.parametrize(
    "address", ["t.me/+abcdef", "t.me/c/12/3", "t.me/joinchat/AAAA", "x.com/tau", "t.me/addstickers/foo", "tau.example"]
)
def test_invitations_and_other_places_are_not_recognised(address: str) -> None:
    assert TELEGRAM.recognises(address) is None


def test_rounded_counts() -> None:
    texts = ["12.5K", "1.1M", "980", "7 310 subscribers", "1,234", "1,5K", "", None, "views"]
    assert [rounded(t) for t in texts] == [12_500, 1_100_000, 980, 7310, 1234, 1500, None, None, None]
    assert re.search("by hand", PAGE)
