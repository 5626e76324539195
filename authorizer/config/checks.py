"""What one setting alone cannot show to be wrong: settings beside each other, and the files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.config.addresses import (
    UnixAddress,
    is_open_url,
    is_url,
    parse_endpoint,
    parse_listener,
)
from authorizer.config.private import read_shared_secrets, refuse_exposed
from authorizer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authorizer.config.addresses import Address, Endpoint
    from authorizer.config.origin import Origin
    from authorizer.config.settings import Settings
    from authorizer.errors import Problem


def check_together(settings: Settings, origin: Origin) -> Iterator[Problem]:
    """Yield what is wrong with settings beside each other. Pure."""
    yield from _check_listeners(settings, origin)
    yield from _check_pdp(settings, origin)


def _check_listeners(settings: Settings, origin: Origin) -> Iterator[Problem]:
    server, admin = settings.server, settings.admin
    bound: dict[Address, str] = {}
    for path, text, is_allowed in (
        (("server", "listen"), server.listen, server.tls is not None or server.insecure_plaintext),
        (("admin", "listen"), admin.listen, admin.insecure_plaintext),
    ):
        try:
            address = parse_listener(text)
        except ValueError as error:
            yield origin.problem(path, str(error))
            continue
        if not (address.local or is_allowed):
            yield origin.problem(
                path,
                f"{address} can be reached from other machines, without TLS",
                _INSTEAD_OF_PLAINTEXT[path],
            )
        if address.port and address in bound:
            yield origin.problem(path, f"{address} is taken by `{bound[address]}`")
        bound[address] = ".".join(path)


_INSTEAD_OF_PLAINTEXT: Final = {
    ("server", "listen"): (
        "give `server.tls`, listen on 127.0.0.1,"
        " or set `server.insecure_plaintext: true` where the network itself is trusted"
    ),
    ("admin", "listen"): (
        "listen on 127.0.0.1,"
        " or set `admin.insecure_plaintext: true` where whoever reaches it may read the metrics"
    ),
}


def _check_pdp(settings: Settings, origin: Origin) -> Iterator[Problem]:
    pdp = settings.pdp
    if pdp.endpoints and pdp.embedded is not None:
        yield origin.problem(
            ("pdp", "endpoints"),
            "`pdp.endpoints` and `pdp.embedded` are both given",
            "leave one of them out",
            key=True,
        )
    for name, where in (pdp.embedded.key_sets if pdp.embedded is not None else {}).items():
        if is_url(where) and is_open_url(where) and not pdp.insecure_plaintext:
            yield origin.problem(
                ("pdp", "embedded", "key_sets", name),
                "keys would be fetched from another machine without TLS",
                "use https://, a file,"
                " or set `pdp.insecure_plaintext: true` where the network itself is trusted",
            )
    known: set[Endpoint] = set()
    for number, text in enumerate(pdp.endpoints):
        path = ("pdp", "endpoints", number)
        try:
            address = parse_endpoint(text)
        except ValueError as error:
            yield origin.problem(path, str(error))
            continue
        if address in known:
            yield origin.problem(path, f"{address} is there twice")
        known.add(address)
        if not isinstance(address, UnixAddress) and not (
            address.local or pdp.tls is not None or pdp.insecure_plaintext
        ):
            yield origin.problem(
                path,
                f"{address} is on another machine, and would be spoken to without TLS",
                "give `pdp.tls` (`{}` for the system's certificate authorities),"
                " or set `pdp.insecure_plaintext: true` where the network itself is trusted",
            )


def check_files(settings: Settings, origin: Origin) -> Iterator[Problem]:
    """Yield what is wrong with the files that the settings name; their paths are absolute."""
    for path, name, look in _files(settings):
        if name is not None and (message := look(Path(name))):
            yield origin.problem(path, *message)


def _files(
    settings: Settings,
) -> Iterator[tuple[tuple[str | int, ...], str | None, Callable[[Path], tuple[str, str] | None]]]:
    if (tls := settings.server.tls) is not None:
        yield ("server", "tls", "certificate"), tls.certificate, _look_at_file
        yield ("server", "tls", "key"), tls.key, _look_at_key
    yield ("server", "shared_secret"), settings.server.shared_secret, _look_at_shared_secret
    if (client := settings.pdp.tls) is not None:
        yield ("pdp", "tls", "ca"), client.ca, _look_at_file
        yield ("pdp", "tls", "certificate"), client.certificate, _look_at_file
        yield ("pdp", "tls", "key"), client.key, _look_at_key
    if (embedded := settings.pdp.embedded) is not None:
        yield ("pdp", "embedded", "policies"), embedded.policies, _look_at_directory
        yield ("pdp", "embedded", "cerbos"), embedded.cerbos, _look_at_program
        for key_set, where in embedded.key_sets.items():
            if not is_url(where):
                yield ("pdp", "embedded", "key_sets", key_set), where, _look_at_file
    for number, name in enumerate(settings.rules.paths):
        yield ("rules", "paths", number), name, _look_at_either


def _look_at_either(path: Path) -> tuple[str, str] | None:
    return _look_at_directory(path) if path.is_dir() else _look_at_file(path)


def _look_at_file(path: Path) -> tuple[str, str] | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return f"{path} is not a file", ""
        with path.open("rb"):
            return None
    except OSError as error:
        return f"{path} cannot be read: {_reason(error)}", ""


def _look_at_key(path: Path) -> tuple[str, str] | None:
    if found := _look_at_file(path):
        return found
    return _refusal(lambda: refuse_exposed(path, "private key"))


def _look_at_shared_secret(path: Path) -> tuple[str, str] | None:
    return _look_at_file(path) or _refusal(lambda: read_shared_secrets(path))


def _refusal(look: Callable[[], object]) -> tuple[str, str] | None:
    try:
        look()
    except ConfigError as refused:
        [problem] = refused.problems
        return f"{problem.source}: {problem.message}", problem.hint
    return None


def _look_at_directory(path: Path) -> tuple[str, str] | None:
    try:
        with os.scandir(path):
            return None
    except OSError as error:
        return f"{path} cannot be read: {_reason(error)}", ""


def _look_at_program(path: Path) -> tuple[str, str] | None:
    # A bare name is looked up in PATH, when it is run.
    if path.parent == Path() or (path.is_file() and os.access(path, os.X_OK)):
        return None
    return f"{path} is not a program that can be run", ""


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
