"""A POST to a stranger's address goes to a public machine alone, whose name its certificate bears, and ends in time."""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Timer
from typing import Final
from urllib.parse import SplitResult, urlsplit

from marketplace.errors import Rejected
from marketplace.words import N_

SECONDS_MAX: Final = 10.0
URL_MAX: Final = 500
BAD_URL: Final = N_("Serve un indirizzo pubblico che inizia con https://, senza nome utente e senza «#».")


class NotTaken(Exception):
    """The receiver did not take it: `words` says why, and repeats nothing that it sent."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts over HTTPS to public addresses; with `local` (demo, tests) over HTTP and to this machine's network too."""

    local: bool = False
    seconds_max: float = SECONDS_MAX

    def require_good(self, url: str) -> None:
        """Raises Rejected for an address to which nothing is ever sent; names are looked up when something is."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Rejected(BAD_URL, field="url") from None
        host = parts.hostname or ""
        is_odd = parts.username is not None or parts.fragment or port == 0 or len(url) > URL_MAX
        is_text = url.isascii() and url.isprintable() and " " not in url
        schemes = ("https", "http") if self.local else ("https",)
        if parts.scheme not in schemes or not host or is_odd or not is_text:
            raise Rejected(BAD_URL, field="url")
        if not self.local and (("." not in host and ":" not in host) or not may_be_public(host)):
            raise Rejected(BAD_URL, field="url")

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status below 300 with which the receiver took it. Raises NotTaken; a redirection is not followed."""
        self.require_good(url)
        parts = urlsplit(url)
        connection = self._connection(parts)
        is_over = Event()
        limit = Timer(self.seconds_max, _cut, [connection, is_over])
        limit.daemon = True
        limit.start()
        try:
            path = parts.path or "/"
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, dict(headers))
            status = connection.getresponse().status
        except ssl.SSLError:
            raise NotTaken("TLS") from None
        except TimeoutError:
            raise NotTaken("timeout") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise NotTaken("timeout" if is_over.is_set() else "connection") from None
        finally:
            limit.cancel()
            connection.close()
        if not 200 <= status < 300:
            raise NotTaken(f"HTTP {status}")
        return status

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        """To the address that was looked at, whatever the name says a moment later."""
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        try:
            found = [one[4][0] for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError:
            raise NotTaken("DNS") from None
        addresses = [str(one) for one in found]
        if not addresses or not (self.local or all(map(is_public, addresses))):
            raise NotTaken("address")
        return Pinned(host, port, addresses[0], is_tls, self.seconds_max)


class Pinned(http.client.HTTPConnection):
    """A connection to one address, on which TLS asks for the name."""

    def __init__(self, host: str, port: int, address: str, is_tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address, self._is_tls = address, is_tls

    def connect(self) -> None:
        """Open the socket, and TLS on it."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._is_tls:
            tls = ssl.create_default_context()
            self.sock = tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()  # apart, so that the time limit holds for it too


def _cut(connection: http.client.HTTPConnection, is_over: Event) -> None:
    """End whatever is waited for: a receiver that sends a byte now and then must not hold a worker."""
    is_over.set()
    held = connection.sock
    if held is not None:
        try:
            held.shutdown(socket.SHUT_RDWR)
        except OSError:
            held.close()


def may_be_public(host: str) -> bool:
    """False for an address written as such that is not public; a name may be."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host.replace(".", "").isdigit()  # 127.1 and 2130706433 are addresses too
    return is_public(host)


def is_public(address: str) -> bool:
    """Whether an address is one of the public Internet's, not one that leads to a private one by another name."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        carried = one.ipv4_mapped or one.sixtofour or (one.teredo and one.teredo[1])
        if carried or one in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return one.is_global and not one.is_multicast
