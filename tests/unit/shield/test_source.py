import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shield_entries import ABOUT, NOW, document, entry, many, one_of_each, table

from bastau.errors import ConfigError, InputError
from bastau.shield.source import canonical, changes, difference, follow, make, read
from bastau.shield.standing import standing

HOUR = timedelta(hours=1)


def retracted(row, reason="overturned"):
    return {**row, "retracted_at": NOW, "retraction_reason": reason}


def by_id(made):
    return {e["entry_id"]: e for e in made["entries"]}


def test_canonical_bytes_are_those_of_rfc_8785():
    made = document(entry(reason="Ұран «сөз» €\u2028"))
    assert canonical(made) == json.dumps(made, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert read(canonical(made), "here") == made


def test_the_same_entries_in_any_order_give_the_same_bytes():
    assert canonical(document(*one_of_each())) == canonical(document(*reversed(one_of_each())))


def test_a_version_names_the_one_before_by_its_hash():
    first = document(entry())
    second = document(entry(), previous=first, now=NOW + HOUR)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["previous_sha256"] is None
    assert second["previous_sha256"] == hashlib.sha256(canonical(first)).hexdigest()


def test_a_clock_set_back_makes_no_version():
    first = document(entry())
    with pytest.raises(ConfigError, match="later than this clock"):
        make(standing(table(entry()), NOW), ABOUT, first, NOW - HOUR)


def test_a_retraction_says_why_and_never_again_what():
    first = document(entry(1), entry(2))
    second = document(retracted(entry(1)), entry(2), previous=first, now=NOW + HOUR)
    (gone,) = second["retractions"]
    assert (gone["entry_id"], gone["reason"], gone["published_in"]) == ("e0000000000001", "overturned", 2)
    assert b"bad-1.kz" not in canonical(second)
    assert canonical(second).count(b"bad-2.kz") == 1


def test_a_retraction_changes_no_other_entry():
    first = document(*one_of_each())
    second = document(retracted(one_of_each()[0]), *one_of_each()[1:], previous=first, now=NOW + HOUR)
    assert second["entries"] == first["entries"][1:]


def test_an_entry_that_was_never_published_needs_no_retraction():
    assert document(retracted(entry()))["retractions"] == []


def test_an_entry_refused_after_it_was_published_is_withdrawn():
    first = document(entry())
    second = document(entry(n_reviewers=1), previous=first, now=NOW + HOUR)
    assert second["counts"]["refused"] == {"one_person": 1}
    assert [r["reason"] for r in second["retractions"]] == ["withdrawn"]


def test_changes_tell_added_changed_retracted_and_expired_apart():
    first = document(entry(1), entry(2), entry(3, expires_at=NOW + HOUR), entry(4))
    second = document(
        entry(1), entry(2, reason="Other words."), entry(3, expires_at=NOW + HOUR), retracted(entry(4)), entry(5),
        previous=first, now=NOW + HOUR,
    )  # fmt: skip
    step = changes(second, 1)
    found = {name: [e["entry_id"][-1] for e in step[name]] for name in ("added", "changed", "retracted", "expired")}
    assert found == {"added": ["5"], "changed": ["2"], "retracted": ["4"], "expired": ["3"]}


def test_a_difference_backwards_or_between_lists_is_refused():
    first = document(entry())
    second = document(entry(), previous=first, now=NOW + HOUR)
    with pytest.raises(ConfigError, match="the older first"):
        difference(second, first)
    with pytest.raises(ConfigError, match="same list"):
        difference(first, {**second, "list": "another"})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":"other"}', b"\xff"])
def test_what_is_no_list_is_said_to_be_none(data):
    with pytest.raises(InputError, match="here"):
        read(data, "here")


@given(st.lists(many(), min_size=2, max_size=5), st.data())
def test_who_follows_from_any_version_holds_what_the_list_holds(steps, data):
    versions = []
    for n, rows in enumerate(steps):
        versions.append(document(*rows, previous=versions[-1] if versions else None, now=NOW + n * HOUR))
    held = versions[data.draw(st.integers(0, len(versions) - 2))]
    assert follow(by_id(held), changes(versions[-1], held["version"])) == by_id(versions[-1])


@given(many())
def test_nothing_that_ceased_to_stand_is_in_the_source(rows):
    standing_now = [{**row, "retracted_at": None, "retraction_reason": None, "expires_at": NOW + HOUR} for row in rows]
    first = document(*standing_now)
    second = canonical(document(*rows, previous=first, now=NOW))
    for row in rows:
        stands = row["retracted_at"] is None and row["expires_at"] > NOW
        assert (f'"value":{json.dumps(row["value"])}'.encode() in second) <= stands
