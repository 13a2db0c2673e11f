from datetime import timedelta

import pytest
from shield_entries import NOW, entry, one_of_each, table

from bastau.shield.standing import standing


def stands(*rows, now=NOW):
    return [e["entry_id"] for e in standing(table(*rows), now).entries]


def test_one_entry_of_each_kind_stands_sorted_by_id():
    assert stands(*reversed(one_of_each())) == [f"e{n:013d}" for n in range(1, 8)]


def test_an_entry_stands_until_the_second_it_expires():
    row = entry(expires_at=NOW)
    assert stands(row, now=NOW - timedelta(seconds=1)) == [row["entry_id"]]
    assert standing(table(row), NOW).gone == {row["entry_id"]: ("expired", "2026-09-01T12:00:00Z")}


def test_a_retracted_version_ends_it_whichever_of_its_two_rows_comes_first():
    row = entry()
    retracted = {**row, "retracted_at": NOW, "retraction_reason": "overturned"}
    for rows in ([row, retracted], [retracted, row]):
        found = standing(table(*rows), NOW)
        assert not found.entries
        assert found.gone == {row["entry_id"]: ("overturned", "2026-09-01T12:00:00Z")}


def test_a_retraction_in_words_of_its_own_goes_out_without_them():
    row = entry(retracted_at=NOW, retraction_reason="bad-1.kz complained")
    assert standing(table(row), NOW).gone == {row["entry_id"]: ("withdrawn", "2026-09-01T12:00:00Z")}


def test_a_later_version_stands_in_place_of_a_corrected_one():
    old = entry(reason="Old words.", retracted_at=NOW, retraction_reason="corrected")
    new = entry(reason="New words.", released_at=NOW)
    assert [e["reason"] for e in standing(table(new, old), NOW).entries] == ["New words."]


def test_nobody_who_reviewed_is_in_what_leaves():
    (row,) = standing(table(entry()), NOW).entries
    assert not {"retracted_at", "retraction_reason"}.intersection(row)
    assert not [name for name in row if "by" in name or ("reviewer" in name and name != "n_reviewers")]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"kind": "account", "value": "somebody"}, "unknown_kind"),
        ({"act": "dissent"}, "no_act_or_ground"),
        ({"ground_kind": "hunch"}, "no_act_or_ground"),
        ({"reason": " "}, "not_argued"),
        ({"exemption_checked": ""}, "not_argued"),
        ({"evidence_sha256": ""}, "not_argued"),
        ({"n_reviewers": 1}, "one_person"),
        ({"released_at": NOW + timedelta(seconds=1)}, "not_released_yet"),
        ({"expires_at": NOW + timedelta(days=90)}, "stands_too_long"),
        ({"value": "bad.kz\n0.0.0.0 good.kz"}, "bad_value"),
        ({"value": "BAD.kz"}, "bad_value"),
        ({"value": "bad kz"}, "bad_value"),
        ({"value": "a.bad.kz"}, "not_registrable"),
        ({"value": "com.kz"}, "shared_host"),
        ({"value": "t.me"}, "shared_host"),
        ({"value": "yandex.ru"}, "shared_host"),  # disk.yandex.ru lies below it
        ({"kind": "host", "value": "github.io"}, "shared_host"),
        ({"kind": "host", "value": "docs.google.com"}, "shared_host"),
        ({"kind": "host", "value": "999.1.1.1"}, "bad_value"),
        ({"kind": "url", "value": "https://bad.kz"}, "whole_host"),
        ({"kind": "url", "value": "https://bad.kz/"}, "whole_host"),
        ({"kind": "url", "value": "https://t.me/"}, "shared_host"),
        ({"kind": "url", "value": "https://t.me/+AbCdEf"}, "members_only"),
        ({"kind": "url", "value": "https://t.me/joinchat/AbCdEf"}, "members_only"),
        ({"kind": "url", "value": "http://www.telegram.dog/+AbCdEf"}, "members_only"),
        ({"kind": "url", "value": "https://chat.whatsapp.com/AbC"}, "members_only"),
        ({"kind": "url", "value": "https://wa.me/77010000000"}, "members_only"),
        ({"kind": "url", "value": "https://user:secret@bad.kz/x"}, "bad_value"),
        ({"kind": "url", "value": "javascript:alert(1)"}, "bad_value"),
        ({"kind": "url", "value": "mailto:somebody@bad.kz"}, "bad_value"),
        ({"kind": "sha256", "value": "ab"}, "bad_value"),
        ({"kind": "md5", "value": "A" * 32}, "bad_value"),
    ],
)
def test_what_review_should_not_have_let_through_is_refused_here_again(changed, why):
    row = entry(**changed)
    found = standing(table(row, entry(2)), NOW)
    assert found.refused == {row["entry_id"]: why}
    assert [e["entry_id"] for e in found.entries] == ["e0000000000002"]
