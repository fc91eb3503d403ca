"""Run the site: the web server and the indexer as two children of one small supervisor.

The supervisor holds no data and takes no requests. It starts the indexer again when it dies, ends with the web server, and passes a
wish to stop on to both. When it is killed itself, the children notice that their parent is another one and end too.
"""

import errno
import http.client
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http import wsgi

from kb import housekeeping
from kb.config import Config
from kb.db import now
from kb.errors import KBError

THREADS = 4
# Seconds: requests on their way may finish, then everything has ended (ten in all).
_GRACE = 7
_END = 9.0
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LIVED_WELL = 60.0
_TIDY_EVERY = 30.0
_TIDY_AGAIN = 2.0  # seconds until the next try when something was in the way


class NotServed(KBError):
    """Say in one sentence why the site can not be served."""


# ---------- the supervisor ----------


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the web server will answer on; port 0 takes a free one.

    Raises:
        NotServed: when the port is in use, or the address is not one of this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        if isinstance(error, socket.gaierror):
            raise NotServed(f"The host {host} is not known on this machine.") from error
        if isinstance(error, PermissionError):
            raise NotServed(f"Port {port} is not allowed to this user: choose one above 1023 with --port.") from error
        if error.errno == errno.EADDRINUSE:
            raise NotServed(
                f"Port {port} on {host} is in use: choose another one with --port (make run PORT={port + 1})."
            ) from error
        raise NotServed(f"The address {host}:{port} can not be used: {os.strerror(error.errno or 0)}.") from error


def url(listener: socket.socket) -> str:
    """Return the address under which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - names the unspecified address, binds nothing
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Supervisor:
    """Keep the web server and the indexer running until one of them says that it is over.

    Args:
        config: the settings; ``BASE_URL`` is the address that people use.
        listener: socket to answer on.
        workers: number of web processes.
        say: told once when the site answers.
    """

    def __init__(self, config: Config, listener: socket.socket, workers: int, say: Callable[[], None]) -> None:
        self._config = config
        self._listener = listener
        self._url = url(listener)
        self._workers = workers
        self._say = say
        self._stop = threading.Event()
        self._environ = dict(os.environ) | {
            "KB_INSTANCE": str(config.instance.resolve()),
            "KB_BASE_URL": str(config["BASE_URL"]),
        }

    def run(self) -> int:
        """Run until asked to stop, and return the exit status: 0 when asked, 1 when the web server ended by itself."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        web = self._start_web()
        self._listener.close()
        keeper = _Keeper(lambda: _start(["-m", "kb", "index", "--parent", str(os.getpid())], self._environ))
        answered = False
        try:
            while not self._stop.wait(0.2):
                if web.poll() is not None:
                    return 1
                keeper.look()
                if not answered and self._answers():
                    answered = True
                    self._say()
            return 0
        finally:
            _end([web, *keeper.children()])

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _start_web(self) -> subprocess.Popen[bytes]:
        """Start the web server; the key for counting networks lives in the memory of these processes only."""
        handle = self._listener.fileno()
        environ = self._environ | {"KB_NETWORK_KEY": secrets.token_hex(32)}
        return _start(
            ["-m", "kb.serving", str(handle), str(self._workers), str(os.getpid())], environ, pass_fds=(handle,)
        )

    def _answers(self) -> bool:
        """Ask the site once whether it is there, under a name that it answers to."""
        place = urlsplit(self._url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=2)
        try:
            connection.request("GET", "/healthz", headers={"Host": self._config.hosts[0]})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class _Keeper:
    """Start a child again whenever it has ended, sooner if it had lived well, and never give up."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._child: subprocess.Popen[bytes] | None = start()
        self._since = time.monotonic()
        self._failures = 0

    def look(self) -> None:
        """Start the child again if it is time to."""
        present = time.monotonic()
        if self._child is not None and self._child.poll() is not None:
            self._failures = 0 if present - self._since > _LIVED_WELL else self._failures + 1
            self._child, self._since = None, present
        if (
            self._child is None
            and present - self._since >= _BACKOFF[min(max(self._failures - 1, 0), len(_BACKOFF) - 1)]
        ):
            self._child, self._since = self._start(), present

    def children(self) -> list[subprocess.Popen[bytes]]:
        """Return the child, if there is one just now."""
        return [] if self._child is None else [self._child]


def _start(arguments: list[str], environ: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own: Ctrl-C reaches the supervisor alone, which then stops the children in order."""
    return subprocess.Popen([sys.executable, *arguments], env=environ, pass_fds=pass_fds, start_new_session=True)  # noqa: S603 - our own program


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask children to end and wait for them; whoever does not listen is killed."""
    until = time.monotonic() + _END
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


# ---------- in the children ----------


def end_with_parent(parent: int, end: Callable[[], None]) -> None:
    """Watch in the background who our parent is, and end when it is another process: the one that started us is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def tidy_forever(config: Config, stop: threading.Event) -> None:
    """Do the work of the background twice a minute until asked to stop, more often while something is left over."""
    pause = _TIDY_EVERY
    while not stop.wait(pause):
        try:
            pause = _TIDY_EVERY if housekeeping.work(config, at=now()) else _TIDY_AGAIN
        except Exception as error:  # noqa: BLE001 - this loop must not die; the kind says enough, a message could hold words
            logging.getLogger("kb").warning("tidying failed: %s", type(error).__name__)
            pause = _TIDY_AGAIN


class _Formatter(logging.Formatter):
    """Write of an error its kind and place only: messages and traces may hold a path, an address or words of a text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        if not record.exc_info:
            return super().format(record)
        return f"{record.levelname} {_where(*record.exc_info)}"


def _where(kind: type[BaseException] | None, _error: BaseException | None, place: TracebackType | None) -> str:
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    return f"{kind.__name__ if kind else 'error'} at {where}"


def log_quietly() -> None:
    """Send warnings of this process to its standard error, without anything that came with a request."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Log(Logger):
    """Log what goes wrong in the server, never a request."""

    def access(self, *_: Any) -> None:
        """Log no requests."""

    def exception(self, *_: Any, **__: Any) -> None:
        """Log kind and place of an error."""
        self.error_log.error("%s", _where(*sys.exc_info()))


class _Web(BaseApplication):
    """Our application inside gunicorn, on a socket that is open already."""

    def __init__(self, handle: int, workers: int, parent: int) -> None:
        self._settings = {
            "bind": f"fd://{handle}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": _GRACE,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108 - a heartbeat file, opened safely
            "proc_name": "kb",
            "logger_class": _Log,
            "loglevel": "error",
            "accesslog": None,
            "errorlog": "-",
            "control_socket_disable": True,
            # Which proxies are believed is decided in one place, by KB_PROXIES.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "on_starting": lambda _: end_with_parent(parent, lambda: os.kill(os.getpid(), signal.SIGTERM)),
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        for name, choice in self._settings.items():
            self.cfg.set(name, choice)

    def load(self) -> Any:
        """Build the application, in each worker for itself."""
        from kb import create_app

        return create_app()


def _hide_server_name() -> None:
    """Leave the Server header out: nobody needs to know which program answers."""
    original = wsgi.Response.default_headers

    def without(response: Any) -> list[str]:
        return [line for line in original(response) if not line.startswith("Server:")]

    setattr(wsgi.Response, "default_headers", without)  # noqa: B010 - gunicorn has no setting for it


def main(arguments: list[str]) -> None:
    """Be the web server: ``python -m kb.serving HANDLE WORKERS PARENT``, started by the supervisor only."""
    handle, workers, parent = map(int, arguments)
    log_quietly()
    _hide_server_name()
    _Web(handle, workers, parent).run()


if __name__ == "__main__":
    main(sys.argv[1:])
