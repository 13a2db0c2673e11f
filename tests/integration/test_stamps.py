"""Time stamps by a real authority (openssl ts) and by a calendar that speaks OpenTimestamps, both on the loopback."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bastau.chain import Chain
from bastau.cli import main
from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.home import Home
from bastau.stamps import stamp, verify_stamps

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")

SETTINGS = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
"""


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=cwd)


def make_root(folder: Path, name: str) -> None:
    """Write ca.key and ca.pem, certified by itself."""
    new = ("-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key")
    openssl("req", "-x509", *new, "-out", "ca.pem", "-days", "3650", "-subj", f"/CN={name}", cwd=folder)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates of an authority of our own."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(SETTINGS.format(folder=folder))
    (folder / "serial").write_text("01\n")
    make_root(folder, "Test root")
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "tsa.key",
        "-out",
        "tsa.csr",
        "-subj",
        "/CN=Test authority",
        cwd=folder,
    )
    openssl(
        "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "3650", "-extfile", "tsa.cnf", "-extensions", "ext", cwd=folder,
    )  # fmt: skip
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str, bytes], bytes]], str]]:
    servers = []

    def start(reply: Callable[[str, bytes], bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = reply(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def tsa(folder: Path) -> Callable[[str, bytes], bytes]:
    def reply(_path: str, request: bytes) -> bytes:
        (folder / "request.tsq").write_bytes(request)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "answer.tsr", cwd=folder)
        return (folder / "answer.tsr").read_bytes()

    return reply


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Chain(tmp_path).append([{"act": "kept", "by": "test", "url": "https://site.kz"}], NOON)
    return tmp_path


def test_an_authority_stamps_the_head_and_the_stamp_holds_offline(
    folder: Path, authority: Path, serve: Callable[..., str]
) -> None:
    head = Chain(folder).head
    stamp(folder, NOON, authority=serve(tsa(authority)))
    shown, findings = verify_stamps(folder, authority_file=str(authority / "ca.pem"))
    assert findings == []
    assert (shown[0]["of"], shown[0]["is_signature_checked"]) == (1, True)
    assert Chain(folder).verify() == []
    assert list(Chain(folder).entries())[-1]["head"] == head


def test_a_stamp_of_another_authority_does_not_hold(
    folder: Path, authority: Path, serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stamp(folder, NOON, authority=serve(tsa(authority)))
    other = tmp_path_factory.mktemp("other")
    make_root(other, "Other")
    _, findings = verify_stamps(folder, authority_file=str(other / "ca.pem"))
    assert [finding.code for finding in findings] == ["bad_stamp"]


def test_a_changed_stamp_and_a_changed_head_are_found(folder: Path, authority: Path, serve: Callable[..., str]) -> None:
    stamp(folder, NOON, authority=serve(tsa(authority)))
    (path,) = (folder / "stamps").glob("*.tsr")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert [finding.code for finding in verify_stamps(folder)[1]] == ["changed"]
    path.unlink()
    assert [finding.code for finding in verify_stamps(folder)[1]] == ["missing"]


def test_an_answer_that_is_no_stamp_is_refused_and_nothing_is_noted(folder: Path, serve: Callable[..., str]) -> None:
    with pytest.raises(SourceChanged):
        stamp(folder, NOON, authority=serve(lambda _path, _body: b"not a stamp"))
    with pytest.raises(SourceUnavailable):
        stamp(folder, NOON, authority="http://127.0.0.1:1")
    assert Chain(folder).n == 1


def test_a_stamp_needs_a_service_and_something_to_stamp(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(ConfigError, match="no service"):
        stamp(folder, NOON)
    with pytest.raises(ConfigError, match="empty"):
        stamp(tmp_path_factory.mktemp("empty"), NOON, authority="http://127.0.0.1:1")


def calendar(path: str, message: bytes) -> bytes:
    """Answer as a calendar does: a nonce appended, hashed, promised for later."""
    from opentimestamps.core.notary import PendingAttestation
    from opentimestamps.core.op import OpAppend, OpSHA256
    from opentimestamps.core.serialize import BytesSerializationContext
    from opentimestamps.core.timestamp import Timestamp

    assert path == "/digest"
    timestamp = Timestamp(message)
    timestamp.ops.add(OpAppend(b"nonce")).ops.add(OpSHA256()).attestations.add(
        PendingAttestation("https://calendar.example.org")
    )
    out = BytesSerializationContext()
    timestamp.serialize(out)
    return bytes(out.getbytes())


def test_a_calendar_commits_to_the_head(folder: Path, serve: Callable[..., str]) -> None:
    head = Chain(folder).head
    stamp(folder, NOON, calendar=serve(calendar))
    shown, findings = verify_stamps(folder)
    assert findings == []
    assert (shown[0]["kind"], shown[0]["blocks"], shown[0]["pending"]) == (
        "opentimestamps",
        [],
        ["https://calendar.example.org"],
    )
    assert hashlib.sha256(bytes.fromhex(head)).digest() in next((folder / "stamps").glob("*.ots")).read_bytes()


def test_a_proof_for_something_else_is_found(folder: Path, serve: Callable[..., str]) -> None:
    stamp(folder, NOON, calendar=serve(calendar))
    Chain(folder).append([{"act": "stamped", "by": "x", "kind": "opentimestamps", "of": 2, "head": list(Chain(folder).entries())[1]["hash"], "file": "00000002.ots", "sha256": hashlib.sha256((folder / "stamps" / "00000002.ots").read_bytes()).hexdigest()}], NOON)  # fmt: skip
    assert [finding.code for finding in verify_stamps(folder)[1]] == ["bad_stamp"]


def test_nothing_is_locked_while_a_service_takes_its_time(tmp_path: Path, serve: Callable[..., str]) -> None:
    """What others write meanwhile stands before the stamp in the chain, and the stamp is of what was asked for."""
    home = Home.open(tmp_path / "home", create=True)
    evidence = home.folder / "evidence"
    Chain(evidence).append([{"act": "kept", "by": "test", "url": "https://site.kz"}], NOON)

    def slow(path: str, message: bytes) -> bytes:
        with home.locked(briefly=True), home.locked("evidence.lock", briefly=True):
            Chain(evidence).append([{"act": "kept", "by": "test", "url": "https://site.kz"}], NOON)
        return calendar(path, message)

    (home.folder / "bastau.toml").write_text(f'[evidence]\ncalendar = "{serve(slow)}"\n')
    assert main(["evidence", "stamp", "--home", str(home.folder)]) == 0
    assert Chain(evidence).verify() == []
    shown, findings = verify_stamps(evidence)
    assert (findings, shown[0]["of"], Chain(evidence).n) == ([], 1, 3)


def test_two_that_stamp_the_same_head_at_once_both_keep_their_stamp(folder: Path, serve: Callable[..., str]) -> None:
    inner = serve(calendar)

    def while_another_stamps(path: str, message: bytes) -> bytes:
        stamp(folder, NOON, calendar=inner)
        return calendar(path, message)

    stamp(folder, NOON, calendar=serve(while_another_stamps))
    shown, findings = verify_stamps(folder)
    assert (findings, [one["of"] for one in shown]) == ([], [1, 1])
    assert Chain(folder).verify() == []
