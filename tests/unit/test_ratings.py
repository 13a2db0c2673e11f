"""What lists say of websites: whole websites, by name and date, and nothing of anybody else."""

from datetime import date
from pathlib import Path

import pytest

from bastau.ratings import Rating, ratings_of

HEAD = "domain,rating,list,date,address\n"


@pytest.fixture
def listed(tmp_path: Path):
    def write(lines: str, name: str = "a.csv", head: str = HEAD) -> Path:
        (tmp_path / "ratings").mkdir(exist_ok=True)
        (tmp_path / "ratings" / name).write_text(head + lines, "utf-8")
        return tmp_path

    return write


def test_who_says_what_and_when(listed):
    home = listed("News.example,mixed,Index,2026-01-02,https://index.example/n\nother.example,bad,Index,2026-01-02,\n")
    expected = Rating("news.example", "mixed", "Index", date(2026, 1, 2), "https://index.example/n")
    assert ratings_of(home, "news.example") == ([expected], [])


def test_a_rating_of_a_website_is_said_of_hosts_below_it(listed):
    home = listed("news.example,good,Index,2026-01-02,\n")
    assert [one.rating for one in ratings_of(home, "www.news.example")[0]] == ["good"]
    assert ratings_of(home, "notnews.example") == ([], [])


def test_a_rating_of_a_platform_is_not_said_of_its_blogs(listed):
    home = listed("blogspot.com,bad,Index,2026-01-02,\n")
    assert ratings_of(home, "somebody.blogspot.com") == ([], [])


@pytest.mark.parametrize("account", ["x.com/somebody", "@somebody", "somebody@mastodon.example", "nobody", ""])
def test_an_account_is_not_rated(listed, account):
    home = listed(f"{account},bad,Index,2026-01-02,\n")
    found, [problem] = ratings_of(home, "x.com")
    assert found == []
    assert "line 2" in problem


def test_what_is_no_host_has_no_ratings(listed):
    assert ratings_of(listed("news.example,good,Index,2026-01-02,\n"), "gazeta_altai") == ([], [])


@pytest.mark.parametrize(
    "line", ["news.example,,Index,2026-01-02,", "news.example,good,,2026-01-02,", "news.example,good,I,2.1.26,"]
)
def test_a_line_that_says_not_who_what_and_when_is_told(listed, line):
    assert "line 2" in ratings_of(listed(line + "\n"), "news.example")[1][0]


def test_one_bad_list_does_not_hide_another(listed):
    listed("news.example,good,Index,2026-01-02,\n")
    home = listed("news.example;good\n", "b.csv", "domain;rating\n")
    found, problems = ratings_of(home, "news.example")
    assert len(found) == 1
    assert len(problems) == 1


def test_no_address_but_a_web_address_is_linked(listed):
    home = listed("news.example,good,Index,2026-01-02,javascript:alert(1)\n")
    assert ratings_of(home, "news.example")[0][0].address is None


def test_a_list_that_changes_is_read_again(listed):
    home = listed("news.example,good,Index,2026-01-02,\n")
    assert ratings_of(home, "news.example")[0][0].rating == "good"
    listed("news.example,mixed now,Index,2026-01-03,\n")
    assert ratings_of(home, "news.example")[0][0].rating == "mixed now"
