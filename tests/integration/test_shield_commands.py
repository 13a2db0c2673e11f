"""Shield lists by command: from the table of entries to a folder that subscribers verify and follow."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit" / "shield"))

sys.path.append(str(Path(__file__).parents[1] / "unit" / "review"))

from review_cases import Desk, opened, subject
from shield_entries import entry, one_of_each, table

from bastau.cli import main
from bastau.home import Home
from bastau.shield.entries import store_entries, stored_entries

NOW = datetime.now(UTC).replace(microsecond=0)
TIMES = {"released_at": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=30)}
WHOLE = "Every page of this website calls for killing, nothing else stands there, and new pages of the same kind appear daily."
SETTINGS = """
[shield]
publisher = "Example Watch"
appeal = "https://watch.example/appeal"
policy = "https://watch.example/policy"
licence = "CC0-1.0"
"""


@pytest.fixture
def home(tmp_path):
    home = Home.open(tmp_path / "home", create=True)
    (home.folder / "bastau.toml").write_text(SETTINGS)
    store(home, *({**row, **TIMES} for row in one_of_each()))
    return home


def store(home, *rows):
    with home.locked():
        return store_entries(home.lake, table(*rows), NOW.date())


def canonical(line):
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def run(home, *words, capsys):
    code = main([*words, "--home", str(home.folder), "--json", "--quiet"])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out else out.err


@pytest.fixture
def call(home, capsys):
    return lambda *words: run(home, *words, capsys=capsys)


def test_the_same_rows_are_stored_once(home):
    rows = [{**row, **TIMES} for row in one_of_each()]
    assert not store(home, *rows)
    assert stored_entries(home.lake).num_rows == 7


def test_from_a_key_to_a_list_that_verifies_changes_and_explains_itself(home, call, tmp_path):
    web = tmp_path / "web"
    code, said = call("export", "lists", "-o", str(web))
    assert (code, "keygen" in said) == (2, True)
    code, key = call("shield", "keygen")
    assert code == 0
    code, told = call("export", "lists", "-o", str(web))
    assert (code, told["version"], told["counts"]["entries"], told["refused"]) == (0, 1, 7, {})
    assert call("shield", "verify", str(web), "--public-key", key["public_key"]) == (
        0,
        {"folder": str(web), "wrong": []},
    )

    old = tmp_path / "old.json"
    old.write_bytes((web / "list.json").read_bytes())
    row = {**one_of_each()[2], **TIMES}
    store(home, {**row, "retracted_at": NOW, "retraction_reason": "overturned"})
    assert call("export", "lists", "-o", str(web))[1]["version"] == 2
    found = call("shield", "diff", str(old), str(web))[1]
    assert [r["entry_id"] for r in found["retracted"]] == [row["entry_id"]]
    assert "bad-3.kz" not in "".join(p.read_text("latin-1") for p in web.rglob("*") if p.is_file())
    assert call("shield", "lookup", "https://bad-3.kz/", "--list", str(old))[1]["found"][0]["entries"]
    assert not call("shield", "lookup", "https://bad-3.kz/")[1]["found"][0]["entries"]
    assert call("shield", "lookup", f"{4:064x}")[1]["found"][0]["entries"][0]["kind"] == "sha256"
    assert "https://watch.example/appeal" in call("shield", "why", row["entry_id"], "--locale", "en")[1]["text"]

    (web / "hosts.txt").write_text("0.0.0.0 good.kz\n")
    code, said = call("shield", "verify", str(web), "--public-key", key["public_key"])
    assert (code, said["wrong"]) == (3, ["hosts.txt: not what was signed"])


class TestFromTheLogOfReview:
    @pytest.fixture
    def desk(self, home):
        """A desk whose log lies in the home folder, in the days before now."""
        made = Desk(now=NOW - timedelta(days=2))
        made.do(opened(subject("domain", "calls-for-blood.kz")))
        return made

    def write(self, home, desk):
        folder = home.folder / "review"
        folder.mkdir(exist_ok=True)
        (folder / "log.ndjson").write_bytes(b"".join(canonical(line) + b"\n" for line in desk.lines))

    def exported(self, call, tmp_path):
        code, told = call("export", "lists", "-o", str(tmp_path / "web"), "--form", "hosts")
        return code, told, (tmp_path / "web" / "hosts.txt").read_text() if code == 0 else ""

    def test_one_person_publishes_nothing_two_do_and_an_appeal_takes_it_off(self, home, call, desk, tmp_path):
        call("shield", "keygen")
        desk.judge("aigul")
        self.write(home, desk)
        assert "calls-for-blood.kz" not in self.exported(call, tmp_path)[2]
        desk.release("berik", whole_argument=WHOLE)
        self.write(home, desk)
        code, told, hosts = self.exported(call, tmp_path)
        assert (code, told["refused"], "calls-for-blood.kz" in hosts) == (0, {}, True)
        everything = b"".join(p.read_bytes() for p in (tmp_path / "web").rglob("*") if p.is_file())
        assert b"aigul" not in everything
        assert b"berik" not in everything
        desk.appeal()
        desk.answer("saule", True)
        self.write(home, desk)
        told, hosts = self.exported(call, tmp_path)[1:]
        assert "calls-for-blood.kz" not in hosts
        assert told["counts"]["retractions"] == {"overturned": 1}

    @pytest.mark.parametrize("cut", [1, 40])
    def test_an_act_that_a_kill_cut_off_keeps_nothing_from_being_published(self, home, call, desk, tmp_path, cut):
        call("shield", "keygen")
        desk.judge("aigul")
        desk.release("berik", whole_argument=WHOLE)
        desk.appeal()
        self.write(home, desk)
        path = home.folder / "review" / "log.ndjson"
        path.write_bytes(path.read_bytes()[:-cut])
        code, _, hosts = self.exported(call, tmp_path)
        assert (code, "calls-for-blood.kz" in hosts) == (0, True)

    def test_an_edited_log_publishes_nothing(self, home, call, desk, tmp_path):
        call("shield", "keygen")
        desk.judge("aigul")
        desk.release("berik", whole_argument=WHOLE)
        self.write(home, desk)
        path = home.folder / "review" / "log.ndjson"
        path.write_bytes(path.read_bytes().replace(b"calls-for-blood.kz", b"news-of-the-day.kz"))
        code, told, _ = self.exported(call, tmp_path)
        assert (code, "not as it was written" in told) == (2, True)


@pytest.mark.parametrize("what", ["stix", "misp"])
def test_one_form_alone_is_a_signed_list_too(call, tmp_path, what):
    key = call("shield", "keygen")[1]
    code, told = call("export", what, "-o", str(tmp_path / "web"))
    assert (code, list(told["forms"])) == (0, [what])
    assert call("shield", "verify", str(tmp_path / "web"), "--public-key", key["public_key"])[0] == 0


def test_a_refused_entry_is_told_and_in_no_form(home, tmp_path, capsys):
    store(home, {**entry(9, "domain", "t.me"), **TIMES})
    assert main(["shield", "keygen", "--home", str(home.folder)]) == 0
    assert main(["export", "lists", "-o", str(tmp_path / "web"), "--home", str(home.folder)]) == 0
    assert "e0000000000009: refused, so in no form: shared_host" in capsys.readouterr().err
    assert "t.me" not in (tmp_path / "web" / "hosts.txt").read_text()


def test_a_home_brought_back_from_a_backup_publishes_nothing(home, call, tmp_path):
    call("shield", "keygen")
    state = home.folder / "shield" / "list.json"
    call("export", "lists", "-o", str(tmp_path / "web"))
    backup = state.read_bytes()
    call("export", "lists", "-o", str(tmp_path / "web"))
    later = state.read_bytes()
    state.write_bytes(backup)
    code, said = call("export", "lists", "-o", str(tmp_path / "web"))
    assert (code, "would go back" in said) == (2, True)
    assert (tmp_path / "web" / "list.json").read_bytes() == later
    state.write_bytes((tmp_path / "web" / "list.json").read_bytes())
    assert call("export", "lists", "-o", str(tmp_path / "web"))[1]["version"] == 3


@pytest.mark.parametrize("at", [0, 1, 2, 5, 20, 60])
def test_killed_while_publishing_the_next_export_mends_everything_under_a_new_number(
    home, call, tmp_path, monkeypatch, at
):
    from bastau.shield import publish

    key = call("shield", "keygen")[1]["public_key"]
    web = tmp_path / "web"
    call("export", "lists", "-o", str(web))
    row = {**one_of_each()[2], **TIMES}
    store(home, {**row, "retracted_at": NOW, "retraction_reason": "overturned"})
    write, n = publish.write_whole, 0

    def dies(*arguments):
        nonlocal n
        n += 1
        if n > at:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as killed:
        killed.setattr(publish, "write_whole", dies)
        assert call("export", "lists", "-o", str(web))[0] in (0, 130)
    code, told = call("export", "lists", "-o", str(web))
    assert (code, told["version"]) == (0, 3)
    assert call("shield", "verify", str(web), "--public-key", key)[1]["wrong"] == []
    assert "bad-3.kz" not in "".join(p.read_text("latin-1") for p in web.rglob("*") if p.is_file())


def test_two_exports_at_once_do_not_make_two_lists_of_one_number(home, call, tmp_path):
    call("shield", "keygen")
    command = [
        sys.executable,
        "-m",
        "bastau",
        "export",
        "lists",
        "-o",
        str(tmp_path / "web"),
        "--home",
        str(home.folder),
        "--json",
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    done = [(p.communicate()[0], p.returncode) for p in running]
    versions = sorted(json.loads(out)["version"] for out, code in done if code == 0)
    assert versions == list(range(1, len(versions) + 1))
    assert versions
    assert {code for _, code in done} <= {0, 2}


def test_one_form_takes_no_others(call, tmp_path):
    call("shield", "keygen")
    code, said = call("export", "stix", "--form", "hosts", "-o", str(tmp_path / "web"))
    assert (code, "--form is for lists" in said, (tmp_path / "web").exists()) == (2, True, False)


def test_a_list_without_an_appeal_address_is_not_made(home, call, tmp_path):
    call("shield", "keygen")
    (home.folder / "bastau.toml").write_text(SETTINGS.replace("appeal =", "# appeal ="))
    code, said = call("export", "lists", "-o", str(tmp_path / "web"))
    assert (code, "needs appeal under [shield]" in said) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("shield", "verify"),
        ("shield", "verify", "x"),
        ("shield", "diff", "x"),
        ("shield", "lookup"),
        ("shield", "why", "a", "b"),
        ("shield", "lookup", "a.kz"),
        ("shield", "lookup", "a.kz", "--list", "/nowhere"),
        ("export", "posts", "-o", "x.csv", "--form", "hosts"),
        ("export", "lists", "-o", __file__),
    ],
)
def test_a_wrong_command_is_yours(call, words):
    assert call(*words)[0] == 2


def test_a_refused_export_takes_no_number(home, call, tmp_path):
    call("shield", "keygen")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "SHA256SUMS").write_text("0  something\n")
    assert call("export", "lists", "-o", str(tmp_path / "other"))[0] == 2
    assert not (home.folder / "shield" / "list.json").exists()
    assert call("export", "lists", "-o", str(tmp_path / "web"))[1]["version"] == 1
