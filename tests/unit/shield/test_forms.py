"""Every form read back by an obvious reader: exactly the entries that it can carry, whatever the entries say."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from hypothesis import given
from shield_entries import NOW, body, document, entry, many, one_of_each

from bastau.listed_urls import listed_expressions
from bastau.prefix_client import hits, read_prefixes
from bastau.shield.forms import FORMS
from bastau.shield.forms.adblock import patterns


def only(files):
    (data,) = files.values()
    return data.decode()


def read_hosts(files):
    found = set()
    lines = [line.split() for line in only(files).splitlines() if not line.startswith("#")]
    for four, six in zip(lines[::2], lines[1::2], strict=True):
        assert (four[0], six[0], four[1:]) == ("0.0.0.0", "::", six[1:])
        assert four[2:] == [f"www.{four[1]}"]
        found.add(("name", four[1]))
    return found


def read_rpz(files):
    names = re.findall(r"^(\S+) CNAME \.$", only(files), re.M)
    assert len(names) % 2 == 0
    return {
        ("domain" if below == f"*.{name}" else "host", name)
        for name, below in zip(names[::2], names[1::2], strict=True)
    }


def read_adblock(files):
    lines = [line for line in only(files).splitlines() if not line.startswith("!")]
    assert all(line.endswith("$document") for line in lines)
    return [line.removesuffix("$document") for line in lines]


def read_csv(files):
    text = only(files)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert not any(cell.startswith(tuple("=+-@\t\r\n")) for row in rows for cell in row.values())
    return {(row["kind"], row["value"]) for row in rows}


def read_pytx(files):
    kinds = {"url": "url", "pdq": "pdq", "video_md5": "md5", "video_sha256": "sha256"}
    lines = [line.split(" ", 1) for line in only(files).split("\n")[:-1]]
    return {(kinds[signal], value) for signal, value in lines}


def read_stix(files):
    found = set()
    for made in json.loads(only(files))["objects"]:
        if made["type"] != "indicator" or made.get("revoked"):
            continue
        path, value = re.fullmatch(r"\[(.+) = '(.+)'\]", made["pattern"]).groups()
        value = value.replace("\\'", "'").replace("\\\\", "\\")
        kinds = {"url:value": "url", "file:hashes.'SHA-256'": "sha256", "file:hashes.MD5": "md5"}
        found.add((kinds.get(path, "name"), value))
    return found


def read_misp(files):
    manifest = json.loads(files["misp/manifest.json"])
    found = set()
    assert {f"misp/{event}.json" for event in manifest} == {
        n for n in files if "manifest" not in n and "hashes" not in n
    }
    for event in manifest:
        for made in json.loads(files[f"misp/{event}.json"])["Event"]["Object"]:
            (attribute,) = made["Attribute"]
            if not made.get("deleted"):
                kind = {"hostname": "host"}.get(attribute["type"], attribute["type"])
                found.add((kind, attribute["value"]))
    return found


def read_ftm(files):
    found = set()
    for line in only(files).splitlines():
        made = json.loads(line)
        assert made["schema"] in ("Organization", "HyperText")
        value = made["properties"].get("title") or made["properties"]["name"]
        found.add(("url" if made["schema"] == "HyperText" else "name", value[0]))
    return found


READERS = {
    "hosts": read_hosts, "rpz": read_rpz, "csv": read_csv, "pytx": read_pytx, "stix": read_stix, "misp": read_misp,
    "ftm": read_ftm,
}  # fmt: skip
UNTOLD = {name: {"host": "name", "domain": "name"} for name in ("hosts", "stix", "ftm")}
"""Kinds that a form does not tell apart."""


def standing_of(rows):
    return [row for row in rows if row["retracted_at"] is None and row["expires_at"] > NOW]


@pytest.mark.parametrize("name", READERS)
@given(rows=many())
def test_a_form_read_back_holds_exactly_what_stands_and_it_can_carry(name, rows):
    form, untold = FORMS[name], UNTOLD.get(name, {})
    files = body(form.files(document(*rows)))
    wanted = {(untold.get(r["kind"], r["kind"]), r["value"]) for r in standing_of(rows) if form.carries(r)}
    assert READERS[name](files) == wanted


@given(rows=many())
def test_filters_are_those_of_the_entries_that_stand(rows):
    lines = read_adblock(body(FORMS["adblock"].files(document(*rows))))
    carried = [row for row in standing_of(rows) if FORMS["adblock"].carries(row)]
    assert lines == [pattern for row in carried for pattern in patterns(row)]


@given(rows=many())
def test_every_address_that_stands_has_its_prefix_and_nothing_else_has(rows):
    files = body(FORMS["prefixes"].files(document(*rows)))
    header, prefixes = read_prefixes(files["prefixes.bin"])
    shown = [e for name, data in files.items() if name.startswith("full/") for e in json.loads(data)]
    stands = [row for row in standing_of(rows) if FORMS["prefixes"].carries(row)]
    assert {e["entry_id"] for e in shown} == {row["entry_id"] for row in stands}
    assert sorted({int(e["hash"][:8], 16) for e in shown}) == list(prefixes)
    assert header["n_prefixes"] == len(prefixes)
    for row in stands:
        if row["kind"] != "url":
            assert hits(f"http://{row['value']}/anything?at=all", prefixes)


@pytest.mark.parametrize("name", FORMS)
@given(rows=many())
def test_the_same_document_gives_the_same_bytes_and_never_what_ceased_to_stand(name, rows):
    first = document(
        *({**row, "retracted_at": None, "retraction_reason": None, "expires_at": NOW + timedelta(1)} for row in rows)
    )
    second = document(*rows, previous=first)
    files = body(FORMS[name].files(second))
    assert files == body(FORMS[name].files(second))
    text = b"\n".join(files.values())
    stands = standing_of(rows)
    for row in rows:
        if row not in stands and not any(row["value"] in other["value"] for other in stands):
            assert row["value"].encode() not in text


@pytest.mark.parametrize("name", FORMS)
def test_what_a_form_cannot_carry_is_counted(name):
    made = document(*one_of_each())
    counts = FORMS[name].counts(made)
    assert counts["carried"] + counts["left_out"] == 7
    text = b"".join(body(FORMS[name].files(made)).values()).decode("utf-8", "replace")
    if name in ("hosts", "rpz", "adblock"):
        assert (
            f"Entries: {counts['carried']} (left out, for which this form has no place: {counts['left_out']})" in text
        )
        for said in ("Version: 1", "Valid until: 2026-09-08T12:00:00Z", "https://watch.example/appeal", "Opt-in"):
            assert said in text


@pytest.mark.parametrize("name", ["hosts", "rpz"])
def test_a_page_never_blocks_its_host(name):
    text = body(FORMS[name].files(document(entry(1, "url", "https://news.example-1.kz/a"), entry(2))))
    assert b"example-1.kz" not in b"".join(text.values())
    assert FORMS[name].counts(document(entry(1, "url"), entry(2))) == {"carried": 1, "left_out": 1}


def test_a_line_break_in_a_setting_starts_no_line():
    made = {**document(entry()), "publisher": "Watch\n0.0.0.0 good.kz", "appeal": "a\r\nb"}
    for name in ("hosts", "rpz", "adblock"):
        lines = body(FORMS[name].files(made))
        assert b"\n0.0.0.0 good.kz" not in b"".join(lines.values())


def test_a_formula_is_made_harmless_in_a_table():
    text = only(body(FORMS["csv"].files(document(entry(reason='=HYPERLINK("http://x")', ground="＝1+1")))))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["reason"], row["ground"]) == ('\'=HYPERLINK("http://x")', "'＝1+1")


@pytest.mark.parametrize("ending", ["rpz-ip", "rpz-client-ip", "rpz-nsip", "rpz-nsdname"])
def test_a_name_that_a_zone_takes_for_a_network_or_a_name_server_is_left_out(ending):
    made = document(entry(1, "host", f"8.0.0.0.10.{ending}"), entry(2, "host", f"{ending}.bad-2.kz"))
    assert read_rpz(body(FORMS["rpz"].files(made))) == {("host", f"{ending}.bad-2.kz")}


def test_the_serial_of_the_zone_is_the_version():
    made = document(entry(), previous={**document(entry()), "version": 41})
    assert "@ SOA localhost. root.localhost. 42 3600 600 604800 300" in only(body(FORMS["rpz"].files(made)))


def test_filters_of_a_page_a_folder_an_account_and_a_query():
    def of(value):
        return patterns(entry(kind="url", value=value))

    assert of("https://a.kz/x") == ["||a.kz/x|", "||a.kz/x?"]
    assert of("https://a.kz/x/") == ["||a.kz/x/"]
    assert of("https://a.kz/x?q=1") == ["||a.kz/x?q=1|"]
    assert of("https://t.me/channel") == ["||t.me/channel|", "||t.me/channel?", "||t.me/channel/"]


def test_a_star_in_an_address_would_match_anything_so_it_is_left_out():
    assert not FORMS["adblock"].carries(entry(kind="url", value="https://a.kz/*"))


@pytest.mark.parametrize("name", FORMS)
def test_a_retraction_changes_only_what_it_must(name):
    rows = [*one_of_each(), entry(9, "domain", act="recruit"), entry(10, "url", act="recruit")]
    first = document(*rows)
    gone = {**rows[-1], "retracted_at": NOW, "retraction_reason": "overturned"}
    second = document(*rows[:-1], gone, previous=first, now=NOW + timedelta(hours=1))
    before, after = body(FORMS[name].files(first)), body(FORMS[name].files(second))
    if name == "misp":
        changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
        assert changed >= {"misp/manifest.json", "misp/hashes.csv"}
        assert len(changed) == 3  # the event of recruiting; the one of inciting is the same
        assert read_misp(before) - read_misp(after) == {("url", gone["value"])}
    elif name == "prefixes":
        assert set(read_prefixes(before["prefixes.bin"])[1]) - set(read_prefixes(after["prefixes.bin"])[1])
        same = {n for n in before if n.startswith("full/") and before[n] == after.get(n)}
        assert len(same) == len([n for n in before if n.startswith("full/")]) - len(
            {s[:2] for s in [_first(e) for e in listed_expressions(gone["value"])[0]]}
        )
    else:
        lost = set(only(before).splitlines()) - set(only(after).splitlines())
        heads = ("#", ";", "!", "@ SOA", '{"type":"bundle"')
        kept = [line for line in lost if not line.startswith(heads)]
        assert all(gone["value"].removeprefix("https://") in line for line in kept)
        assert bool(kept) == FORMS[name].carries(gone)


def _first(expression):
    import hashlib

    return hashlib.sha256(expression.encode()).hexdigest()
