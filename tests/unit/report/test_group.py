"""One group and all of them: publishers named, private accounts counted, plain reasons looked at."""

from html import escape

import pytest
from report_world import at, connect, locales, world_tables

from bastau.hashing import format_id, hash_string
from bastau.report import exhibits, moves
from bastau.report.brief import brief
from bastau.report.brief_page import brief_parts
from bastau.report.charts import Dot, spread_graph
from bastau.report.group import all_groups, one_group
from bastau.report.timeline import Gap
from bastau.report.trace_page import trace_parts

GROUP = format_id("g", 77)


@pytest.fixture
def told():
    """The world with examples that have posts, a private account among them, and copies inside the group."""
    tables = world_tables()
    rows = tables["coordination"].to_pylist()
    first, second = rows[0]["sources"][:2]
    moment = rows[0]["windows"][0]["from"]
    posts = [
        {
            "post_id": f"telegram:{n}",
            "source": name,
            "published_at": moment,
            "delay_s": n,
            "url": None,
            "text": f"words {n}",
        }
        for n, name in enumerate((first, second, "p~aaaaaaaaaaaaaaaa"))
    ]
    rows[0]["examples"] = [
        {"trace": "repost", "object": "x:p~aaaaaaaaaaaaaaaa/1234", "post_ids": ["telegram:w6"], "posts": posts},
        {"trace": "near_copy", "object": "greetings @p~aaaaaaaaaaaaaaaa", "post_ids": ["telegram:0"], "posts": posts},
    ]
    rows[0] |= {"test": "pairs", "median_delay_s": 3.0, "n_wire_copies": 2, "is_one_house": False, "signposts": []}
    tables["coordination"] = type(tables["coordination"]).from_pylist(rows, tables["coordination"].schema)
    con = connect(tables)
    con.execute("create or replace table copies_in as select * from copy_network limit 0")
    con.execute(
        "insert into copies_in (from_source, to_source, n_copies, n_narratives, n_wire, share, median_delay_s) values (?, ?, 4, 2, 1, .5, 90)",
        [first, second],
    )
    con.unregister("copy_network")
    con.execute("create view copy_network as from copies_in")
    yield con, first, second
    con.close()


def test_groups_are_listed_with_most_in_common_first(con):
    listed = all_groups(con)
    assert listed.n == 2
    assert [group.n_objects for group in listed.groups] == [5, 3]


def test_a_group_that_is_not_there_is_none(con):
    assert one_group(con, "g0000000000000") is None


def test_private_accounts_are_counted_and_never_named(told):
    con, first, second = told
    group = one_group(con, GROUP)
    assert group.n_other_accounts == 3
    assert {post.source for moved in group.examples for post in moved.example.posts} == {first, second}
    assert "p~" not in repr(group)


def test_the_post_of_a_private_account_that_was_reposted_has_no_number(told):
    group = one_group(told[0], GROUP)
    assert [moved.example.object for moved in group.examples] == ["@…", "greetings @…"]
    link = [{"trace": "link", "object": "https://x.com/p~aaaaaaaaaaaaaaaa/status/99", "posts": None}]
    post = {"source": "a", "at_us": 0, "delay_s": 0, "url": None, "text": ""}
    assert [e.object for e in moves.examples([link[0] | {"posts": [post]}])] == ["@…"]


def test_who_copies_whom_inside_the_group_is_said_the_right_way_round(told):
    con, first, second = told
    assert [(pair.copier, pair.copied, pair.n_wire) for pair in one_group(con, GROUP).pairs] == [(second, first, 1)]


def test_what_rules_found_in_an_example_puts_it_behind_a_warning(told):
    con, *_ = told
    before = [moved.is_sensitive for moved in one_group(con, GROUP).examples]
    con.execute("create table found as select * from matches limit 0")
    con.execute(
        "insert into found (post_key, suggestions) values (?, [{'act': 'incite', 'rule': 'r', 'version': 1, 'spans': [], 'gate': null, 'score': 1}])",
        [hash_string("telegram:0")],
    )
    con.unregister("matches")
    con.execute("create view matches as from found")
    assert before == [False, False]
    assert [moved.is_sensitive for moved in one_group(con, GROUP).examples] == [False, True]


def test_days_are_counted_by_the_calendar(told):
    group = one_group(told[0], GROUP)
    [window] = group.windows
    assert group.n_days == (window.end.date() - window.start.date()).days + 1


def test_the_chart_leads_to_the_pages_of_publishers(told):
    con, first, _ = told
    for locale in locales():
        drawn = exhibits.group_chart(one_group(con, GROUP), locale, lambda what, ident: f"/{what}/{ident}")
        assert f'href="/source/{escape(first)}"' in drawn
        assert 'role="group"' in drawn


def test_a_graph_without_links_is_an_image(told):
    drawn = exhibits.group_chart(one_group(told[0], GROUP), locales()[2], lambda *_: None)
    assert "<a " not in drawn
    assert 'role="img"' in drawn


def test_names_and_addresses_in_a_graph_are_escaped():
    caption = exhibits.Caption("c", "t", "d")
    drawn = spread_graph(
        caption, ['<b>"'], [Dot(0, 0.0, "<i>", "/post/'\"><x>")], [], width=900, offset=str, addresses=['/"><script>']
    )
    assert not [tag for tag in ("<script", "<x>", "<i>", "<b>") if tag in drawn]


def test_time_in_which_nothing_was_collected_is_hatched_in_the_chart(trace):
    line, locale = trace.timeline, locales()[2]
    names = {tag: tag for tag in line.by_language}
    start, end = line.starts[0], line.starts[-1]
    plain = exhibits.timeline_chart(line, line.by_language, names, "t", "d", "i", locale)
    assert 'class="gap"' not in plain
    holes = [Gap(start, start + (end - start) / 2), Gap(end.replace(year=end.year + 1), end.replace(year=end.year + 2))]
    drawn = exhibits.timeline_chart(line, line.by_language, names, "t", "d", "i", locale, holes)
    assert drawn.count('class="gap"') == 3  # wide, narrow and the legend: the other gap lies elsewhere
    assert "nothing collected" in drawn


def test_a_brief_leads_to_the_pages_of_groups_where_there_are_any(con):
    made = brief(con, at(-1440), at(6 * 1440))
    for locale in locales():
        parts = {
            ident: body for ident, _, body in brief_parts(made, locale, lambda _: None, (), lambda g: f"/group/{g}")
        }
        assert f'href="/group/{GROUP}"' in parts["coordinated"]
        alone = {ident: body for ident, _, body in brief_parts(made, locale, lambda _: None)}
        assert "<a " not in alone["coordinated"]


def test_a_trace_leads_to_groups_and_publishers_where_there_are_pages(trace):
    locale = locales()[2]
    parts = {ident: body for ident, _, body in trace_parts(trace, locale, lambda what, ident: f"/{what}/{ident}")}
    for ident, what in (("groups", "group"), ("spread", "post"), ("spread", "source"), ("earliest", "source")):
        assert f'href="/{what}/' in parts[ident], (ident, what)
    alone = {ident: body for ident, _, body in trace_parts(trace, locale)}
    assert '<a href="/' not in "".join(alone.values())
