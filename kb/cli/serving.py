"""Run the site and its search: ``kb serve``, ``index``, ``reindex``."""

import logging
import os
import signal
import threading

import click

from kb import demonstration, instance_lock, serving
from kb.cli.group import configured, follow_ledger, main, migrated, opened, table
from kb.config import Config
from kb.db import now


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to answer on; 0 takes a free one.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Number of web processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the site: the web server, and the indexer beside it.

    Ctrl-C or SIGTERM stop both within ten seconds.
    """
    config = migrated()
    with opened(config) as db:
        follow_ledger(db)
    listener = serving.listen(host, port)
    url = serving.url(listener)
    if not os.environ.get("KB_BASE_URL"):
        config = configured(BASE_URL=url)
    with instance_lock.shared(config):
        raise SystemExit(serving.Supervisor(config, listener, workers, lambda: _tell(config, url)).run())


def _tell(config: Config, url: str) -> None:
    """Say where the site is; on an instance with demo accounts also who can sign in."""
    click.echo(f"{config['SITE_NAME']} runs on {url}")
    if config["BASE_URL"] != url:
        click.echo(f"people reach it under {config['BASE_URL']}")
    with opened(config) as db:
        found = demonstration.logins(db)
    if found:
        click.echo(
            f"demo accounts (kb account reset --generate {found[0].email} gives one a new password):\n{table(found)}"
        )


@main.command()
@click.option("--once", is_flag=True, help="Bring the index up to date and end.")
@click.option("--parent", type=int, hidden=True, help="Process to end with.")
def index(once: bool, parent: int | None) -> None:
    """Keep the search index up to date. kb serve does this; run it alone only beside another WSGI server."""
    config = migrated()
    if once:
        index_once(config)
        return
    from kb.search import indexer

    serving.log_quietly()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        serving.end_with_parent(parent, stop.set)
    threading.Thread(target=serving.tidy_forever, args=(config, stop), name="tidy", daemon=True).start()
    with instance_lock.shared(config):
        indexer.work(config, stop)


def index_once(config: Config, *, quiet: bool = False) -> None:
    """Bring the index up to date; that it had to be built first is no news here."""
    from kb.search import indexer

    logging.getLogger("kb.search").setLevel(logging.ERROR)
    if not quiet:
        click.echo("bringing the search index up to date")
    with instance_lock.shared(config):
        indexer.once(config)


@main.command()
def reindex() -> None:
    """Build the search index anew beside the old one, then swap; searching goes on meanwhile."""
    from kb.search.index import rebuild

    config = migrated()
    with opened(config) as db, click.progressbar(length=1, label="building the search index") as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        rebuild(config, db, now(), progress)
