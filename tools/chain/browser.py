"""A browser, as far as logging in needs one: it keeps cookies, and shows where it is sent."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chain import wire
from chain.errors import ChainError

if TYPE_CHECKING:
    from chain.wire import Reply


class Browser:
    """A browser for one host: a cookie goes to every port of it (RFC 6265, section 8.5)."""

    def __init__(self) -> None:
        """Begin without cookies."""
        self.cookies: dict[str, str] = {}

    def request(self, method: str, url: str, *, body: object = None) -> Reply:
        """Send a request to an absolute URL, asking for JSON; keep the cookies that come back."""
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}"
        headers = {"Accept": "application/json"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        reply = wire.send(parts.netloc, method, target, headers=headers, body=body)
        for line in reply.cookies:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return reply

    def redirected(self, url: str) -> str:
        """Get a URL, and return where it sends the browser; ChainError when it sends it nowhere."""
        reply = self.request("GET", url)
        if "location" not in reply.headers:
            message = f"{urlsplit(url).path}: expected a redirect, got {reply.status}"
            raise ChainError(message)
        return reply.headers["location"]
