"""Know the mail server that a site hands its mail to: read its address, and open a connection that is what it claims to be.

Nothing from here names a host, a user or a password: what goes wrong is one word of ``Trouble``.
"""

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

from kb.errors import KBError

TIMEOUT = 20.0  # seconds for each answer of the server
LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, without the brackets
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PORTS = {"smtp": 587, "smtps": 465}  # submission, and submission over TLS (RFC 8314)
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)  # dot-atom, RFC 5322
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)


class Tls(StrEnum):
    """How a connection is made private."""

    FROM_THE_START = "smtps"
    STARTTLS = "starttls"
    NONE = "none"


class Trouble(StrEnum):
    """Why no mail could be handed over; none of them is the fault of a letter."""

    AWAY = "the mail server can not be reached"
    CERTIFICATE = "the certificate of the mail server is not trusted"
    NO_TLS = "the mail server offers no TLS"
    SIGN_IN = "the mail server wants another user or password"
    SENDER = "the mail server refuses the address in KB_MAIL_FROM"
    REFUSED = "the mail server refuses this machine"


class NotOpened(KBError):
    """Say why there is no connection to the mail server."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


@dataclass(frozen=True)
class MailServer:
    """Where outgoing mail is handed over; an empty host stands for no mail at all."""

    host: str = ""
    port: int = 0
    tls: Tls = Tls.STARTTLS
    user: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.host)

    def __str__(self) -> str:
        """Write the address without the password, as ``kb settings`` may show it."""
        if not self.host:
            return ""
        scheme = "smtps" if self.tls is Tls.FROM_THE_START else "smtp"
        user = f"{self.user}:…@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{user}{host}:{self.port}{'?starttls=0' if self.tls is Tls.NONE else ''}"

    def open(self, hello: str) -> smtplib.SMTP:
        """Return a connection that is private and signed in.

        The certificate is checked against the authorities of the system; ``SSL_CERT_FILE`` names others.

        Args:
            hello: name by which this machine greets; given, so that its own name is neither looked up nor told.

        Raises:
            NotOpened: with the trouble; whatever was opened is closed again.
        """
        connection: smtplib.SMTP | None = None
        try:
            connection = self._dial(hello)
            if self.tls is Tls.STARTTLS:
                self._make_private(connection)
            if self.user:
                self._sign_in(connection)
            connection.ehlo_or_helo_if_needed()  # now, so that a refusal here is not taken for one of a letter
            return connection
        except NotOpened:
            _drop(connection)
            raise
        except OSError as error:  # of the network, of TLS, and every smtplib.SMTPException
            _drop(connection)
            raise NotOpened(_trouble(error)) from None

    def _dial(self, hello: str) -> smtplib.SMTP:
        if self.tls is Tls.FROM_THE_START:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, hello, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(self.host, self.port, hello, timeout=TIMEOUT)

    def _make_private(self, connection: smtplib.SMTP) -> None:
        try:
            connection.starttls(context=ssl.create_default_context())
        except (smtplib.SMTPNotSupportedError, smtplib.SMTPResponseException):
            raise NotOpened(Trouble.NO_TLS) from None

    def _sign_in(self, connection: smtplib.SMTP) -> None:
        try:
            connection.login(self.user, self.password)
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException:
            raise NotOpened(Trouble.SIGN_IN) from None


def _trouble(error: OSError) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble.CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return Trouble.NO_TLS
    return Trouble.REFUSED if isinstance(error, smtplib.SMTPResponseException) else Trouble.AWAY


def _drop(connection: smtplib.SMTP | None) -> None:
    if connection is not None:
        connection.close()


def close(connection: smtplib.SMTP) -> None:
    """Say goodbye, or just hang up when the server is gone already."""
    try:
        connection.quit()
    except OSError:
        connection.close()


def parse(url: str) -> MailServer:
    """Read the address of a mail server: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…`` (TLS from the start).

    ``?starttls=0`` sends in the clear and is allowed on this machine only.

    Raises:
        ValueError: saying what is wrong, without repeating the address, which may hold a password.
    """
    if not url:
        return MailServer()
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ValueError("the host or the port is none") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS:
        raise ValueError("it must begin with smtp:// or smtps://")
    if ":" not in host and ascii_domain(host) is None:
        raise ValueError("the host is none")
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError("nothing but ?starttls=0 may follow the port")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or not (user + password).isascii() or not (user + password + "x").isprintable():
        raise ValueError("user and password must both be there, in plain letters, digits and signs")
    return MailServer(ascii_domain(host) or host, port, _tls(parts, host), user, password)


def _tls(parts: SplitResult, host: str) -> Tls:
    if parts.query not in ("", "starttls=1", "starttls=0"):
        raise ValueError("nothing but ?starttls=0 may follow the port")
    if parts.scheme == "smtps":
        if parts.query:
            raise ValueError("smtps:// has TLS from the start, without starttls")
        return Tls.FROM_THE_START
    if parts.query != "starttls=0":
        return Tls.STARTTLS
    if host not in _LOOPBACK:
        raise ValueError("starttls=0 is for a mail server on this machine only")
    return Tls.NONE


def ascii_domain(domain: str) -> str | None:
    """Return a domain as it is written in the protocol (IDNA), or None when it is none."""
    try:
        written = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return written if written and all(_LABEL.fullmatch(label) for label in written.split(".")) else None


def ascii_address(address: str) -> str | None:
    """Return a mail address as it is written in the protocol, or None when it is none that every mail server takes.

    What comes out holds no space, no line end, no comma and no bracket, so that it can not become two addresses or a header.
    """
    local, at, domain = address.strip(" ").rpartition("@")
    written = ascii_domain(domain)
    if not at or written is None or len(local) > 64 or not _LOCAL_PART.fullmatch(local):
        return None
    whole = f"{local}@{written}"
    return whole if len(whole) <= LONGEST_ADDRESS else None
