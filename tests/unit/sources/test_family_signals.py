import json

import polars as pl
import pytest
from family_pages import codes, page, signals, table
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.schemas import PAGE_SIGNALS, PAGES
from bastau.sources.families import FindPageSignals, count_signals, site_of
from bastau.sources.families.ads_txt import MAX_LINES, read_ads_txt
from bastau.sources.families.html_ids import find_ids
from bastau.sources.families.kinds import CAPS, NOTES, kinds
from bastau.sources.families.names import _host_of, host_of
from bastau.sources.families.pages import MAX_VALUES, _parts
from bastau.sources.families.wallets import keccak256, wallet


class TestAccountsInPages:
    @pytest.mark.parametrize(
        ("html", "kind", "value"),
        [
            ('<script async src="https://www.googletagmanager.com/gtag/js?id=G-4XK2PQ9RTZ"></script>', "ga_property", "G-4XK2PQ9RTZ"),
            ("ga('create', 'UA-48291735-3', 'auto');", "ga_property", "UA-48291735-3"),
            ("ga('create', 'UA-48291735-3', 'auto');", "ga_account", "UA-48291735"),
            ("(window,document,'script','dataLayer','GTM-K7PQ2ZX');", "gtm", "GTM-K7PQ2ZX"),
            ("gtag('config', 'AW-748291735');", "google_ads", "748291735"),
            ('<ins data-ad-client="ca-pub-7482917354820193"></ins>', "adsense", "7482917354820193"),
            ('ym(74829173, "init", {clickmap:true});', "yandex_metrica", "74829173"),
            ('<img src="https://mc.yandex.ru/watch/74829173">', "yandex_metrica", "74829173"),
            ("w.yaCounter74829173 = new Ya.Metrika({id:74829173});", "yandex_metrica", "74829173"),
            ('_tmr.push({id: "3074829", type: "pageView"});', "mailru_top", "3074829"),
            ("new top100({ project: 7482917 })", "rambler_top100", "7482917"),
            ('<img src="//counter.yadro.ru/hit;holding?r">', "liveinternet", "holding"),
            ("fbq('init', '748291735482019');", "fb_pixel", "748291735482019"),
            ("VK.Retargeting.Init('VK-RTRG-748291-aB3xZ')", "vk_pixel", "VK-RTRG-748291-aB3xZ"),
            ("h._hjSettings={hjid:748291,hjsv:6};", "hotjar", "748291"),
            ('(window, document, "clarity", "script", "k7pq2zx9ab");', "clarity", "k7pq2zx9ab"),
            ('var u="//stats.holding.example/"; _paq.push(["setTrackerUrl", u+"matomo.php"]);', "matomo", "stats.holding.example"),
            ('<meta property="fb:app_id" content="748291735482019">', "fb_app", "748291735482019"),
            ("<p>BTC 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa</p>", "wallet", "btc:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ],
    )  # fmt: skip
    def test_an_account_is_found_where_its_snippet_stands(self, html: str, kind: str, value: str) -> None:
        expected = f"AW-{value}" if kind == "google_ads" else value
        assert (kind, expected) in signals(html=f"<html><head></head><body>{html}</body></html>")

    @pytest.mark.parametrize(
        ("name", "service"),
        [("google-site-verification", "google"), ("yandex-verification", "yandex"), ("p:domain_verify", "pinterest"),
         ("msvalidate.01", "bing"), ("wmail-verification", "mail.ru"), ("facebook-domain-verification", "facebook")],
    )  # fmt: skip
    def test_proofs_of_ownership_count_in_the_head_only(self, name: str, service: str) -> None:
        meta = f'<meta name="{name}" content="abc123def456">'
        assert ("verification", f"{service}:abc123def456") in signals(html=f"<head>{meta}</head><body></body>")
        assert not [s for s in signals(html=f"<head></head><body>{meta}</body>") if s[0] == "verification"]

    def test_an_account_in_the_words_of_an_article_is_none(self) -> None:
        found = signals(html="<body><p>Our G-SHOCK12345 watch, bill UA-48291735-3 of May, model GTM-K7PQ2ZX</p></body>")
        assert not [s for s in found if s[0] in ("ga_property", "ga_account", "gtm")]

    @pytest.mark.parametrize("tag", ["pre", "code", "textarea", "template"])
    def test_quoted_code_is_not_run(self, tag: str) -> None:
        html = f"<body><{tag}>gtag('config', 'G-4XK2PQ9RTZ');</{tag}></body>"
        assert not [s for s in signals(html=html) if s[0] == "ga_property"]

    def test_what_is_commented_out_is_not_run(self) -> None:
        html = "<body><!-- gtag('config', 'G-4XK2PQ9RTZ'); --></body>"
        assert not [s for s in signals(html=html) if s[0] == "ga_property"]

    @pytest.mark.parametrize("value", ["UA-XXXXX-X", "UA-12345-1", "GTM-XXXX", "G-XXXXXXXXXX", "UA-00000000-1"])
    def test_placeholders_of_documentation_are_none(self, value: str) -> None:
        assert not [s for s in signals(html=f"<script>x('{value}');</script>") if s[1].startswith(value[:6])]

    def test_the_account_of_a_host_platform_is_not_the_sites(self) -> None:
        html = '<ins data-ad-host="ca-host-pub-7482917354820193"></ins>'
        assert not [s for s in signals(html=html) if s[0] == "adsense"]

    def test_an_own_statistics_server_links_nobody(self) -> None:
        html = 'var u="//stats.a-site.example/"; _paq.push(["setTrackerUrl", u+"matomo.php"]);'
        assert not [s for s in signals(html=html) if s[0] == "matomo"]


class TestCopiesAndParking:
    def test_a_page_that_names_anothers_address_as_its_own_shows_nothing_else(self) -> None:
        html = '<head><link rel="canonical" href="https://other.example/1"></head>' + codes(ga="G-4XK2PQ9RTZ")
        assert {s for s in signals(html=html) if s[0] in ("ga_property", "declared_copy")} == {
            ("declared_copy", "other.example")
        }

    def test_a_page_on_a_subdomain_is_no_copy(self) -> None:
        html = '<head><link rel="canonical" href="https://news.a-site.example/1"></head>'
        assert not [s for s in signals(html=html) if s[0] == "declared_copy"]

    def test_a_parked_domain_shows_nothing_else(self) -> None:
        html = "<body>This domain is for sale</body>" + codes(adsense="7482917354820193")
        assert {kind for kind, _ in signals(html=html, ip="198.18.0.1")} == {"page", "parked"}

    def test_an_article_about_domains_for_sale_is_not_parked(self) -> None:
        html = f"<body><p>{'long words of an article ' * 3000} this domain is for sale</p></body>"
        assert "parked" not in {kind for kind, _ in signals(html=html)}


class TestServers:
    def test_an_address_gives_itself_and_its_network(self) -> None:
        assert {("ip", "198.18.4.7"), ("subnet", "198.18.4.0/24")} <= signals(ip="198.18.4.7")

    @pytest.mark.parametrize("ip", ["104.16.77.7", "151.101.1.69", "2606:4700::1111", "::ffff:104.16.77.7"])
    def test_the_address_of_a_network_is_nobodys(self, ip: str) -> None:
        found = signals(ip=ip)
        assert ("behind_cdn", "") in found
        assert not [s for s in found if s[0] in ("ip", "subnet")]

    @pytest.mark.parametrize("ip", ["10.0.0.1", "127.0.0.1", "0.0.0.0", "not an address", "999.1.1.1", "fe80::1"])
    def test_what_is_no_public_address_is_counted(self, ip: str) -> None:
        assert ("bad_ip", "") in signals(ip=ip)

    def test_headers_of_a_network_say_nothing_of_the_server(self) -> None:
        headers = json.dumps({"Server": "nginx", "X-A": "1", "X-B": "1", "X-C": "1", "CF-Ray": "1"})
        assert not [s for s in signals(headers=headers, ip="198.18.4.7") if s[0] in ("server", "header_order", "ip")]

    def test_the_order_of_headers_leaves_out_what_changes(self) -> None:
        steady = {"Server": "nginx", "X-A": "1", "X-B": "1", "X-C": "1"}
        first = signals(headers=json.dumps({"Date": "x", **steady}))
        again = signals(headers=json.dumps({**steady, "Set-Cookie": "y", "Age": "3"}))
        assert [s for s in first if s[0] == "header_order"] == [s for s in again if s[0] == "header_order"]

    @pytest.mark.parametrize("headers", ["no json", "[1, 2]", "{", '"x"', "x" * 70_000])
    def test_headers_that_are_no_object_are_counted(self, headers: str) -> None:
        assert ("bad_headers", "") in signals(headers=headers)

    def test_name_servers_of_hosts_are_nobodys_and_own_ones_are(self) -> None:
        assert ("nameserver", "holding.example") in signals(nameservers=["ns1.holding.example", "NS2.holding.example."])
        assert not [s for s in signals(nameservers=["ada.ns.cloudflare.com", "ns1.ps.kz"]) if s[0] == "nameserver"]

    def test_a_certificate_names_its_sites_and_a_networks_none(self) -> None:
        few = signals(cert_sans=["*.a-site.example", "b-site.example", "www.b-site.example"])
        assert {v for k, v in few if k == "certificate"} == {"a-site.example", "b-site.example"}
        many = signals(cert_sans=[f"site{i}.example" for i in range(40)])
        assert {v for k, v in many if k == "certificate"} == {"a-site.example"}
        assert ("certificate_many_names", "40") in many
        assert [k for k, _ in signals(cert_sans=["sni.cloudflaressl.com", "b-site.example"]) if "many" in k]


class TestAdsTxt:
    def test_direct_lines_name_owners_and_resellers_nobody(self) -> None:
        found = signals(ads_txt="google.com, pub-7482917354820193, DIRECT, f08c47fec0942fa0\nx.example, 77, RESELLER")
        assert ("ads_seller", "7482917354820193") in found
        assert ("ads_txt_reseller", "") in found
        assert not [s for s in found if "77" in s[1]]

    def test_with_several_google_accounts_none_is_the_owners(self) -> None:
        text = "google.com, pub-7482917354820193, DIRECT\ngoogle.com, pub-1482917354820194, DIRECT"
        assert not [s for s in signals(ads_txt=text) if s[0] == "ads_seller"]

    def test_hostile_lines_are_counted_and_bounded(self) -> None:
        text = "\n".join(
            [
                "x.example, " + "9" * 5000 + ", DIRECT",
                "x.example, a\x00b, DIRECT",
                "\u202eelpmaxe.x, 1, DIRECT",
                ",,,",
                "a, b",
            ]
        )
        read = read_ads_txt(text)
        assert (read.direct, read.n_bad) == (frozenset(), 5)

    def test_an_address_of_a_person_is_no_account(self) -> None:
        read = read_ads_txt("x.example, owner@mail.example, DIRECT\nx.example, 7, DIRECT\nCONTACT=owner@mail.example")
        assert (read.direct, read.n_bad) == ({"x.example|7"}, 1)

    def test_a_million_lines_are_cut(self) -> None:
        read = read_ads_txt("x.example, 1, DIRECT\n" * 1_000_000)
        assert read.is_cut
        assert read.direct == {"x.example|1"}
        assert ("ads_txt_cut", "") in signals(ads_txt="x.example, 1, DIRECT\n" * (MAX_LINES + 5))

    def test_a_page_in_place_of_the_file_names_nobody(self) -> None:
        assert read_ads_txt("<!DOCTYPE html><html>x.example, 1, DIRECT</html>").direct == frozenset()

    @given(st.text(max_size=300))
    @settings(max_examples=60, deadline=None)
    def test_any_text_is_read(self, text: str) -> None:
        read = read_ads_txt(text)
        assert all(len(seller) < 400 and seller.isprintable() for seller in read.direct)


class TestNames:
    @pytest.mark.parametrize(
        ("domain", "site"),
        [
            ("WWW.Example.KZ:8080", "example.kz"),
            ("https://news.example.com.kz/a?b", "example.com.kz"),
            ("қазақ.қаз", "xn--80aau21bd.xn--80ao21a"),
            ("blog1.wordpress.com", "blog1.wordpress.com"),
            ("a.blogspot.com", "a.blogspot.com"),
            ("example.kz.", "example.kz"),
            ("user@example.kz", "example.kz"),
            ("10.1.2.3:80", "10.1.2.3"),
            ("a..b", None),
            ("", None),
            ("x" * 300, None),
            ("-", None),
        ],
    )
    def test_a_domain_becomes_its_site(self, domain: str, site: str | None) -> None:
        assert site_of(domain) == site

    @given(st.text(max_size=80))
    @settings(max_examples=200, deadline=None)
    def test_a_host_is_its_own_host(self, text: str) -> None:
        host = host_of(text)
        if host is not None:
            assert host.isascii()
            assert host_of(host) == host
            assert site_of(site_of(host) or "") == site_of(host)


class TestWallets:
    def test_checksums_tell_addresses_from_words(self) -> None:
        assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        good = ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"]  # fmt: skip
        found = find_ids(pl.Series([" ".join(good)]))[0]["wallet"]
        assert sorted(w.split(":")[0] for w in found) == ["btc", "btc", "eth", "tron"]
        for address in good:
            spoiled = address[:-1] + ("a" if address[-1] != "a" else "b")
            assert wallet(spoiled) is None

    def test_a_hash_without_letter_case_is_no_address(self) -> None:
        assert wallet("0x" + "ab12" * 10) is None


class TestStage:
    def test_every_page_keeps_its_row_and_says_that_it_was_looked_at(self) -> None:
        rows = [page("a.example", codes(ga="G-4XK2PQ9RTZ")), page("a..b"), page("c.example", "x" * 50)]
        made = FindPageSignals().run(table(rows))
        assert made.select(PAGES.names).equals(table(rows))
        assert made.column("site").to_pylist() == ["a.example", None, "c.example"]
        kinds_of = [{s["signal"] for s in found} for found in made.column("signals").to_pylist()]
        assert ["page" in found for found in kinds_of] == [True, False, True]
        assert kinds_of[1] == {"bad_domain"}

    def test_order_and_slices_change_nothing(self) -> None:
        rows = [page(f"s{i}.example", codes(ga=f"G-4XK2PQ9R{i:02d}", title=f"three words here {i}")) for i in range(9)]
        together = FindPageSignals().run(table(rows)).to_pylist()
        apart = [FindPageSignals().run(table([row])).to_pylist()[0] for row in rows]
        assert together == apart

    def test_no_rows_stay_no_rows(self) -> None:
        made = FindPageSignals().run(PAGES.empty_table())
        assert made.num_rows == 0
        assert count_signals(made).schema == PAGE_SIGNALS

    def test_a_huge_page_is_read_at_both_ends(self) -> None:
        html = codes(ga="G-4XK2PQ9RTZ") + "<p>x</p>" * 1_000_000 + "<script>ym(74829173, 'init', {});</script>"
        found = signals(html=html)
        assert {("ga_property", "G-4XK2PQ9RTZ"), ("yandex_metrica", "74829173"), ("html_cut", "")} <= found

    def test_a_site_with_too_many_values_is_cut_and_says_so(self) -> None:
        rows = [page("a.example", codes(metrica=str(10_000_000 + i)), number=i) for i in range(MAX_VALUES + 20)]
        counted = count_signals(FindPageSignals().run(table(rows))).to_pylist()
        assert sum(r["signal"] == "yandex_metrica" for r in counted) == MAX_VALUES
        assert [r["value"] for r in counted if r["signal"] == "too_many_values"] == ["yandex_metrica"]

    @given(st.text(max_size=400), st.text(max_size=60))
    @settings(max_examples=60, deadline=None)
    def test_any_page_is_read(self, html: str, domain: str) -> None:
        made = FindPageSignals().run(
            table([page("a.example", html, ads_txt=html, headers=html, ip=domain), page(domain or "x")])
        )
        assert made.num_rows == 2
        assert all(
            s["value"].isprintable() or not s["value"] for found in made.column("signals").to_pylist() for s in found
        )


def test_every_kind_lies_in_a_known_area_and_is_likelier_under_the_same_hands() -> None:
    for kind in kinds().values():
        assert kind.area in CAPS
        assert 0 < kind.chance < kind.same <= 1
    assert not set(NOTES) & set(kinds())


def test_pages_with_long_ads_txt_are_read_a_few_at_a_time() -> None:
    long = "x" * (9 << 20)
    pages = table([page("a-site.example", number=i, ads_txt=long) for i in range(3)])
    assert [part.num_rows for part in _parts(pages)] == [1, 1, 1]


def test_what_is_known_of_long_addresses_takes_bounded_memory() -> None:
    known = _host_of.cache_info().currsize
    for tail in "abc":
        assert host_of(f"long.example/{'x' * 100_000}{tail}") == "long.example"
    assert _host_of.cache_info().currsize <= known + 1
