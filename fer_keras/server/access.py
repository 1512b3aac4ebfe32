"""Whom the server answers: the names it is asked by, the pages whose scripts and forms may send to it, and the token."""

import hmac
from collections.abc import Sequence

from fer_keras.server.uploads import Refused

#: What is answered without the token: whether the server lives, and what it offers.
OPEN_PATHS = ("/", "/health", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
#: Requests that change nothing and cost little; a page of another site cannot read their answers.
_READING = ("GET", "HEAD", "OPTIONS")


class Door:
    """Refuses requests that may not come in.

    Args:
        hosts: names that the header Host may hold, whatever the port; None: any. Without them, a page of another site could
            have its own name lead to this machine and read the answers (DNS rebinding).
        origins: of pages that may send requests, or "*"; those of the server itself always may.
        token: that requests must bring; None: none.
    """

    def __init__(self, hosts: Sequence[str] | None = None, origins: Sequence[str] = (), token: str | None = None):
        self._hosts = None if hosts is None else {_bare(host) for host in hosts}
        self._origins, self._token = {origin.lower().rstrip("/") for origin in origins}, token

    def check(self, scope) -> None:
        """Look at the head of a request.

        Args:
            scope: of ASGI.

        Raises:
            Refused: 400 for another host, 403 for another site's page, 401 without the right token.
        """
        headers = scope["headers"]
        host = _value(headers, b"host")
        if self._hosts is not None and _bare(host) not in self._hosts:
            raise Refused(
                400, f"Unknown host. Received: {host[:100]!r}. The server's --allowed-host names the known ones."
            )
        if scope["method"] not in _READING and not self._may_send(_value(headers, b"origin"), host):
            raise Refused(403, "A page of another site sent this. The server's --cors-origin names the pages that may.")
        if self._token is not None and scope["path"] not in OPEN_PATHS:
            self._check_token(_value(headers, b"authorization"))

    def _may_send(self, origin: str, host: str) -> bool:
        """Return whether a request of this origin may come in; programs send none, browsers always do."""
        origin = origin.lower()
        own = host and origin.partition("://")[2] == host.lower()
        return not origin or bool(own) or "*" in self._origins or origin in self._origins

    def _check_token(self, header: str) -> None:
        scheme, _, given = header.partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token.encode())  # in constant time
        if scheme.lower() != "bearer" or not right:
            raise Refused(401, "Expected the header 'Authorization: Bearer' with the server's token.")


def _value(headers, name: bytes) -> str:
    """Return a header; two of one name are joined, which no check takes."""
    return ", ".join(value.decode("latin-1") for key, value in headers if key == name)


def _bare(host: str) -> str:
    """Return a host without port and brackets, in small letters.

    Example:
        >>> _bare("[::1]:8000"), _bare("Localhost:80"), _bare("::1")
        ('::1', 'localhost', '::1')
    """
    host = host.strip().lower()
    if host.startswith("[") and "]" in host:
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host
