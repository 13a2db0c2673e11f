import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.errors import ConfigError
from bastau.prefix_client import ListError, public_key, verify
from bastau.shield.signing import load_key, make_key, refuse_to_go_back, remember, sign

DATA = b'{"list":"Oqshaq"}'
# RFC 8032, 7.1: tests 1 to 3 and SHA(abc)
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("key") / "shield.key")


@pytest.fixture(scope="module")
def signed(key):
    return sign(key, DATA, "Oqshaq, version 3")


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_published_vectors_of_the_signature_hold_and_no_change_of_them(public, message, signature):
    from bastau.prefix_client import _is_signed

    parts = [bytes.fromhex(part) for part in (public, message, signature)]
    assert _is_signed(*parts)
    assert not _is_signed(parts[0], parts[1] + b"\x00", parts[2])
    # adding the order of the group gives a second spelling of the same signature, which must not pass
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(parts[2][32:], "little") + order
    assert not _is_signed(parts[0], parts[1], parts[2][:32] + s.to_bytes(32, "little"))


def test_a_signature_gives_its_comment_to_who_has_the_key(key, signed):
    assert verify(DATA, signed, [public_key(key.public)]) == "Oqshaq, version 3"


@given(st.binary(max_size=200), st.text(st.characters(min_codepoint=32, exclude_categories=["C", "Z"]), max_size=40))
def test_whatever_is_signed_verifies(key, data, comment):
    assert verify(data, sign(key, data, comment), [public_key(key.public)]) == comment


def test_any_byte_of_what_was_signed_changed_breaks_it(key, signed):
    for at in range(len(DATA)):
        for bit in (1, 128):
            changed = bytes([*DATA[:at], DATA[at] ^ bit, *DATA[at + 1 :]])
            with pytest.raises(ListError):
                verify(changed, signed, [public_key(key.public)])


@settings(max_examples=400)
@given(st.data())
def test_any_character_of_a_signature_changed_breaks_it(key, signed, data):
    start = signed.index("\n") + 1  # the first line is said to be untrusted
    at = data.draw(st.integers(start, len(signed) - 1))
    other = data.draw(st.characters(min_codepoint=10, max_codepoint=126).filter(lambda c: c != signed[at]))
    with pytest.raises(ListError):
        verify(DATA, signed[:at] + other + signed[at + 1 :], [public_key(key.public)])


def test_another_key_does_not_verify(tmp_path, signed):
    other = make_key(tmp_path / "other.key")
    with pytest.raises(ListError, match="another key"):
        verify(DATA, signed, [public_key(other.public)])


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r\n"])
def test_no_other_end_of_line_passes_for_one(key, signed, end):
    ends = [at for at, char in enumerate(signed) if char == "\n"]
    for at in ends[end == "\r\n" :]:  # the first line is untrusted, and with \r in it still one line
        with pytest.raises(ListError):
            verify(DATA, signed[:at] + end + signed[at + 1 :], [public_key(key.public)])


@pytest.mark.parametrize("text", ["", "RWQ", "untrusted comment: x\n", "a" * 56, "RWQ=\n"])
def test_what_is_no_public_key_is_said_to_be_none(text):
    with pytest.raises(ListError, match="public key"):
        public_key(text)


def test_a_key_that_others_can_read_signs_nothing(tmp_path):
    path = make_key(tmp_path / "k").path
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others can read"):
        load_key(path)


def test_a_key_is_never_overwritten_and_a_damaged_one_not_used(tmp_path):
    path = make_key(tmp_path / "k").path
    with pytest.raises(ConfigError, match="is there already"):
        make_key(path)
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n" + lines[1][:90] + ("A" if lines[1][90] != "A" else "B") + lines[1][91:] + "\n")
    with pytest.raises(ConfigError, match="damaged"):
        load_key(path)
    path.write_text("nothing\n")
    with pytest.raises(ConfigError, match="not a minisign secret key"):
        load_key(path)


def test_a_key_signs_no_version_twice_and_none_before(tmp_path):
    key = make_key(tmp_path / "k")
    remember(key, 7, "2026-09-01T12:00:00Z")
    for version, made_at in ((7, "2026-09-02T12:00:00Z"), (6, "2026-09-02T12:00:00Z"), (8, "2026-09-01T11:00:00Z")):
        with pytest.raises(ConfigError, match="would go back"):
            refuse_to_go_back(key, version, made_at)
    refuse_to_go_back(key, 8, "2026-09-01T13:00:00Z")


@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
class TestMinisign:
    def test_it_verifies_what_we_sign(self, tmp_path, key, signed):
        (tmp_path / "d").write_bytes(DATA)
        (tmp_path / "d.minisig").write_text(signed)
        done = subprocess.run(
            check=False, args=["minisign", "-Vm", "d", "-P", key.public], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "Trusted comment: Oqshaq, version 3" in done.stdout
        (tmp_path / "d").write_bytes(DATA + b" ")
        assert subprocess.run(
            check=False, args=["minisign", "-Vm", "d", "-P", key.public], cwd=tmp_path, capture_output=True
        ).returncode

    def test_our_public_file_is_one_of_its(self, tmp_path, key, signed):
        (tmp_path / "d").write_bytes(DATA)
        (tmp_path / "d.minisig").write_text(signed)
        command = ["minisign", "-Vqm", "d", "-p", f"{key.path}.pub"]
        assert subprocess.run(command, check=False, cwd=tmp_path).returncode == 0

    def test_we_sign_with_a_key_it_made_and_verify_what_it_signed(self, tmp_path):
        made = subprocess.run(
            check=False, args=["minisign", "-GW", "-p", "p", "-s", "s"], cwd=tmp_path, capture_output=True, text=True
        )
        if made.returncode:
            pytest.skip("this minisign makes no keys without a password")
        os.chmod(tmp_path / "s", 0o600)  # noqa: PTH101
        public = public_key((tmp_path / "p").read_text())
        assert verify(DATA, sign(load_key(tmp_path / "s"), DATA, "ours"), [public]) == "ours"
        (tmp_path / "d").write_bytes(DATA)
        subprocess.run(["minisign", "-Sm", "d", "-s", "s", "-t", "its"], cwd=tmp_path, check=True, capture_output=True)
        assert verify(DATA, (tmp_path / "d.minisig").read_text(), [public]) == "its"
