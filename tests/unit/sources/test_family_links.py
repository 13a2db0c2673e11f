import random

import numpy as np
import pytest
from family_pages import codes, families, members, page, reason, strangers

from bastau.sources.families import chance
from bastau.sources.families.chance import AreaScores, log_ratio, null_distribution, p_values
from bastau.sources.families.kinds import CAPS, kinds
from bastau.sources.families.links import Rules

GA, OTHER_GA, ADS, OTHER_ADS, GTM = (
    "G-4XK2PQ9RTZ",
    "G-7ZZ2PQ9RTA",
    "7482917354820193",
    "1482917354820194",
    "GTM-K7PQ2ZX",
)
HOUSE = {"nameservers": ["ns1.holding.example", "ns2.holding.example"], "whois_created": None}


def pair(a: str = "", b: str = "", **fields: object) -> list[dict[str, object]]:
    """Return pages of two sites (three each) with ``a`` and ``b`` as source and the same ``fields``."""
    return [
        page(site, html, number=i, **fields)
        for site, html in (("one.example", a), ("two.example", b or a))
        for i in range(3)
    ]


class TestWhatLinks:
    def test_an_account_and_a_server_of_their_own_link(self) -> None:
        found = families([*pair(codes(ga=GA), **HOUSE), *strangers()])
        assert members(found) == [["one.example", "two.example"]]
        row = found.families.to_pylist()[0]
        assert row["p_value"] < 1e-4
        assert {e["signal"] for e in row["evidence"]} == {"ga_property", "nameserver"}

    def test_one_area_is_not_enough_however_many_accounts(self) -> None:
        found = families([*pair(codes(ga=GA, metrica="74829173", pixel="748291735482019")), *strangers()])
        assert members(found) == []
        assert reason(found, "one.example", "two.example") == "one_area"

    def test_weaker_signals_without_an_account_never_link(self) -> None:
        found = families([*pair(codes(), favicon_sha256="ab" * 32, **HOUSE), *strangers()])
        assert members(found) == []
        assert reason(found, "one.example", "two.example") == "absent"

    def test_the_same_network_links_nobody(self) -> None:
        found = families(
            [
                *pair(codes(), ip="104.16.77.7", cert_sans=["sni.cloudflaressl.com", "one.example", "two.example"]),
                *strangers(),
            ]
        )
        assert members(found) == []

    def test_a_value_on_too_many_sites_is_ignored_and_named(self) -> None:
        rows = [page(f"blog{i}.example", codes(ga=GA), number=n, **HOUSE) for i in range(21) for n in range(2)]
        found = families([*rows, *strangers()])
        assert members(found) == []
        ignored = {(r["signal"], r["ignored"]) for r in found.signals.to_pylist() if r["ignored"]}
        assert ("ga_property", "many_sites") in ignored
        assert len(members(families([*rows, *strangers()], Rules(max_sites=30)))) == 1


class TestTime:
    def test_an_account_that_changed_hands_links_nobody(self) -> None:
        rows = [page("one.example", codes(ga=GA if day < 40 else OTHER_GA), day, **HOUSE) for day in (0, 20, 60, 80)]
        rows += [
            page("two.example", codes(ga=GA if day > 40 else "G-1112PQ9RTZ"), day, **HOUSE) for day in (0, 20, 60, 80)
        ]
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert reason(found, "one.example", "two.example") == "not_at_once"

    def test_an_account_seen_at_different_visits_links(self) -> None:
        rows = [page("one.example", codes(ga=GA), 0, **HOUSE), page("two.example", codes(ga=GA), 20, **HOUSE)]
        assert len(members(families([*rows, *strangers()]))) == 1

    def test_a_sold_site_does_not_join_its_old_siblings_to_its_new_ones(self) -> None:
        old, new = {"nameservers": ["ns1.old-owner.example"]}, {"nameservers": ["ns1.new-owner.example"]}
        days = (0, 20, 60, 80)
        rows = [page(f"old{i}.example", codes(ga=GA), day, **old) for i in range(2) for day in days]
        rows += [page(f"new{i}.example", codes(ga=OTHER_GA), day, **new) for i in range(2) for day in days]
        rows += [
            page("sold.example", codes(ga=GA if d < 40 else OTHER_GA), d, **(old if d < 40 else new)) for d in days
        ]
        found = families([*rows, *strangers()])
        assert members(found) == [
            ["new0.example", "new1.example", "sold.example"],
            ["old0.example", "old1.example", "sold.example"],
        ]


class TestWhatDoesNotLink:
    def test_code_pasted_into_one_page_of_many(self) -> None:
        rows = [page("one.example", codes(ga=GA), number=i, **HOUSE) for i in range(6)]
        rows += [
            page("two.example", codes(ga=GA) if i == 0 else codes(ga=OTHER_GA), number=i, **HOUSE) for i in range(6)
        ]
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert "few_pages" in {r["ignored"] for r in found.signals.to_pylist() if r["source"] == "two.example"}

    def test_a_wallet_that_an_article_quotes_is_kept_nowhere(self) -> None:
        quoted, own = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
        rows = [
            page(site, codes(ga=GA) + f"<p>{own}</p>" + f"<p>{quoted}</p>" * (i == 0), number=i, **HOUSE)
            for site in ("one.example", "two.example")
            for i in range(4)
        ]
        lone = [page("three.example", "<p>3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy</p>", number=i) for i in range(4)]
        found = families([*rows, *lone, *strangers()])
        wallets = [(r["source"], r["value"]) for r in found.signals.to_pylist() if r["signal"] == "wallet"]
        assert wallets == [("one.example", f"tron:{own}"), ("two.example", f"tron:{own}")]
        assert quoted not in str([found.links.to_pylist(), found.families.to_pylist()])

    def test_a_copy_of_a_site_with_its_accounts(self) -> None:
        rows = [page(site, codes(ga=GA, adsense=ADS, title=f"a story of number {i} here"), number=i, favicon_sha256="ab" * 32)
                for site in ("one.example", "two.example") for i in range(4)]  # fmt: skip
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert reason(found, "one.example", "two.example") == "copied_pages"

    def test_a_copy_is_not_linked_to_the_siblings_of_what_it_copies(self) -> None:
        rows = [page(site, codes(ga=GA, adsense=ADS, title=f"a story of number {i} here"), number=i)
                for site in ("one.example", "copy.example") for i in range(4)]  # fmt: skip
        rows += [
            page("sister.example", codes(ga=GA, adsense=ADS, title=f"another tale {i} of hers"), number=i)
            for i in range(4)
        ]
        assert not [m for m in members(families([*rows, *strangers()])) if "copy.example" in m]

    def test_clients_of_one_agency(self) -> None:
        rows = [page(f"client{i}.example", codes(gtm=GTM), number=n, ip="198.19.200.1", cert_sans=[f"client{k}.example" for k in range(6)])
                for i in range(6) for n in range(2)]  # fmt: skip
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert reason(found, "client0.example", "client1.example") == "one_supplier"

    def test_clients_that_earn_on_accounts_of_their_own(self) -> None:
        rows = [
            page(f"client{i}.example", codes(ga=GA, adsense=f"74829173548201{i}4"), number=n, **HOUSE)
            for i in range(4)
            for n in range(2)
        ]
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert "service" in {r["ignored"] for r in found.signals.to_pylist()}

    def test_two_that_earn_on_different_accounts(self) -> None:
        rows = pair(codes(ga=GA, adsense=ADS), codes(ga=GA, adsense=OTHER_ADS), **HOUSE)
        found = families([*rows, *strangers()])
        assert reason(found, "one.example", "two.example") == "own_accounts"

    def test_one_name_under_two_endings_and_one_theme(self) -> None:
        rows = [page(site, '<link rel="stylesheet" href="/wp-content/themes/rare-one/x.css">', number=i, favicon_sha256="ab" * 32)
                for site in ("zhanaqogamdar.example", "zhanaqogamdar.test") for i in range(2)]  # fmt: skip
        found = families([*rows, *strangers()])
        assert members(found) == []
        assert reason(found, "zhanaqogamdar.example", "zhanaqogamdar.test") == "weak_signal"


class TestGroups:
    def test_a_site_that_serves_two_owners_is_no_bridge(self) -> None:
        one, two = {"nameservers": ["ns1.first-owner.example"]}, {"nameservers": ["ns1.second-owner.example"]}
        rows = [page(f"a{i}.example", codes(ga=GA), number=n, **one) for i in range(4) for n in range(2)]
        rows += [page(f"b{i}.example", codes(ga=OTHER_GA), number=n, **two) for i in range(4) for n in range(2)]
        both = {"nameservers": ["ns1.first-owner.example", "ns1.second-owner.example"]}
        rows += [page("c.example", codes(ga=GA) + codes(ga=OTHER_GA), number=n, **both) for n in range(2)]
        for found in members(families([*rows, *strangers()])):
            assert not (
                {f"a{i}.example" for i in range(4)} & set(found) and {f"b{i}.example" for i in range(4)} & set(found)
            )

    def test_the_order_of_pages_changes_nothing(self) -> None:
        rows = [*pair(codes(ga=GA), **HOUSE), *strangers()]
        rows += [
            page(f"x{i}.example", codes(metrica="74829173"), number=n, favicon_sha256="cd" * 32)
            for i in range(3)
            for n in range(2)
        ]
        shuffled = list(rows)
        random.Random(4).shuffle(shuffled)
        first, again = families(rows), families(shuffled)
        assert first.families.equals(again.families)
        assert first.links.equals(again.links)
        assert first.signals.equals(again.signals)

    def test_a_family_states_its_weakest_link(self) -> None:
        rows = [page(f"x{i}.example", codes(ga=GA), number=n, **HOUSE) for i in range(3) for n in range(2)]
        found = families([*rows, *strangers()])
        p = [r["p_value"] for r in found.links.to_pylist() if r["reason"] is None]
        assert found.families.column("p_value").to_pylist() == [pytest.approx(max(p))]

    def test_nothing_gives_nothing(self) -> None:
        found = families([])
        assert (found.families.num_rows, found.links.num_rows, found.signals.num_rows) == (0, 0, 0)
        assert families([page("a..b")]).families.num_rows == 0


class TestChance:
    def test_a_rare_value_weighs_more_than_a_common_one(self) -> None:
        kind = kinds()["nameserver"]
        assert log_ratio(kind, 0, 100) > log_ratio(kind, 15, 100) > 0

    def test_in_a_large_store_rarity_is_measured(self) -> None:
        kind = kinds()["nameserver"]
        assert log_ratio(kind, 0, 1_000_000) > log_ratio(kind, 0, 100)
        assert log_ratio(kind, 100_000, 1_000_000) == pytest.approx(np.log(kind.same / 0.1), abs=0.02)

    def test_the_null_equals_permutations_drawn_by_hand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Shuffle the labels of two areas apart, many times, and count how often a pair reaches a score."""
        dice = np.random.default_rng(8)
        n = 30
        n_pairs = n * (n - 1) // 2
        upper = np.triu_indices(n, 1)
        matrices = []
        scores = {}
        for area in ("analytics", "hosting"):
            flat = np.zeros(n_pairs)
            flat[dice.permutation(n_pairs)[:60]] = dice.choice([3.5, 5.0, 8.0], 60)
            matrix = np.zeros((n, n))
            matrix[upper] = flat
            matrices.append(matrix + matrix.T)
            scores[area] = AreaScores(flat[flat > 0], np.zeros(0))
        hits = n_drawn = 0
        for _ in range(400):
            orders = [dice.permutation(n) for _ in matrices]
            total = sum(m[np.ix_(o, o)][upper] for m, o in zip(matrices, orders, strict=True))
            both = np.logical_and.reduce([m[np.ix_(o, o)][upper] > 0 for m, o in zip(matrices, orders, strict=True)])
            hits += int((both & (total >= 8.5)).sum())
            n_drawn += n_pairs
        monkeypatch.setattr(chance, "BACKGROUND_PAIRS", 0)
        exact = p_values(np.array([8.5]), np.array([2]), np.array([True]), null_distribution(scores, n))[0]
        assert exact == pytest.approx(hits / n_drawn, rel=0.1)

    def test_more_in_common_is_never_likelier_by_chance(self) -> None:
        null = null_distribution({"template": AreaScores(np.zeros(0), np.full(50, 4.0))}, 100)
        assert (np.diff(null, axis=2) <= 1e-15).all()
        assert (null[0] >= null[1]).all()
        assert (null[:, 0] >= null[:, 1]).all()
        assert null[0, 0, 0] == pytest.approx(1.0)

    def test_no_area_adds_more_than_its_cap(self) -> None:
        rows = pair(codes(ga=GA, metrica="74829173", pixel="748291735482019", gtm=GTM), **HOUSE)
        found = families([*rows, *strangers()])
        link = next(r for r in found.links.to_pylist() if r["source_b"] == "two.example")
        assert link["log_ratio"] <= CAPS["analytics"] + CAPS["registration"]
