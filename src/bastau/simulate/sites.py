"""Invented websites with known owners: pages in the Page format, families, and traps that must not be taken for them.

What happens in them: docs/how-to/website-families.md. Accounts are random numbers, domains lie in reserved endings
(RFC 2606), servers in the range for benchmarks (RFC 2544); only those that stand behind a network have that network's address.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from bastau.errors import ConfigError
from bastau.simulate.dice import Dice
from bastau.simulate.phrases import LANGUAGES, Phrases

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")
LOOK_DAYS = (0, 30, 60)
PAGES_PER_LOOK = 2
SALE_DAY = 45
_START = datetime(2025, 1, 6, 8, tzinfo=UTC)
_SYLLABLES = (
    "ba", "be", "bo", "da", "de", "do", "ga", "go", "ja", "ka", "ke", "ko", "la", "le", "lo", "ma", "me", "mo", "na", "ne",
    "no", "qa", "qo", "ra", "re", "ro", "sa", "se", "so", "ta", "te", "to", "ul", "ur", "zha", "zhe", "an", "ar", "il",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How clear the traces of a level are.

    ``n_first`` accounts and the like and ``n_second`` weaker signals that a family has in common; ``shown``: per cent of
    its websites that show each; ``behind``: per cent behind a network; ``own``: per cent of a trap's sites with accounts of
    their own, which is what tells clients of one agency apart.
    """

    n_families: int
    largest: int
    n_first: int
    n_second: int
    shown: int
    behind: int
    own: int


PLANS: dict[Level, Plan] = {
    "easy": Plan(8, 6, 4, 4, 95, 10, 95),
    "medium": Plan(9, 8, 3, 3, 85, 25, 80),
    "hard": Plan(10, 10, 3, 2, 72, 40, 60),
}
FIRST = (
    "ga_property",
    "ga_account",
    "gtm",
    "yandex_metrica",
    "fb_pixel",
    "adsense",
    "wallet",
    "certificate",
    "verification",
)
SECOND = ("nameserver", "registered_at", "template", "favicon", "asset_host", "subnet")


@dataclass
class Site:
    """One website while it is being invented; ``accounts`` by kind, ``until`` and ``since`` (days) bound its accounts."""

    domain: str
    name: str
    language: str
    accounts: dict[str, str]
    template: str
    classes: list[str]
    plugins: list[str]
    ip: str
    server: str
    headers: list[str]
    nameservers: list[str]
    created: datetime
    favicon: str
    sans: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    ads: list[str] = field(default_factory=list)
    behind: bool = False
    parked: bool = False
    copies: "Site | None" = None
    says_canonical: bool = False
    pasted: str = ""
    later: "Site | None" = None
    until: int | None = None
    since: int | None = None
    stories: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class SiteSimulation:
    """Invented pages (rows of the Page format) and the truth: family -> sites, trap -> sites, sites that are not judged."""

    pages: list[dict[str, Any]]
    families: dict[str, list[str]]
    traps: dict[str, list[str]]
    unjudged: list[str]


class _Maker:
    """Makes sites; each call draws from one stream, so that the same seed gives the same world."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.dice = Dice(seed, "sites")
        self.plan = plan
        self.sites: list[Site] = []
        self._names: set[str] = set()
        self._phrases = {language: Phrases.load(language) for language in LANGUAGES}
        self._themes = [self._theme(i) for i in range(14)]
        self._hosts = [(f"198.18.{i * 7 % 256}", 3 + i % 4) for i in range(24)]
        self._n_ips = 0

    # ---- parts

    def word(self, n: int) -> str:
        """Return a name that no earlier call gave."""
        while True:
            made = "".join(self.dice.choose(_SYLLABLES) for _ in range(n))
            if made not in self._names:
                self._names.add(made)
                return made

    def number(self, digits: int) -> str:
        """Return a number of that many digits, none of them leading zeros."""
        first = str(self.dice.between(1, 9))
        return first + "".join(str(self.dice.below(10)) for _ in range(digits - 1))

    def letters(self, n: int) -> str:
        """Return capitals and digits, a digit in front."""
        signs = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
        return str(self.dice.between(1, 9)) + "".join(self.dice.choose(signs) for _ in range(n - 1))

    def _theme(self, number: int) -> tuple[str, list[str], list[str]]:
        name = f"{self.word(3)}-theme"
        classes = [f"{self.word(2)}-{part}" for part in ("wrap", "grid", "row", "col", "bar", "card", "box", "nav")]
        classes += [f"{self.word(3)}" for _ in range(50)]
        plugins = [self.word(3) for _ in range(4)] if number % 2 else []
        return name, classes, plugins

    def account(self, kind: str) -> str:
        """Return a fresh account of ``kind``."""
        match kind:
            case "ga_property":
                return f"G-{self.letters(10)}"
            case "ga_account":
                return f"UA-{self.number(8)}"
            case "gtm":
                return f"GTM-{self.letters(7)}"
            case "yandex_metrica":
                return self.number(8)
            case "fb_pixel":
                return self.number(15)
            case "adsense":
                return self.number(16)
            case "wallet":
                return _bitcoin(self.dice)
            case _:
                return hashlib.sha256(self.number(12).encode()).hexdigest()[:32]

    def address(self, subnet: str = "") -> str:
        """Return an unused address: in ``subnet``, or alone in its own."""
        self._n_ips += 1
        if subnet:
            return f"{subnet}.{1 + self._n_ips % 250}"
        return f"198.19.{self._n_ips // 4 % 256}.{1 + self._n_ips % 4 * 60}"

    def site(self, *, domain: str = "", accounts: Sequence[str] | None = None) -> Site:
        """Return a website of somebody who runs no other."""
        dice = self.dice
        domain = domain or f"{self.word(dice.between(4, 5))}.{dice.choose(('example', 'test'))}"
        if accounts is None:
            chances = {"ga_property": 65, "ga_account": 20, "gtm": 40, "yandex_metrica": 45, "fb_pixel": 30, "adsense": 45, "verification": 60}  # fmt: skip
            accounts = [kind for kind, chance in chances.items() if dice.percent(chance)]
        theme, classes, plugins = dice.choose(self._themes)
        own = [self.word(3) for _ in range(dice.between(4, 30))]
        subnet, _ = dice.choose(self._hosts)
        behind = dice.percent(self.plan.behind)
        created = _START - timedelta(days=dice.between(60, 6000), seconds=dice.below(86_400))
        site = Site(
            domain=domain,
            name=domain.split(".", 1)[0].title(),
            language=dice.choose(LANGUAGES),
            accounts={kind: self.account(kind) for kind in accounts},
            template=theme,
            classes=[*dice.sample(classes, dice.between(35, len(classes))), *own],
            plugins=[*plugins, *(self.word(3) for _ in range(dice.below(3)))],
            ip=f"104.16.{dice.below(200)}.{dice.between(1, 250)}"
            if behind
            else self.address(subnet if dice.percent(60) else ""),
            server=dice.choose(("nginx", "nginx", "nginx/1.24.0", "Apache", "LiteSpeed", "openresty")),
            headers=dice.sample(
                [
                    "Server",
                    "X-Powered-By",
                    "X-Frame-Options",
                    "X-Content-Type-Options",
                    "Strict-Transport-Security",
                    "Referrer-Policy",
                    "X-XSS-Protection",
                ],
                dice.between(3, 6),
            ),
            nameservers=[f"ns{i}.{dice.choose(('ps.kz', 'hoster.kz', 'reg.ru', 'cloudflare.com'))}" for i in (1, 2)],
            created=created,
            favicon=hashlib.sha256(domain.encode()).hexdigest(),
            behind=behind,
            ads=self._ads(),
        )
        self.sites.append(site)
        return site

    def _ads(self) -> list[str]:
        """Return lines of systems that many sell through, most of them for others."""
        if not self.dice.percent(50):
            return []
        lines = [f"exchange{i}.example, {1000 + i}, RESELLER, f08c47fec0942fa{i}" for i in range(12)]
        return [*lines, *(f"market{self.dice.below(6)}.example, {self.number(7)}, DIRECT" for _ in range(2))]

    def stories(self, site: Site, n: int) -> list[tuple[str, str]]:
        """Return (title, text) of ``n`` articles of a site."""
        phrases = self._phrases[site.language]
        made = []
        for i in range(n):
            title, text = phrases.story(self.dice.choose(phrases.topics), 3, self.dice)
            made.append((f"{title} {i + 1} — {site.name}", text))
        return made


def _bitcoin(dice: Dice) -> str:
    """Return an address with the checksum that wallets have (Base58Check)."""
    signs = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    data = b"\0" + bytes(dice.below(256) for _ in range(20))
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = signs[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


# ---- families ----------------------------------------------------------------------------------------------


def _add_family(maker: _Maker, size: int, domains: Sequence[str] = ()) -> list[Site]:
    """Add websites of one owner: accounts and weaker signals in common, each on most of them, plus ones of their own."""
    dice, plan = maker.dice, maker.plan
    firsts = dice.sample(FIRST, plan.n_first)
    if set(firsts) <= {"ga_account", "gtm", "certificate"}:  # an agency's clients would look the same
        firsts[0] = "yandex_metrica"
    seconds = dice.sample(SECOND, plan.n_second)
    shared = {kind: maker.account(kind) for kind in firsts if kind != "certificate"}
    theme, classes = f"{maker.word(3)}-theme", [maker.word(3) for _ in range(60)]
    subnet, created = (
        f"198.19.{200 + dice.below(50)}",
        _START - timedelta(days=dice.between(60, 2000), seconds=dice.below(86_400)),
    )
    owner, favicon = maker.word(4), hashlib.sha256(maker.word(4).encode()).hexdigest()
    members = []
    for i in range(size):
        site = maker.site(domain=domains[i] if i < len(domains) else "")
        # Who earns on one account has no second one; a share of the owners keeps them apart all the same.
        for kind in ("adsense", "fb_pixel"):
            if not dice.percent(5):
                site.accounts.pop(kind, None)
        for kind, value in shared.items():
            if dice.percent(plan.shown):
                site.accounts[kind] = f"{value}-{i + 1}" if kind == "ga_account" else value
        if "nameserver" in seconds and dice.percent(plan.shown):
            site.nameservers = [f"ns1.{owner}.example", f"ns2.{owner}.example"]
        if "registered_at" in seconds and dice.percent(plan.shown):
            site.created = created
        if "template" in seconds and dice.percent(plan.shown):
            site.template, site.classes, site.plugins = theme, [*classes, *(maker.word(3) for _ in range(2))], []
        if "favicon" in seconds and dice.percent(plan.shown):
            site.favicon = favicon
        if "asset_host" in seconds and dice.percent(plan.shown):
            site.scripts.append(f"https://static.{owner}.example/app.js")
        if "subnet" in seconds and dice.percent(plan.shown) and not site.behind:
            site.ip = maker.address(subnet)
        members.append(site)
    if "certificate" in firsts:
        named = [site.domain for site in members if dice.percent(plan.shown)]
        for site in members:
            if site.domain in named and not site.behind:
                site.sans = named
    return members


# ---- traps -------------------------------------------------------------------------------------------------


def _trap_agency(maker: _Maker, n: int) -> list[Site]:
    """One agency builds for many: its tag container, theme, server and certificate, and the clients' own accounts."""
    gtm, theme, classes = maker.account("gtm"), f"{maker.word(3)}-theme", [maker.word(3) for _ in range(60)]
    plugins, ip = [maker.word(3) for _ in range(4)], maker.address()
    sites = [maker.site() for _ in range(n)]
    for site in sites:
        for kind in ("adsense", "fb_pixel"):
            site.accounts.pop(kind, None)
            if maker.dice.percent(maker.plan.own):
                site.accounts[kind] = maker.account(kind)
        site.accounts["gtm"], site.template, site.classes, site.plugins = gtm, theme, list(classes), list(plugins)
        site.ip, site.behind, site.sans = ip, False, [other.domain for other in sites]
    return sites


def _trap_theme(maker: _Maker, n: int) -> list[Site]:
    """A popular theme with its recommended plug-ins and icon."""
    theme, classes, plugins = (
        f"{maker.word(3)}-theme",
        [maker.word(3) for _ in range(60)],
        [maker.word(3) for _ in range(4)],
    )
    icon = hashlib.sha256(theme.encode()).hexdigest()
    sites = [maker.site() for _ in range(n)]
    for site in sites:
        site.template, site.classes, site.plugins, site.favicon = theme, list(classes), list(plugins), icon
    return sites


def _trap_network(maker: _Maker, n: int) -> list[Site]:
    """Sites behind one address of a network, with its certificate for many."""
    sites = [maker.site() for _ in range(n)]
    names = [site.domain for site in sites] + [f"{maker.word(4)}.example" for _ in range(30)]
    for site in sites:
        site.ip, site.behind, site.sans = "104.16.77.7", True, ["sni.cloudflaressl.com", *names]
    return sites


def _trap_shared_host(maker: _Maker, n: int) -> list[Site]:
    """One cheap server, one certificate for its customers, and for some one popular theme."""
    ip, sites = maker.address(), [maker.site() for _ in range(n)]
    theme, classes, plugins = maker.dice.choose(maker._themes)
    for i, site in enumerate(sites):
        site.ip, site.behind, site.server, site.sans = ip, False, "LiteSpeed", [other.domain for other in sites]
        if i % 2:
            site.template, site.classes, site.plugins = theme, list(classes), list(plugins)
    return sites


def _trap_parked(maker: _Maker, n: int) -> list[Site]:
    """Domains for sale: the page, the advertising account and the server are the parking company's."""
    account, sites = maker.account("adsense"), [maker.site(accounts=()) for _ in range(n)]
    for site in sites:
        site.parked, site.accounts, site.ip, site.behind = True, {"adsense": account}, "198.18.250.9", False
    return sites


def _trap_platform(maker: _Maker, n: int) -> list[Site]:
    """Blogs under own domains on one platform, which puts its own advertising account on all of them."""
    account, ip = maker.account("adsense"), maker.address()
    theme, classes = f"{maker.word(3)}-theme", [maker.word(3) for _ in range(60)]
    sites = [maker.site(accounts=("ga_property",)) for _ in range(n)]
    for site in sites:
        if maker.dice.percent(maker.plan.own):
            site.accounts["fb_pixel"] = maker.account("fb_pixel")
        site.accounts["adsense"], site.template, site.classes, site.ip, site.behind = (
            account,
            theme,
            list(classes),
            ip,
            False,
        )
        site.sans = [other.domain for other in sites]
    return sites


def _trap_wire(maker: _Maker, n: int) -> list[Site]:
    """Partners of a wire agency: its widget with its counter on every page, its pictures, its stories word for word."""
    counter, host = maker.account("yandex_metrica"), f"widgets.{maker.word(4)}.example"
    sites = [maker.site() for _ in range(n)]
    story = maker.stories(sites[0], 1)[0]
    for site in sites:
        site.accounts.pop("adsense", None)
        if maker.dice.percent(maker.plan.own):
            site.accounts["adsense"] = maker.account("adsense")
        site.accounts["yandex_metrica_widget"] = counter
        site.scripts.append(f"https://{host}/partner.js")
        site.images.append(f"https://{host}/today.jpg")
        site.stories = [(story[0], story[1])]
    return sites


def _trap_syndicated(maker: _Maker, n: int) -> list[Site]:
    """The ads.txt block of a sales house, its accounts marked DIRECT, beside each site's own account."""
    block = [f"saleshouse{i}.example, {maker.number(6)}, DIRECT" for i in range(25)]
    theme, classes, plugins = maker.dice.choose(maker._themes)
    sites = [maker.site() for _ in range(n)]
    for i, site in enumerate(sites):
        site.ads = [*block, *site.ads]
        if maker.dice.percent(maker.plan.own):
            site.accounts["adsense"] = maker.account("adsense")
        if i % 2:
            site.template, site.classes, site.plugins = theme, list(classes), list(plugins)
    return sites


def _trap_mirror(maker: _Maker, victim: Site, level: Level) -> list[Site]:
    """Somebody copies a site page by page, accounts and all, to another server; the easy one leaves the canonical address in."""
    site = maker.site(accounts=())
    site.copies, site.says_canonical = victim, level == "easy"
    return [site, victim]


def _trap_pasted(maker: _Maker, victim: Site) -> list[Site]:
    """A site explains tracking with code pasted from another: in a listing, and once unescaped into the page."""
    site = maker.site()
    site.template, site.classes, site.plugins = victim.template, list(victim.classes), list(victim.plugins)
    site.pasted = _codes(victim, 0)
    return [site, victim]


def _trap_sold_account(maker: _Maker) -> list[Site]:
    """An account (a whole analytics property and its advertising) changed hands: one site had it until, another since."""
    first, second = maker.site(), maker.site()
    for site in (first, second):
        site.template, site.classes, site.plugins = first.template, list(first.classes), list(first.plugins)
    sold = {kind: maker.account(kind) for kind in ("ga_property", "adsense")}
    for site in (first, second):
        site.accounts = {kind: value for kind, value in site.accounts.items() if kind not in sold} | sold
    first.until, second.since = 35, 55
    return [first, second]


def _trap_name(maker: _Maker) -> list[Site]:
    """The same name under two endings, by two people who like the same theme."""
    name = maker.word(5)
    sites = [maker.site(domain=f"{name}.{ending}") for ending in ("example", "test")]
    sites[1].template, sites[1].classes, sites[1].plugins = (
        sites[0].template,
        list(sites[0].classes),
        list(sites[0].plugins),
    )
    return sites


# ---- the world ---------------------------------------------------------------------------------------------


def generate_sites(level: Level = "medium", seed: int = 2026, *, known: Sequence[str] = ()) -> SiteSimulation:
    """Return invented websites with families and traps.

    Args:
        level: how clear the traces are, one of :data:`LEVELS`.
        seed: the same seed gives the same pages on every machine.
        known: domains that exist already (of simulated posts): the first four become one family, up to forty more stand alone.

    Raises:
        ConfigError: no such level.
    """
    if level not in PLANS:
        raise ConfigError(f"no level {level!r}; known: {', '.join(PLANS)}")
    plan, maker = PLANS[level], _Maker(seed, PLANS[level])
    families: dict[str, list[Site]] = {}
    if len(known) >= 4:
        families["family-0"] = _add_family(maker, 4, known[:4])
        for domain in known[4:44]:
            maker.site(domain=domain)
    for i in range(len(families), plan.n_families):
        families[f"family-{i}"] = _add_family(maker, 2 + maker.dice.below(plan.largest - 1))
    alone = [maker.site() for _ in range(130)]
    traps = {
        "agency": _trap_agency(maker, 9),
        "small agency": _trap_agency(maker, 4),
        "theme": _trap_theme(maker, 12),
        "network": _trap_network(maker, 10),
        "shared host": _trap_shared_host(maker, 12),
        "parked": _trap_parked(maker, 8),
        "platform": _trap_platform(maker, 9),
        "wire widget": _trap_wire(maker, 8),
        "syndicated ads.txt": _trap_syndicated(maker, 8),
        "mirror": _trap_mirror(maker, alone[0], level),
        "mirror of a family": _trap_mirror(maker, families["family-1"][0], level),
        "pasted code": _trap_pasted(maker, alone[1]),
        "sold account": _trap_sold_account(maker),
        "same name": _trap_name(maker),
    }
    traps["sold domain"] = _sell(families, maker)
    bridge, sides = _bridge(families, maker)
    traps["bridge"] = sides
    days = [(day, _START + timedelta(days=day)) for day in LOOK_DAYS]
    pages = [page for site in maker.sites for page in _pages(site, days, maker)]
    named = {name: sorted(site.domain for site in members) for name, members in families.items()}
    return SiteSimulation(
        pages, named, {name: sorted({s.domain for s in sites}) for name, sites in traps.items()}, [bridge.domain]
    )


def _sell(families: dict[str, list[Site]], maker: _Maker) -> list[Site]:
    """Sell one site of a family to another owner; return all sites of both but the sold one: old and new are strangers."""
    old, new = families["family-2"], families["family-3"]
    sold, example = old[0], new[0]
    later = maker.site(domain=sold.domain)
    maker.sites.remove(later)
    for name in ("template", "ip", "server", "nameservers", "created", "favicon", "behind"):
        setattr(later, name, getattr(example, name))
    later.classes, later.plugins, later.scripts = list(example.classes), list(example.plugins), list(example.scripts)
    later.accounts, later.sans, later.headers = dict(example.accounts), list(example.sans), list(example.headers)
    sold.later = later
    new.append(sold)
    return [site for site in (*old, *new) if site is not sold]


def _bridge(families: dict[str, list[Site]], maker: _Maker) -> tuple[Site, list[Site]]:
    """Add the site of a contractor who serves two owners and shows something of both; nobody says whose it is."""
    one, two = families["family-4"], families["family-5"]
    bridge = maker.site(accounts=("ga_property",))
    bridge.accounts |= {
        kind: value for kind, value in one[0].accounts.items() if kind in ("gtm", "yandex_metrica", "ga_account")
    }
    bridge.template, bridge.classes = one[0].template, list(one[0].classes)
    bridge.nameservers, bridge.scripts, bridge.sans = two[0].nameservers, list(two[0].scripts), list(two[0].sans)
    if "fb_pixel" in two[0].accounts:
        bridge.accounts["fb_pixel"] = two[0].accounts["fb_pixel"]
    return bridge, [*one, *two]


def web_sources(posts: pa.Table) -> list[str]:
    """Return the websites among the sources of simulated posts, those with most posts first."""
    web = posts.filter(pc.equal(posts.column("platform"), "web"))
    counts = pc.value_counts(web.column("source")).to_pylist()
    return [c["values"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))]


def write_sites(simulation: SiteSimulation, folder: Path) -> None:
    """Write ``pages.ndjson`` into ``folder`` and add ``families``, ``traps`` and ``unjudged`` to the ``truth.json`` there."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.json"
    known = orjson.loads(truth.read_bytes()) if truth.exists() else {}
    known |= {"families": simulation.families, "traps": simulation.traps, "unjudged": simulation.unjudged}
    lines = b"".join(orjson.dumps(_without_null(page), option=orjson.OPT_APPEND_NEWLINE) for page in simulation.pages)
    for path, data in ((truth, orjson.dumps(known, option=orjson.OPT_INDENT_2)), (folder / "pages.ndjson", lines)):
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(data)
        unfinished.replace(path)


def _without_null(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if value is not None}


# ---- pages -------------------------------------------------------------------------------------------------


def _pages(site: Site, days: Sequence[tuple[int, datetime]], maker: _Maker) -> list[dict[str, Any]]:
    shown = site.copies or site
    if len(shown.stories) < PAGES_PER_LOOK * len(days):
        shown.stories = [*shown.stories, *maker.stories(shown, PAGES_PER_LOOK * len(days))]
    rows = []
    for at, (day, moment) in enumerate(days):
        now = site.later if site.later is not None and day >= SALE_DAY else site
        for i in range(PAGES_PER_LOOK):
            number = at * PAGES_PER_LOOK + i
            rows.append(_page(now, shown, number, day, moment + timedelta(minutes=maker.dice.below(600)), site.domain))
    return rows


def _page(site: Site, shown: Site, number: int, day: int, moment: datetime, domain: str) -> dict[str, Any]:
    url = f"https://{domain}/" if number == 0 else f"https://{domain}/{number}"
    body = (
        _parked(site)
        if site.parked
        else _html(site, shown if site.copies else site, shown.stories[number], number, day, url)
    )
    ads = (
        [f"google.com, pub-{site.accounts['adsense']}, DIRECT, f08c47fec0942fa0"] if "adsense" in site.accounts else []
    )
    if site.copies is not None or not _is_on(site, day):
        ads = []
    headers = {name: {"Server": "cloudflare" if site.behind else site.server, "X-Powered-By": "PHP/8.1"}.get(name, "1") for name in site.headers}  # fmt: skip
    if site.behind:
        headers["CF-Ray"] = "8f00000000000000-ALA"
    return {
        "domain": domain,
        "url": url,
        "fetched_at": moment.isoformat().replace("+00:00", "Z"),
        "html": body,
        "ads_txt": "\n".join([*ads, *site.ads]) or None,
        "headers": {"Date": "today", "Content-Type": "text/html", **headers},
        "ip": site.ip,
        "nameservers": site.nameservers,
        "favicon_sha256": site.favicon,
        "cert_sans": [domain, *site.sans],
        "whois_created": site.created.isoformat().replace("+00:00", "Z"),
    }


def _is_on(site: Site, day: int) -> bool:
    return (site.until is None or day <= site.until) and (site.since is None or day >= site.since)


def _parked(site: Site) -> str:
    return (
        f"<html><head><title>{site.domain}</title></head><body><h1>This domain is for sale</h1>"
        f'<ins data-ad-client="ca-pub-{site.accounts["adsense"]}"></ins></body></html>'
    )


def _codes(site: Site, day: int) -> str:
    """Return the snippets of a site's accounts as their makers hand them out."""
    parts = []
    for kind, value in site.accounts.items():
        if kind in ("ga_property", "adsense") and not _is_on(site, day):
            continue
        match kind:
            case "ga_property":
                parts.append(f'<script async src="https://www.googletagmanager.com/gtag/js?id={value}"></script><script>gtag("config", "{value}");</script>')  # fmt: skip
            case "ga_account":
                full = value if value.count("-") == 2 else f"{value}-1"
                parts.append(f'<script>ga("create", "{full}", "auto"); ga("send", "pageview");</script>')
            case "gtm":
                parts.append(
                    f"<script>(function(w,d,s,l,i){{}})(window,document,'script','dataLayer','{value}');</script>"
                )
            case "yandex_metrica" | "yandex_metrica_widget":
                parts.append(f'<script>ym({value}, "init", {{clickmap:true}});</script><noscript><img src="https://mc.yandex.ru/watch/{value}"></noscript>')  # fmt: skip
            case "fb_pixel":
                parts.append(f"<script>fbq('init', '{value}'); fbq('track', 'PageView');</script>")
            case "adsense":
                parts.append(f'<script async src="https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js?client=ca-pub-{value}"></script>')  # fmt: skip
            case "verification":
                parts.append(f'<meta name="google-site-verification" content="{value}">')
            case "wallet":
                parts.append(f"<p>BTC {value}</p>")
    return "\n".join(parts)


def _html(site: Site, shown: Site, story: tuple[str, str], number: int, day: int, url: str) -> str:
    title, text = story
    canonical = f"https://{shown.domain}/{number}" if site.copies is not None and site.says_canonical else ""
    if site.copies is None:
        canonical = url
    assets = [f'<link rel="stylesheet" href="/wp-content/themes/{shown.template}/style.css">']
    assets += [f'<script src="/wp-content/plugins/{plugin}/x.js"></script>' for plugin in shown.plugins]
    assets += [f'<script src="{script}"></script>' for script in shown.scripts]
    blocks = "".join(f'<div class="{name}"></div>' for name in shown.classes)
    pictures = "".join(f'<img src="{image}" alt="">' for image in shown.images)
    pasted = ""
    if site.pasted and number % 3 == 1:
        pasted = f"<pre>{site.pasted}</pre>" if number > 1 else site.pasted
    link = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    return (
        f'<!DOCTYPE html><html lang="{shown.language}"><head><title>{title}</title>{link}'
        f'<meta name="generator" content="WordPress 6.{len(shown.domain) % 6}">{"".join(assets)}{_codes(shown, day)}</head><body>'
        f'<header id="top"><nav><ul></ul></nav></header><main id="m-{shown.template}"><section><article><h1>{title}</h1><p>{text}</p>'
        f'{pasted}{pictures}</article></section><aside id="side"><section></section></aside></main>{blocks}'
        f'<footer id="foot"><div><form></form></div></footer></body></html>'
    )
