from dataclasses import replace

import pytest
from review_cases import CHANNEL, OTHER_SHA, desk, opened, refused, subject

from bastau.review.subjects import Owner, canonical_value, case_id, check_subject, is_publisher, is_shared

PRIVATE = Owner("x", "somebody", "account", 120, False, 5000)


class TestWhatCanBeJudged:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("url", "https://site.kz/call"),
            ("url", "https://telegra.ph/Call-11-28"),
            ("host", "news.site.kz"),
            ("domain", "site.com.kz"),
            ("sha256", OTHER_SHA),
            ("md5", "0" * 32),
            ("pdq", "f" * 64),
            ("text_sha256", OTHER_SHA),
        ],
    )
    def test_content_and_places(self, kind: str, value: str) -> None:
        check_subject(subject(kind, value))

    @pytest.mark.parametrize("kind", ["person", "account", "name", "email", "phone", "user", ""])
    def test_never_a_person(self, kind: str) -> None:
        with refused("kind"):
            check_subject(subject(kind, "aigul"))

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("url", "http://www.site.kz/call"),
            ("url", "https://site.kz/call?utm_source=x"),
            ("url", "mailto:aigul@site.kz"),
            ("url", "https://site.kz"),
            ("domain", "news.site.kz"),
            ("host", "Site.kz"),
            ("sha256", "A" * 64),
            ("md5", "0" * 31),
        ],
    )
    def test_values_have_one_spelling(self, kind: str, value: str) -> None:
        with refused("value"):
            check_subject(subject(kind, value))

    @pytest.mark.parametrize("tags", [("somebody",), ("kk\n",), ("kk", "=1+1"), ("ru", "kk")])
    def test_languages_are_tags(self, tags: tuple[str, ...]) -> None:
        with refused("wording"):
            check_subject(subject(languages=tags))

    def test_an_id_for_each_subject(self) -> None:
        ids = {case_id(subject()), case_id(subject(value="https://site.kz/other")), case_id(subject("host", "site.kz"))}
        assert len(ids) == 3
        assert case_id(subject()) == case_id(subject(languages=("ru",)))


class TestSharedHosts:
    @pytest.mark.parametrize(
        "host",
        [
            "blogspot.com",
            "wordpress.com",
            "t.me",
            "youtube.com",
            "github.io",
            "x.com",
            "vk.com",
            "com.kz",
            "kz",
            "1.2.3.4",
        ],
    )
    @pytest.mark.parametrize("kind", ["host", "domain"])
    def test_whole_ones_are_refused(self, host: str, kind: str) -> None:
        made = subject(kind, host)
        code = "shared_host" if canonical_value(kind, host) == host else "value"
        with refused(code):
            check_subject(made)

    def test_a_site_of_its_own_on_one_is_not_shared(self) -> None:
        assert not is_shared("calls.blogspot.com")
        site = Owner("web", "calls.blogspot.com", "website", None, False, 5000)
        check_subject(subject("host", "calls.blogspot.com", owner=site))


class TestMembersOnly:
    @pytest.mark.parametrize(
        "url",
        [
            "https://t.me/+AbCdEf123",
            "https://t.me/joinchat/AAAA",
            "https://t.me/c/123456/7",
            "https://chat.whatsapp.com/AbC",
            "https://discord.gg/abc",
            "https://discord.com/invite/abc",
            "https://discord.com/Invite/abc",
            "https://vk.com/im",
            "https://vk.com/im/convo/1",
        ],
    )
    def test_addresses_behind_an_invitation_are_refused(self, url: str) -> None:
        with refused("not_public"):
            check_subject(subject(value=url, owner=CHANNEL))

    @pytest.mark.parametrize(
        "url", ["https://vk.com/imamnews", "https://t.me/joinchatter/1", "https://x.com/messages_kz/status/1"]
    )
    def test_an_account_whose_name_begins_alike_is_open(self, url: str) -> None:
        check_subject(subject(value=url, owner=CHANNEL))

    def test_what_took_an_account_to_reach_is_refused(self) -> None:
        with refused("not_public"):
            check_subject(subject(is_public=False))


class TestPersons:
    @pytest.mark.parametrize(
        "url",
        [
            "https://x.com/somebody",
            "https://x.com/somebody/status/1",
            "https://t.me/somebody/12",
            "https://vk.com/wall1_2",
            "https://somebody.livejournal.com/12.html",
            "https://somebody.blogspot.com/2026/11/a.html",
            "https://social.example/@somebody/1",
            "https://site.kz/author/somebody",
            "https://site.kz/users/somebody",
            "https://forum.kz/~somebody/a.html",
            "https://forum.kz/member.php?u=12",
            "https://forum.kz/memberlist.php?mode=viewprofile&u=12",
            "https://forum.kz/index.php?action=profile;u=12",
            "https://forum.kz/index.php?/profile/12-somebody",
            "https://blog.kz?author=2",
            "https://forum.kz/board#!/users/somebody",
            "https://kk.wikipedia.org/wiki/Қатысушы:Somebody",
            "https://web.archive.org/web/2026/https://x.com/somebody",
            "https://web.archive.org/web/2026/x.com/somebody",
            "https://archive.ph/https://somebody.livejournal.com/12.html",
            "https://reader.kz/read?url=https%3A%2F%2Ft.me%2Fsomebody%2F12",
        ],
    )
    def test_an_address_that_names_an_account_needs_a_publisher(self, url: str) -> None:
        url = canonical_value("url", url)
        with refused("private_account"):
            check_subject(subject(value=url))
        with refused("private_account"):
            check_subject(subject(value=url, owner=PRIVATE))
        check_subject(subject(value=url, owner=CHANNEL))

    @pytest.mark.parametrize(
        "url",
        [
            "https://web.archive.org/web/2026/https://site.kz/call",
            "https://kk.wikipedia.org/wiki/Алматы",
            "https://site.kz/index.html",
            "https://site.kz/news/usersguide?id=2",
        ],
    )
    def test_an_address_that_names_nobody_needs_none(self, url: str) -> None:
        check_subject(subject(value=canonical_value("url", url)))

    def test_a_pseudonym_in_an_address_is_a_person(self) -> None:
        with refused("person"):
            check_subject(subject(value="https://site.kz/p~abcdefghij234567/1"))

    def test_by_the_homes_rule(self) -> None:
        assert is_publisher(replace(PRIVATE, audience=5000))
        assert is_publisher(replace(PRIVATE, is_named=True))
        assert is_publisher(replace(PRIVATE, source_kind="page"))
        assert not is_publisher(replace(PRIVATE, audience=None))

    def test_a_home_where_everybody_is_a_publisher_lists_nobody_for_that(self) -> None:
        assert not is_publisher(replace(PRIVATE, min_audience=0))

    def test_a_text_of_theirs_can_be_judged_by_its_hash(self) -> None:
        assert desk(subject("text_sha256", OTHER_SHA)).here.subject.kind == "text_sha256"

    def test_no_case_is_opened_for_them(self) -> None:
        at = desk()
        with refused("private_account"):
            at.do(opened(subject(value="https://x.com/somebody", owner=PRIVATE)))
        with refused("private_account"):
            at.do(opened(subject(value="https://x.com/somebody")))
        with refused("shared_host"):
            at.do(opened(subject("host", "t.me")))
