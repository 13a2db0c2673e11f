"""The list of sources, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import postgres_server
import pytest

from bastau.collect.visits import Found
from bastau.collect.watching.store import LEASE_S, N_SLICES, Holder, Store, StoreUnavailable, Subscription, slice_of

NOW = 1_000_000.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres_server.Server]:
    if not postgres_server.is_there():
        pytest.skip("needs PostgreSQL (apt-get install postgresql)")
    with postgres_server.postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "sources.db")
        return
    server = request.getfixturevalue("server")
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as con:
        con.execute("DROP TABLE IF EXISTS sources, slices, holders, kept, hurried, subscriptions")
    yield server.url


def found(n: int) -> Found:
    return Found("feed", f"https://site{n}.kz/feed", f"site{n}.kz", f"Site {n}", state={"k": n})


def filled(url: str, n: int) -> Store:
    store = Store(url)
    store.add([found(i) for i in range(n)], options={"full_text": True}, priority=1, now=NOW)
    return store


class TestList:
    def test_what_is_added_twice_stands_once(self, url: str) -> None:
        with Store(url) as store:
            assert store.add([found(1), found(2)], options={}, priority=0, now=NOW) == [True, True]
            assert store.add([found(2), found(3)], options={}, priority=0, now=NOW) == [False, True]
            assert [s.address for s in store.sources()] == [f"https://site{n}.kz/feed" for n in (1, 2, 3)]

    def test_options_and_priority_given_are_set_on_what_is_watched_already(self, url: str) -> None:
        with filled(url, 1) as store:
            assert store.add([found(0)], options={"evidence": True}, priority=0, now=NOW) == [False]
            assert store.sources()[0].options == {"full_text": True, "evidence": True}
            assert store.sources()[0].priority == 1
            store.add([found(0)], options={}, priority=3, now=NOW)
            assert (store.sources()[0].options["full_text"], store.sources()[0].priority) == (True, 3)

    def test_options_and_state_come_back(self, url: str) -> None:
        with filled(url, 2) as store:
            second = store.sources()[1]
            assert (second.options, second.priority, second.name) == ({"full_text": True}, 1, "Site 1")
            assert store.states([second.source_id]) == {second.source_id: '{"k": 1}'}

    def test_a_source_moves_unless_its_new_address_is_watched(self, url: str) -> None:
        with filled(url, 2) as store:
            first, second = store.sources()
            assert not store.move(first.source_id, second.address)
            assert store.move(first.source_id, "https://new.kz/feed")
            assert store.sources()[0].slice == slice_of("https://new.kz/feed")

    def test_removed_and_paused(self, url: str) -> None:
        with filled(url, 3) as store:
            ids = [s.source_id for s in store.sources()]
            store.remove(ids[:1])
            store.edit([replace(store.sources()[0], is_paused=True, priority=3)])
            assert [(s.source_id, s.is_paused, s.priority) for s in store.sources()] == [
                (ids[1], True, 3),
                (ids[2], False, 1),
            ]

    def test_an_edit_changes_what_the_operator_says_and_nothing_that_visits_say(self, url: str) -> None:
        with filled(url, 2) as store:
            first, second = store.sources()
            store.edit(
                [replace(first, name="New", options={"full_text": False}, n_posts=99, address="https://other.kz")]
            )
            assert store.sources() == [replace(first, name="New", options={"full_text": False}), second]

    def test_what_is_hurried_is_told_once_to_whom_it_belongs(self, url: str) -> None:
        with filled(url, 3) as store:
            first, second, third = store.sources()
            assert len({first.slice, second.slice, third.slice}) == 3
            for _ in range(2):
                store.hurry([first.source_id, second.source_id, third.source_id])
            store.remove([third.source_id])
            assert store.hurried([]) == []
            assert store.hurried([second.slice, third.slice]) == [second.source_id]
            assert store.hurried([second.slice, third.slice]) == []
            assert store.hurried([first.slice]) == [first.source_id]
            store.hurry([third.source_id])  # a hub may push for a while after the feed was taken off the list
            assert store._run("SELECT count(*) FROM hurried").fetchone()[0] == 0

    def test_feeds_tell_their_hubs_and_no_state_of_a_stranger_breaks_the_list(self, url: str) -> None:
        states: list[dict[str, object]] = [
            {"hub": "https://hub.kz", "topic": None},
            {"hub": None},
            {},
            {"seen": {"\0": ""}, "hub": "x"},
        ]
        with Store(url) as store:
            many = [Found("feed", f"https://site{n}.kz/feed", "s", state=state) for n, state in enumerate(states)]
            many.append(Found("sitemap", "https://site9.kz/map.xml", "s", state=states[0]))
            store.add(many, options={}, priority=0, now=NOW)
            assert min(store.hubs()) == (1, "https://site0.kz/feed", "https://hub.kz", None)
            assert {source_id for source_id, *_ in store.hubs()} <= {1, 4}

    def test_a_request_to_a_hub_is_made_by_one_process(self, url: str) -> None:
        with Store(url) as one, Store(url) as other:
            one.subscribe([Subscription(f"path{n}", n, "https://hub.kz", "t", secret="s") for n in range(30)])
            with ThreadPoolExecutor(2) as threads:
                parts = list(threads.map(lambda store: store.claim(NOW, 20, lambda n: 60.0 * 2**n), [one, other]))
            claimed = [s.path for part in parts for s in part]
            claimed += [s.path for s in one.claim(NOW, 20, lambda _: 60.0)]
            assert sorted(claimed) == sorted(f"path{n}" for n in range(30))
            (again, *_) = other.claim(NOW + 60.0, 20, lambda n: 60.0 * 2**n)
            assert (again.n_asked, again.asked_at, again.next_at) == (2, NOW + 60.0, NOW + 180.0)

    def test_a_subscription_that_is_wanted_again_keeps_its_path(self, url: str) -> None:
        first, second = (Subscription(path, 1, "https://hub.kz", "t", secret="s") for path in ("a", "b"))
        with Store(url) as store:
            store.subscribe([first])
            store.note("a", until_at=NOW, trouble="denied")
            store.unsubscribe(["a"])
            assert not store.subscriptions()[0].is_wanted
            store.subscribe([second])
            assert store.subscriptions() == [replace(first, until_at=NOW, trouble="denied")]
            assert (store.subscription("a"), store.subscription("b")) == (store.subscriptions()[0], None)
            store.forget(["a"])
            assert store.subscriptions() == []

    def test_small_things_are_kept(self, url: str) -> None:
        with Store(url) as store:
            assert store.kept("web") == {}
            store.keep("web", {"a": 1})
            store.keep("web", {"a": 2})
            assert store.kept("web") == {"a": 2}

    def test_threads_take_turns(self, url: str) -> None:
        with filled(url, 50) as store, ThreadPoolExecutor(8) as threads:
            holder = Holder("a")
            store.share(holder, NOW)

            def work(n: int) -> int:
                if n % 3 == 0:
                    return len(store.share(holder, NOW).lost)
                return (
                    len(store.save(holder, store.sources(), {1: "{}"}, NOW))
                    if n % 3 == 1
                    else len(store.sources()) - 50
                )

            assert set(threads.map(work, range(60))) == {0}


class TestLeases:
    def test_one_process_holds_everything(self, url: str) -> None:
        with filled(url, 1) as store:
            assert len(store.share(Holder("a"), NOW).taken) == N_SLICES

    def test_two_share_evenly_and_never_the_same(self, url: str) -> None:
        with filled(url, 1) as one, Store(url) as other:
            a, b = Holder("a"), Holder("b")
            one.share(a, NOW)
            assert other.share(b, NOW).taken == []
            surplus = one.share(a, NOW).surplus
            one.release(a, surplus)
            other.share(b, NOW)
            assert (len(a.tokens), len(b.tokens)) == (N_SLICES // 2, N_SLICES // 2)
            assert not a.tokens.keys() & b.tokens.keys()

    def test_what_a_silent_process_held_goes_to_others(self, url: str) -> None:
        with filled(url, 1) as store, Store(url) as other:
            a, b = Holder("a"), Holder("b")
            store.share(a, NOW)
            if not url.startswith("postgres"):
                assert len(other.share(b, NOW + LEASE_S + 1).taken) == N_SLICES
                assert len(store.share(a, NOW + LEASE_S + 2).lost) == N_SLICES

    def test_who_slept_through_its_lease_writes_nothing(self, url: str) -> None:
        with filled(url, 4) as store, Store(url) as other:
            a, b = Holder("a"), Holder("b")
            store.share(a, NOW)
            stolen = sorted(a.tokens)
            sources = store.sources()
            # As if the lease had run out: another takes the slices under new tokens.
            store.release(Holder("a", dict(a.tokens)), stolen)
            other.share(b, NOW)
            sources[0].n_posts = 7
            lost = store.save(a, sources, {sources[0].source_id: '{"k": 99}'}, NOW)
            assert lost == [s.source_id for s in sources]
            assert store.sources()[0].n_posts == 0
            assert other.save(b, sources, {}, NOW) == []
            assert store.sources()[0].n_posts == 7

    def test_addresses_of_one_domain_are_in_one_slice(self) -> None:
        assert (
            slice_of("https://a.site.kz/feed") == slice_of("http://site.kz:8080/x") == slice_of("https://www.site.kz")
        )
        assert len({slice_of(f"https://site{n}.kz") for n in range(2000)}) > N_SLICES * 0.9


def test_a_database_that_restarts_is_found_again(server: postgres_server.Server) -> None:
    with filled(server.url, 1) as store:
        holder = Holder("a")
        store.share(holder, NOW)
        server.stop("immediate")
        with pytest.raises(StoreUnavailable):
            store.share(holder, NOW)
        with pytest.raises(StoreUnavailable):
            store.sources()
        server.start()
        store.share(holder, NOW)
        assert len(store.sources()) >= 1
