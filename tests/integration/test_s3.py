"""The lake on an S3-compatible store: a real HTTP server on the loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto.server", reason="moto[server] is not installed")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        script = (
            f"import pyarrow.fs as f; f.S3FileSystem(endpoint_override='127.0.0.1:{port}', scheme='http', "
            "allow_bucket_creation=True).create_dir('posts-bucket')"
        )
        subprocess.run([sys.executable, "-c", script], check=True, env=environment())
        yield f"s3://posts-bucket/lake?endpoint_override=127.0.0.1:{port}&scheme=http"
    finally:
        server.kill()
        server.wait()


def environment() -> dict[str, str]:
    invented = {"AWS_ACCESS_KEY_ID": "invented", "AWS_SECRET_ACCESS_KEY": "invented", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**os.environ, **invented}


def bastau(*arguments: str | Path, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bastau", *map(str, arguments), "--home", str(home)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_whole_way_gives_the_same_on_s3_as_on_disk(bucket: str, tmp_path: Path) -> None:
    bastau("simulate", "--posts", "3200", "-o", tmp_path / "sample", home=tmp_path / "x")
    local, remote = tmp_path / "local", tmp_path / "remote"
    # Every account a publisher: pseudonyms differ from home to home.
    for home, lake in ((local, ""), (remote, f'[lake]\nroot = "{bucket}"\n')):
        home.mkdir()
        (home / "bastau.toml").write_text(f"[publishers]\nmin_audience = 0\n{lake}")
    for home in (local, remote):
        bastau("import", tmp_path / "sample" / "posts.ndjson", home=home)
        bastau("run", home=home)
        bastau("export", "narratives", "-o", tmp_path / f"{home.name}.ndjson", home=home)
        bastau("doctor", home=home)
    assert not (remote / "lake").exists()
    assert sorted((tmp_path / "local.ndjson").read_text().splitlines()) == sorted(
        (tmp_path / "remote.ndjson").read_text().splitlines()
    )
