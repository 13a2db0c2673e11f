"""A real PostgreSQL for one test run: a new cluster in a temporary folder, on a free port of the loopback."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = next(
    (p for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (p / "initdb").exists()), None
)


def _as_other() -> list[str]:
    """PostgreSQL does not run as root: use the user that its package made."""
    if os.getuid() != 0:
        return []
    pwd.getpwnam("postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def is_there() -> bool:
    if BINARIES is None:
        return False
    try:
        _as_other()
    except KeyError:
        return False
    return shutil.which("setpriv") is not None or os.getuid() != 0


class Server:
    """A cluster that can be stopped and started."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"postgresql://bastau@127.0.0.1:{port}/postgres"

    def run(self, *arguments: str) -> None:
        assert BINARIES is not None
        subprocess.run(
            [*_as_other(), str(BINARIES / arguments[0]), *arguments[1:]], check=True, capture_output=True, cwd="/"
        )

    def start(self) -> None:
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", settings, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self, how: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    server = Server(folder, port)
    server.run("initdb", "-D", str(folder / "data"), "-U", "bastau", "-A", "trust", "-E", "UTF8", "--no-sync")
    server.start()
    try:
        yield server
    finally:
        server.stop("immediate")
