"""Each form of a shield list, loaded by the programs and libraries that subscribers use. What is not installed is skipped."""

import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import dns.message
import dns.query
import dns.rcode
import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit" / "shield"))

from shield_entries import NOW, document, entry, one_of_each

from bastau.shield.forms import FORMS
from bastau.shield.forms.taxii import answer, collection
from bastau.shield.publish import publish
from bastau.shield.signing import make_key

ROWS = [
    *one_of_each(),  # h2.example-2.kz is a host, bad-3.kz a domain
    entry(8, "domain", "xn--80aswg.xn--p1ai"),
    entry(9, "host", "under_score.kz"),
    entry(10, "host", f"{'l' * 63}.{'m' * 63}.kz"),
    entry(11, "url", "https://t.me/somechannel"),
    entry(12, "url", "https://a.kz/it's?q='\"$"[:-2]),
    entry(13, "host", "203.0.113.7"),
    entry(14, "url", "https://pages.kz/folder/"),
]
GONE = {**entry(20), "retracted_at": NOW, "retraction_reason": "overturned"}
FIRST = document(*ROWS, entry(20))
MADE = document(*ROWS, GONE, previous=FIRST, now=NOW + timedelta(hours=1))


def needs(*programs):
    missing = [name for name in programs if not (shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"))]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def library(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    publish(MADE, folder, list(FORMS), [make_key(folder.with_name("k"))])
    return folder


# ---- names: a resolver is asked ----------------------------------------------------------------------------


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Resolver:
    def __init__(self, command, folder, port):
        self.port = port
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        for _ in range(100):
            try:
                self.ask("probe.invalid", "A", 0.2)
                return
            except OSError:
                time.sleep(0.1)
            except dns.exception.Timeout:
                return
            if self.process.poll() is not None:
                break
        raise AssertionError((folder / "log").read_text())

    def ask(self, name, type_, timeout=5.0):
        query = dns.message.make_query(name, type_)
        return dns.query.udp(query, "127.0.0.1", port=self.port, timeout=timeout)

    def addresses(self, name, type_="A"):
        return {item.to_text() for rows in self.ask(name, type_).answer for item in rows}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


UNBOUND = """
server:
  port: {port}
  interface: 127.0.0.1
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  use-syslog: no
  module-config: "respip validator iterator"
  do-not-query-localhost: no
  local-zone: "kz." transparent
  local-data: "good.kz. A 192.0.2.1"
  local-data: "other.example-2.kz. A 192.0.2.3"
  local-data: "example-1.kz. A 192.0.2.4"
  local-data: "bad-20.kz. A 192.0.2.5"
rpz:
  name: shield.rpz
  zonefile: "{zone}"
remote-control:
  control-enable: no
"""
NAMED = """
options {{ directory "{folder}"; pid-file "pid"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes;
  dnssec-validation no; response-policy {{ zone "shield.rpz"; }} qname-wait-recurse no; forward only; forwarders {{ 127.0.0.1 port {dead}; }}; }};
controls {{ }};
zone "shield.rpz" {{ type primary; file "{zone}"; allow-query {{ none; }}; }};
zone "good.kz" {{ type primary; file "{folder}/good"; }};
zone "example-1.kz" {{ type primary; file "{folder}/good"; }};
zone "bad-20.kz" {{ type primary; file "{folder}/good"; }};
"""
DENIED = [
    "h2.example-2.kz",
    "bad-3.kz",
    "www.bad-3.kz",
    "a.b.bad-3.kz",
    "xn--80aswg.xn--p1ai",
    "under_score.kz",
    f"{'l' * 63}.{'m' * 63}.kz",
]
ALLOWED = ["good.kz", "example-1.kz", "bad-20.kz"]


@needs("named-checkzone")
def test_bind_finds_the_zone_in_order(web):
    done = subprocess.run(
        [program("named-checkzone"), "-k", "fail", "shield.rpz", web / "rpz.zone"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "loaded serial 2" in done.stdout


@needs("unbound")
def test_unbound_denies_what_is_listed_and_nothing_else(web, tmp_path):
    port = free_port()
    (tmp_path / "conf").write_text(UNBOUND.format(port=port, folder=tmp_path, zone=web / "rpz.zone"))
    resolver = Resolver([program("unbound"), "-d", "-c", "conf"], tmp_path, port)
    try:
        assert {name: dns.rcode.to_text(resolver.ask(name, "A").rcode()) for name in DENIED} == dict.fromkeys(
            DENIED, "NXDOMAIN"
        )
        assert {resolver.ask(name, "AAAA").rcode() for name in DENIED} == {dns.rcode.NXDOMAIN}
        assert all(resolver.addresses(name) for name in ALLOWED)
        assert resolver.addresses("other.example-2.kz") == {"192.0.2.3"}  # beside a listed host
    finally:
        resolver.stop()


@needs("named")
def test_bind_denies_what_is_listed_and_nothing_else(web, tmp_path):
    port = free_port()
    (tmp_path / "good").write_text("$TTL 60\n@ SOA a. b. 1 1 1 1 1\n@ NS localhost.\n@ A 192.0.2.1\n")
    (tmp_path / "conf").write_text(NAMED.format(port=port, dead=free_port(), folder=tmp_path, zone=web / "rpz.zone"))
    resolver = Resolver([program("named"), "-g", "-c", "conf", "-p", str(port)], tmp_path, port)
    try:
        assert {name: dns.rcode.to_text(resolver.ask(name, "A").rcode()) for name in DENIED} == dict.fromkeys(
            DENIED, "NXDOMAIN"
        )
        assert all(resolver.addresses(name) == {"192.0.2.1"} for name in ALLOWED)
    finally:
        resolver.stop()


@needs("dnsmasq")
def test_dnsmasq_gives_a_listed_name_no_address_and_asks_nobody_for_it(web, tmp_path):
    port = free_port()
    command = [
        program("dnsmasq"), "-d", "-C", "/dev/null", "-p", str(port), "-a", "127.0.0.1", "--bind-interfaces", "-R", "-h",
        "-H", web / "hosts.txt", "--host-record=good.kz,192.0.2.1", "--user=root", "--pid-file=",
    ]  # fmt: skip
    resolver = Resolver(command, tmp_path, port)
    try:
        for name in (
            "h2.example-2.kz",
            "www.h2.example-2.kz",
            "bad-3.kz",
            "www.bad-3.kz",
            "xn--80aswg.xn--p1ai",
            "under_score.kz",
        ):
            assert (resolver.addresses(name), resolver.addresses(name, "AAAA")) == ({"0.0.0.0"}, {"::"}), name
        assert resolver.addresses("good.kz") == {"192.0.2.1"}
        for name in ("other.bad-3.kz", "example-1.kz", "bad-20.kz"):
            assert resolver.ask(name, "A").rcode() == dns.rcode.REFUSED  # there is nobody to ask
    finally:
        resolver.stop()


# ---- filters ------------------------------------------------------------------------------------------------


def test_an_engine_of_filters_blocks_listed_documents_and_nothing_else(web):
    adblock = library("adblock")
    filters = adblock.FilterSet()
    filters.add_filter_list((web / "adblock.txt").read_text("utf-8"))
    engine = adblock.Engine(filters)

    def blocks(address, type_="document"):
        return engine.check_network_urls(address, address, type_).matched

    for address in (
        "https://bad-3.kz/", "http://deep.bad-3.kz/x", "http://h2.example-2.kz/", "https://www.h2.example-2.kz/y",
        "https://example-1.kz/page/1", "https://www.example-1.kz/page/1?utm=1", "https://t.me/somechannel",
        "https://t.me/somechannel/12", "https://xn--80aswg.xn--p1ai/", "https://pages.kz/folder/x", "http://203.0.113.7/a",
    ):  # fmt: skip
        assert blocks(address), address
    for address in (
        "https://example-1.kz/", "https://example-1.kz/page/12", "https://example-1.kz/page/1/x", "https://t.me/somechannel2",
        "https://t.me/", "https://notbad-3.kz/", "https://sub.h2.example-2.kz/", "https://bad-20.kz/",
        "https://good.kz/?u=http://h2.example-2.kz/", "https://pages.kz/", "https://pages.kz/folders",
    ):  # fmt: skip
        assert not blocks(address), address
    assert not blocks("https://bad-3.kz/a.png", "image")


# ---- threat intelligence --------------------------------------------------------------------------------------


def test_stix2_parses_every_object_and_the_validator_finds_no_error(web):
    stix2 = library("stix2")
    text = (web / "stix.json").read_text("utf-8")
    bundle = stix2.parse(text, version="2.1")
    indicators = [made for made in bundle.objects if made.type == "indicator"]
    standing = [made for made in indicators if not made.get("revoked", False)]
    assert len(standing) == FORMS["stix"].counts(MADE)["carried"]
    assert len(indicators) - len(standing) == 1
    assert "bad-20.kz" not in text


def test_the_stix_validator_finds_no_error(web):
    validator = library("stix2validator")
    results = validator.validate_file(str(web / "stix.json"), validator.ValidationOptions(version="2.1", strict=False))
    assert results.is_valid, [str(error) for found in results.object_results for error in found.errors]


def test_patterns_match_what_they_name(web):
    library("stix2")
    from stix2patterns.v21.pattern import Pattern

    for made in json.loads((web / "stix.json").read_text())["objects"]:
        if made["type"] == "indicator":
            assert Pattern(made["pattern"])


class Taxii(http.server.BaseHTTPRequestHandler):
    held = collection(MADE)

    def do_GET(self):
        parts = urlsplit(self.path)
        host = f"http://{self.headers['Host']}"
        found = answer(self.held, "GET", parts.path, parts.query, self.headers.get("Accept", ""), host)
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(found.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def taxii():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taxii)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/taxii2/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_taxii_client_finds_the_collection_and_pages_through_it(taxii):
    client = library("taxii2client.v21")
    server = client.Server(taxii)
    (root,) = server.api_roots
    (held,) = root.collections
    pages = list(client.as_pages(held.get_objects, per_request=4))
    seen = [made["id"] for page in pages for made in page.get("objects", [])]
    assert len(pages) > 2
    assert len(seen) == len(set(seen)) == FORMS["stix"].counts(MADE)["carried"] + 2
    assert [row["id"] for row in held.get_manifest()["objects"]] == seen
    later = held.get_objects(added_after=FIRST["made_at"])["objects"]
    assert [made.get("revoked") for made in later] == [True]
    assert held.get_object(seen[-1])["objects"][0]["id"] == seen[-1]
    server.close()


def test_pymisp_loads_the_feed_with_objects_and_tags(web):
    pymisp = library("pymisp")
    manifest = json.loads((web / "misp" / "manifest.json").read_text())
    values, deleted = set(), 0
    for name in manifest:
        event = pymisp.MISPEvent()
        event.load_file(str(web / "misp" / f"{name}.json"))
        assert event.uuid == name
        assert {tag.name for tag in event.tags} == {"tlp:clear", 'bastau:act="incite"'}
        for made in event.objects:
            (attribute,) = made.attributes
            if getattr(made, "deleted", False):
                deleted += 1
            else:
                values.add((attribute.type, attribute.value))
                # the templates that PyMISP ships have this object and this relation
                mine = pymisp.MISPObject(made.name)
                assert (mine.template_uuid, mine["meta-category"]) == (made.template_uuid, made["meta-category"])
                assert attribute.object_relation in mine._definition["attributes"]
    carried = {(e["kind"].replace("host", "hostname"), e["value"]) for e in FORMS["misp"].carried(MADE)}
    assert (values, deleted) == (carried, 1)
    hashes = (web / "misp" / "hashes.csv").read_text().splitlines()
    assert len(hashes) == len(carried)


def test_the_misp_feed_is_what_pymisp_itself_would_write_and_fits_its_schemas(web):
    pymisp, jsonschema = library("pymisp"), library("jsonschema")
    shipped = Path(pymisp.__file__).parent / "data"
    strict, lax = (
        jsonschema.Draft4Validator(json.loads((shipped / name).read_text()))
        for name in ("schema.json", "schema-lax.json")
    )
    manifest, hashes = json.loads((web / "misp" / "manifest.json").read_text()), set()
    for name, told in manifest.items():
        held = json.loads((web / "misp" / f"{name}.json").read_text())
        lax.validate(held)
        # The strict one is older than objects: it takes the event without them, and what they hold as attributes.
        objects = held["Event"].pop("Object")
        strict.validate(held)
        for made in objects:
            for attribute in made["Attribute"]:
                plain = {
                    key: value
                    for key, value in attribute.items()
                    if key in strict.schema["defs"]["attribute"]["properties"]
                }
                assert {*attribute} - {*plain} <= {"object_relation", "first_seen", "last_seen"}
                strict.validate({"Event": {**held["Event"], "Attribute": [plain]}})
        event = pymisp.MISPEvent()
        event.load_file(str(web / "misp" / f"{name}.json"))
        theirs = event.manifest[name]
        tags = [(tag["name"], tag["colour"]) for tag in theirs.pop("Tag")]
        assert tags == [(tag["name"], tag["colour"]) for tag in told.pop("Tag")]
        assert {key: str(value) for key, value in theirs.items()} == {key: str(value) for key, value in told.items()}
        hashes |= {f"{one},{name}" for one in event.attributes_hashes("md5")}
        assert [one["uuid"] for one in event.to_feed()["Event"]["Object"]] == [one["uuid"] for one in objects]
    written = {*(web / "misp" / "hashes.csv").read_text().splitlines()}
    # PyMISP counts deleted attributes in; their value is the one word that says that nothing is there.
    retracted = hashlib.md5(b"retracted", usedforsecurity=False).hexdigest()
    assert {line.split(",")[0] for line in hashes - written} == {retracted}
    assert written < hashes


def test_threatexchange_loads_the_local_file(web):
    library("threatexchange")
    from threatexchange.exchanges.impl.file_api import FileCollaborationConfig, LocalFileSignalExchangeAPI
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal
    from threatexchange.signal_type.sha256 import VideoSHA256Signal
    from threatexchange.signal_type.url import URLSignal

    types = {made.get_name(): made for made in (VideoMD5Signal, PdqSignal, VideoSHA256Signal, URLSignal)}
    exchange = LocalFileSignalExchangeAPI(
        FileCollaborationConfig(name="shield", api="local_file", filename=str(web / "pytx.txt"))
    )
    (delta,) = exchange.fetch_iter(list(types.values()), None)
    assert len(delta.updates) == FORMS["pytx"].counts(MADE)["carried"]
    for signal, value in delta.updates:
        assert types[signal].validate_signal_str(value)
    index = PdqSignal.get_index_cls().build([(value, None) for signal, value in delta.updates if signal == "pdq"])
    assert index.query(one_of_each()[5]["value"])


def test_our_own_import_reads_the_local_file(web):
    from bastau.known_lists.formats import read_list

    form, items, rejects = read_list(web / "pytx.txt")
    found = list(items)
    assert (form, len(found), rejects.counts.total()) == ("pytx", FORMS["pytx"].counts(MADE)["carried"], 0)


def test_followthemoney_finds_every_entity_in_order_and_none_a_person(web):
    library("followthemoney")
    from followthemoney import model

    entities = [
        model.get_proxy(json.loads(line), cleaned=False) for line in (web / "ftm.json").read_text().splitlines()
    ]
    assert len(entities) == FORMS["ftm"].counts(MADE)["carried"]
    for made in entities:
        assert made.schema.name in ("Organization", "HyperText")
        assert not made.schema.is_a("Person")
        raw = made.to_dict()
        made.schema.validate(raw)
        for name, values in raw["properties"].items():
            for value in values:
                assert made.schema.get(name).type.validate(value), (name, value)


# ---- signatures and the client --------------------------------------------------------------------------------


@needs("minisign", "sha256sum")
def test_two_standard_tools_verify_everything(web):
    key = (web.with_name("k.pub")).read_text().splitlines()[1]
    done = subprocess.run(
        ["minisign", "-Vm", "SHA256SUMS", "-P", key], cwd=web, check=True, capture_output=True, text=True
    )
    assert "version 2" in done.stdout
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=web, check=False, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"")


def test_the_client_alone_on_another_machine_updates_and_looks_up(web, tmp_path):
    import bastau.prefix_client as client

    now = document(*(row | {"expires_at": row["expires_at"] + timedelta(days=30)} for row in ROWS))
    # valid for the clock of the other process, which nobody sets
    now |= {"valid_until": "2099-01-01T00:00:00Z"}
    for made in now["entries"]:
        made["expires_at"] = "2099-01-01T00:00:00Z"
    folder = tmp_path / "web"
    key = make_key(tmp_path / "k")
    publish(now, folder, ["prefixes"], [key])
    shutil.copy(client.__file__, tmp_path / "look_up.py")

    class Files(http.server.SimpleHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            self.asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:

        def call(*words):
            command = [sys.executable, "-I", "-S", str(tmp_path / "look_up.py"), *words]
            env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
            return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

        done = call(
            "update", str(tmp_path / "list"), "--from", f"http://127.0.0.1:{server.server_port}", "--key", key.public
        )
        assert (done.returncode, done.stdout) == (0, "version 1\n"), done.stderr
        Files.asked.clear()
        assert call("check", str(tmp_path / "list"), "https://good.kz/a", "https://good.kz/b").returncode == 0
        assert Files.asked == []
        done = call("check", str(tmp_path / "list"), "https://www.bad-3.kz/x")
        assert (done.returncode, len(Files.asked)) == (10, 1)
        assert json.loads(done.stdout)["entries"][0]["kind"] == "domain"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
