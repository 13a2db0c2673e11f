import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shield_entries import NOW, document, entry

from bastau.shield.forms.taxii import MEDIA, ROOT, answer, collection

FIRST = document(*(entry(n) for n in range(1, 6)))
LATER = NOW + timedelta(hours=1)
SECOND = document(
    *(entry(n) for n in range(2, 6)), {**entry(1), "retracted_at": NOW, "retraction_reason": "overturned"}, entry(6),
    previous=FIRST, now=LATER,
)  # fmt: skip
HELD = collection(SECOND)
OBJECTS = f"{ROOT}collections/{HELD.collection_id}/objects/"


def get(path, query="", accept=MEDIA, method="GET", held=HELD):
    found = answer(held, method, path, query, accept, "https://lists.example")
    assert found.headers["Content-Type"] == MEDIA
    return found.status, json.loads(found.body), found.headers


def test_discovery_leads_to_the_collection():
    (root,) = get("/taxii2/")[1]["api_roots"]
    assert root == "https://lists.example" + ROOT
    assert get(ROOT)[1]["versions"] == [MEDIA]
    (one,) = get(f"{ROOT}collections/")[1]["collections"]
    assert (one["can_read"], one["can_write"]) == (True, False)
    assert get(f"{ROOT}collections/{one['id']}/")[1] == one


def test_a_collection_keeps_its_id_from_version_to_version():
    assert collection(FIRST).collection_id == HELD.collection_id


def test_pages_hold_every_object_once_in_the_order_of_their_dates():
    seen, query = [], "limit=2"
    while True:
        status, body, headers = get(OBJECTS, query)
        assert status == 200
        assert len(body["objects"]) <= 2
        assert headers["X-TAXII-Date-Added-First"] <= headers["X-TAXII-Date-Added-Last"]
        seen += [made["id"] for made in body["objects"]]
        if not body["more"]:
            assert "next" not in body
            break
        query = f"limit=2&next={quote(body['next'])}"
    assert len(seen) == len(set(seen)) == 7  # the publisher, five that stand, one revoked
    assert seen == [made["id"] for made in get(OBJECTS)[1]["objects"]]


def test_who_asks_what_was_added_since_the_version_before_gets_the_new_and_the_revoked_without_its_value():
    body = get(OBJECTS, f"added_after={quote(FIRST['made_at'])}")[1]
    revoked = {made["id"]: made.get("revoked", False) for made in body["objects"]}
    assert sorted(revoked.values()) == [False, True]
    assert "bad-1.kz" not in json.dumps(body)
    assert "bad-6.kz" in json.dumps(body)
    old = {made["id"] for made in get(OBJECTS, held=collection(FIRST))[1]["objects"]}
    assert {name for name, gone in revoked.items() if gone} <= old


def test_an_entry_released_before_the_last_visit_and_published_after_it_arrives():
    late = document(entry(1), entry(2, released_at=NOW - timedelta(days=5)), previous=document(entry(1)), now=LATER)
    body = get(OBJECTS, f"added_after={quote(FIRST['made_at'])}", held=collection(late))[1]
    assert len(body["objects"]) == 1


def test_filters_choose_by_id_type_and_version():
    one = get(OBJECTS)[1]["objects"][-1]
    assert get(OBJECTS, f"match[id]={one['id']}")[1]["objects"] == [one]
    assert [o["type"] for o in get(OBJECTS, "match[type]=identity")[1]["objects"]] == ["identity"]
    assert get(OBJECTS, "match[type]=malware")[1] == {}
    assert len(get(OBJECTS, f"match[version]={one['modified']}")[1]["objects"]) < 7
    assert get(f"{OBJECTS}{one['id']}/")[1]["objects"] == [one]
    assert get(f"{OBJECTS}{one['id']}/versions/")[1] == {"more": False, "versions": [one["modified"]]}


def test_the_manifest_names_what_the_objects_are():
    rows = get(OBJECTS.replace("objects/", "manifest/"))[1]["objects"]
    assert [(r["id"], r["version"]) for r in rows] == [(o["id"], o["modified"]) for o in get(OBJECTS)[1]["objects"]]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "limit=²", "added_after=yesterday", "added_after=2026-01-01T00:00:00", "next=x", "next=%FF"]
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_told_so(query):
    status, body, _ = get(OBJECTS, query)
    assert status == 400
    assert body["http_status"] == "400"


@given(st.text(max_size=30), st.text(max_size=60), st.text(max_size=40))
def test_whatever_is_asked_gets_an_answer(rest, query, accept):
    for path in (OBJECTS, OBJECTS.replace("objects/", "manifest/"), OBJECTS + rest, rest):
        assert answer(HELD, "GET", path, query, accept, "https://lists.example").status in (200, 400, 404, 406)


@given(st.sampled_from(["limit", "next", "added_after", "match[id]", "match[version]"]), st.text(max_size=20))
def test_whatever_a_parameter_says_gets_an_answer(name, value):
    assert get(OBJECTS, f"{name}={quote(value, errors='replace')}")[0] in (200, 400)


@pytest.mark.parametrize(
    ("path", "accept", "method", "status"),
    [
        ("/taxii2/", "application/json", "GET", 406),
        ("/taxii2/", "application/taxii+json;version=2.0", "GET", 406),
        ("/taxii2/", "application/taxii+json; version=2.1, text/html", "GET", 200),
        ("/taxii2/", "", "GET", 200),
        (OBJECTS, MEDIA, "POST", 405),
        (OBJECTS + "indicator--x/", MEDIA, "DELETE", 405),
        (OBJECTS + "indicator--x/", MEDIA, "GET", 404),
        (ROOT + "collections/other/objects/", MEDIA, "GET", 404),
        ("/", MEDIA, "GET", 404),
    ],
)
def test_other_requests_are_refused(path, accept, method, status):
    assert get(path, accept=accept, method=method)[0] == status
