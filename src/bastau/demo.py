"""The demo: invented posts through the whole way, and pages of what came out on a local address."""

import functools
import http.server
import logging
import socketserver
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bastau.engine import open_engine
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import Progress, RunReport, run
from bastau.simulate.sites import generate_sites, web_sources, write_sites
from bastau.simulate.world import generate, write

_log = logging.getLogger(__name__)


def prepare(folder: Path, *, n_posts: int, seed: int, now: datetime, progress: Progress) -> tuple[Home, RunReport]:
    """Invent posts, import and process them in the home ``folder``; doing it again repeats nothing."""
    home = Home.open(folder, create=True)
    with home.locked():
        progress("invent posts", 0, 0)
        sample = home.folder / f"sample-{n_posts}-{seed}"
        if not all((sample / name).exists() for name in ("posts.ndjson", "pages.ndjson")):
            simulation = generate(n_posts, seed=seed)
            write(simulation, sample)
            write_sites(generate_sites("medium", seed, known=web_sources(simulation.posts)), sample)
        progress("import", 0, 0)
        import_file(home, sample / "posts.ndjson", now=now)
        import_file(home, sample / "pages.ndjson", now=now)
        engine = open_engine(home.settings.engine)
        try:
            return home, run(home, engine, progress=progress)
        finally:
            engine.close()


class _Pages(http.server.SimpleHTTPRequestHandler):
    """Files of one folder, to this machine only, with headers that allow nothing but themselves."""

    server_version = "bastau"
    sys_version = ""

    def end_headers(self) -> None:
        """Add the headers that keep a page to itself."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def list_directory(self, path: object) -> None:
        """Show no listings."""
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Log to the logging system, not to the terminal."""
        _log.info(format, *args)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def serve(folder: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve ``folder`` on 127.0.0.1 until interrupted; ``ready`` gets the address.

    Raises:
        ConfigError: the port is taken.
    """
    handler = functools.partial(_Pages, directory=str(folder))
    try:
        server = _Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise ConfigError(f"port {port} is taken: name another with --port, or --port 0 for any free one") from error
    with server:
        ready(f"http://127.0.0.1:{server.server_address[1]}/")
        server.serve_forever()
