"""Hold every setting in one table, read from ``KB_*`` and from the instance folder."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kb import mail_server
from kb.languages import INTERFACE
from kb.mail_server import MailServer


@dataclass(frozen=True)
class Setting:
    """One setting: its name without ``KB_``, how to read it from text, its default and its help; a secret is never shown."""

    name: str
    read: Callable[[str], Any]
    default: Any
    help: str
    secret: bool = False


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _path(text: str) -> Path:
    return Path(text).expanduser().resolve()


ROOT = Path(__file__).resolve().parent.parent

SETTINGS: tuple[Setting, ...] = (
    Setting("INSTANCE", _path, ROOT / "instance", "Folder for everything a running site writes."),
    Setting(
        "SECRET_KEY",
        str,
        "",
        "At least 32 characters; empty: made once and kept in the instance folder, readable by its owner only.",
        secret=True,
    ),
    Setting(
        "BASE_URL",
        str,
        "http://127.0.0.1:8000",
        "Address under which people reach the site; citations and cards print it.",
    ),
    Setting(
        "TRUSTED_HOSTS",
        _words,
        (),
        "Host names the site answers to, separated by commas; empty: the host of KB_BASE_URL.",
    ),
    Setting("PROXIES", int, 0, "How many reverse proxies in front may be believed about host and scheme."),
    Setting("SITE_NAME", str, "Voices & Practice", "Name of the knowledge base in header, mails and citations."),
    Setting("PUBLISHER", str, "Demo office", "Body that answers for the site; named in citations."),
    Setting("CONTROLLER", str, "Demo office", "Controller named in the consent notices (Art. 4(7) GDPR)."),
    Setting(
        "ADDRESS", str, "Demo street 1, 12345 Demo town", "Postal address of the controller, told in consent receipts."
    ),
    Setting("CONTACT", str, "contact@voices.example", "How to reach the controller, named in the notices."),
    Setting("AUTHORITY", str, "EDPB, edpb.europa.eu", "Supervisory authority named in the notices."),
    Setting("LOCATION", str, "EU", "Where the server stands, named in the notices."),
    Setting("JURISDICTION", str, "DE", "Country whose law governs the consent records, two letters."),
    Setting(
        "SMTP_URL",
        mail_server.parse,
        MailServer(),
        "Server for outgoing mail: smtp://user:password@host:587 (STARTTLS) or smtps://…; empty: mail waits. "
        "?starttls=0 for a server on this machine.",
        secret=True,
    ),
    Setting("MAIL_FROM", str, "", "Address in From of outgoing mail; needed with KB_SMTP_URL."),
    Setting("LANGUAGES", _words, INTERFACE, "Interface languages offered, in this order."),
    Setting("CONSENT_MONTHS", int, 24, "How long a consent holds before it is asked again, in months (at most 24)."),
    Setting("LIMIT_LOGIN", int, 5, "Tries to sign in a minute, by network and by account."),
    Setting("LIMIT_CODE", int, 5, "Tries to enter a receipt code a minute, by network."),
    # A shelter or a school is one network: thirty people tell there in an hour, and some of them send twice.
    Setting("LIMIT_SUBMIT", int, 60, "Submissions an hour, by network."),
    Setting("LIMIT_REPORT", int, 5, "Reports about entries an hour, by network."),
    Setting("LIMIT_SUBMIT_ALL", int, 300, "Submissions an hour on the whole instance."),
    Setting(
        "BACKUP_KEY", str, "", "File with the key of the backups; empty: `keys/backup.key` in the instance folder."
    ),
    Setting("BACKUP_DAYS", int, 35, "How long a backup is kept, in days (at most 35, as the notices promise)."),
    Setting(
        "VAULT_KEY",
        str,
        "",
        "File with the secret key of the vault of names, best on a disk of its own; empty: `vault/key` in the instance folder.",
    ),
    Setting("BODY_LIMIT", int, 7_000_000, "Largest request body in bytes."),
    Setting("DEBUG_PAGES", lambda text: text == "1", False, "Show /patterns, the page of all components (1 or 0)."),
)


class Config(dict[str, Any]):
    """The settings of one application by name; ``config.instance`` is the data folder."""

    @property
    def instance(self) -> Path:
        """Return the folder for everything a running site writes."""
        path = self["INSTANCE"]
        assert isinstance(path, Path)
        return path

    @property
    def database(self) -> Path:
        """Return the path of the database file."""
        return self.instance / "kb.sqlite3"

    @property
    def index(self) -> Path:
        """Return the folder of the search index generations."""
        return self.instance / "index"

    @property
    def vault(self) -> Path:
        """Return the folder of real names and contacts."""
        return self.instance / "vault"

    @property
    def vault_key(self) -> Path:
        """Return the path of the key that opens the vault."""
        chosen = str(self["VAULT_KEY"])
        return _path(chosen) if chosen else self.vault / "key"

    @property
    def backup_key(self) -> Path:
        """Return the path of the key that opens the backups."""
        chosen = str(self["BACKUP_KEY"])
        return _path(chosen) if chosen else self.instance / "keys" / "backup.key"

    @property
    def https(self) -> bool:
        """Say whether people reach the site over TLS."""
        return urlsplit(str(self["BASE_URL"])).scheme == "https"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names that the site answers to."""
        if self["TRUSTED_HOSTS"]:
            return tuple(self["TRUSTED_HOSTS"])
        host = urlsplit(str(self["BASE_URL"])).hostname or "127.0.0.1"
        return ("127.0.0.1", "localhost") if host in ("127.0.0.1", "localhost") else (host,)


def load(environ: Mapping[str, str] = os.environ, **overrides: Any) -> Config:
    """Read all settings; overrides win over the environment, which wins over the defaults.

    Raises:
        ValueError: when a value can not be read or is unsafe; the message names the setting.
    """
    config = Config()
    for setting in SETTINGS:
        text = environ.get(f"KB_{setting.name}")
        try:
            value = setting.default if text is None or text == "" else setting.read(text)
        except ValueError as error:
            if setting.secret:
                raise ValueError(f"KB_{setting.name} can not be read: {error}") from None
            raise ValueError(f"KB_{setting.name}={text!r} can not be read: {setting.help}") from error
        config[setting.name] = overrides.get(setting.name, value)
    unknown = set(overrides) - {s.name for s in SETTINGS}
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    config["INSTANCE"] = Path(config["INSTANCE"])
    if isinstance(config["SMTP_URL"], str):
        config["SMTP_URL"] = mail_server.parse(config["SMTP_URL"])
    _check(config)
    return config


def _check(config: Config) -> None:
    """Refuse what would be unsafe or impossible."""
    key = str(config["SECRET_KEY"])
    if key and len(key) < 32:
        raise ValueError("KB_SECRET_KEY must have at least 32 characters")
    if not 1 <= int(config["CONSENT_MONTHS"]) <= 24:
        raise ValueError("KB_CONSENT_MONTHS must be between 1 and 24, as the notices promise")
    if not 1 <= int(config["BACKUP_DAYS"]) <= 35:
        raise ValueError("KB_BACKUP_DAYS must be between 1 and 35, as the notices promise")
    unknown = set(config["LANGUAGES"]) - set(INTERFACE)
    if unknown or not config["LANGUAGES"]:
        raise ValueError(f"KB_LANGUAGES knows only {', '.join(INTERFACE)}")
    if urlsplit(str(config["BASE_URL"])).scheme not in ("http", "https"):
        raise ValueError("KB_BASE_URL must begin with http:// or https://")
    if (config["SMTP_URL"] or config["MAIL_FROM"]) and mail_server.ascii_address(config["MAIL_FROM"]) is None:
        raise ValueError("KB_MAIL_FROM must be a mail address, and be there when KB_SMTP_URL is")


def secret_key(config: Config) -> str:
    """Return the secret key, making it once in the instance folder when none is set.

    The file is created with mode 0600 and never overwritten, so that several processes agree on one key.
    """
    if config["SECRET_KEY"]:
        return str(config["SECRET_KEY"])
    path = config.instance / "secret_key"
    config.instance.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return path.read_text("ascii").strip()
