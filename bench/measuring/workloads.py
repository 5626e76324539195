"""What is asked: rules, a policy, and the questions of each workload. Pure."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST: Final = "http://api.example.test"
SESSIONS: Final = 100  # those of `session`
A_PAGE: Final = 16  # requests that a browser sends at once
MANY_CHECKS: Final = (4, 16)
_LIBRARY: Final = 4  # routes
_OTHERS: Final = len(MANY_CHECKS) + 1  # routes that are in no library

POLICY: Final = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - actions: [list, view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition: {match: {expr: R.attr.organization == P.attr.organization}}
    - actions: [create, edit, delete]
      effect: EFFECT_ALLOW
      roles: [editor]
      condition: {match: {expr: R.attr.organization == P.attr.organization}}
"""


@dataclass(frozen=True)
class Workload:
    """A name, what it stands for, and its questions.

    `bodies` takes how many there should be at least, and the number of the run: none of what
    `distinct` asks in one run was asked in another. `fresh_connections`: a new one each request.
    """

    name: str
    says: str
    bodies: Callable[[int, int], list[bytes]]
    fresh_connections: bool = False


def rules(routes: int) -> str:
    """Return a rule file with so many routes: libraries of four, many checks, kept answers."""
    libraries = -(-(routes - _OTHERS) // _LIBRARY)
    written = [route for library in range(libraries) for route in _library(library)]
    written = [_KEEPING, *map(_checking, MANY_CHECKS), *written][:routes]
    return "\n".join(["version: 1", "routes:", *(f"  - {json.dumps(one)}" for one in written)])


def _library(number: int) -> Iterator[dict[str, Any]]:
    documents = f"/orgs/{{org}}/library{number}/documents"
    one = f"{documents}/{{id}}"
    for name, path, item, actions in (
        ("all", documents, "all", {"GET": "list", "POST": "create"}),
        ("item", one, "${path.id}", {"GET": "view", "PATCH": "edit", "DELETE": "delete"}),
        ("archive", f"{one}:archive", "${path.id}", {"POST": "edit"}),
        ("page", f"{one}/pages/{{page:int}}", "${path.id}", {"GET": "view"}),
    ):
        yield {
            "id": f"library{number}.{name}",
            "match": {"path": path},
            "resource": {
                "kind": "document",
                "id": item,
                "attr": {"organization": "${path.org}", "library": f"library{number}"},
            },
            "actions": actions,
        }


_KEEPING: Final[dict[str, Any]] = {
    "id": "keeping",
    "match": {"path": "/orgs/{org}/kept/{id}", "methods": ["GET"]},
    "cache": {"ttl": "5s"},
    "resource": {
        "kind": "document",
        "id": "${path.id}",
        "attr": {"organization": "${path.org}"},
    },
    "action": "view",
}


def _checking(count: int) -> dict[str, Any]:
    """Return a route that asks about so many resources."""
    resource = {"kind": "document", "attr": {"organization": "${path.org}"}}
    return {
        "id": f"checks{count}",
        "match": {"path": f"/orgs/{{org}}/checks{count}/{{id}}", "methods": ["GET"]},
        "checks": [
            {"resource": {**resource, "id": f"${{path.id}}-{number}"}, "action": "view"}
            for number in range(count)
        ],
    }


def session(name: str, *, traits: int = 0) -> dict[str, Any]:
    """Return a session of Kratos, as whoami answers it: 1.2 KB, and some bytes of traits more."""
    at = "2026-01-02T03:04:05.678901234Z"
    address = {
        "created_at": at,
        "id": f"{name}-address",
        "updated_at": at,
        "value": f"{name}@acme.example",
        "via": "email",
    }
    return {
        "active": True,
        "authenticated_at": at,
        "authentication_methods": [{"aal": "aal1", "completed_at": at, "method": "password"}],
        "authenticator_assurance_level": "aal1",
        "devices": [{"id": f"{name}-device", "ip_address": "192.0.2.7", "user_agent": "Firefox"}],
        "expires_at": "2099-01-01T00:00:00Z",
        "id": f"{name}-session",
        "identity": {
            "created_at": at,
            "id": name,
            "metadata_public": {"roles": ["editor"]},
            "recovery_addresses": [address],
            "schema_id": "person",
            "schema_url": "http://127.0.0.1:4433/schemas/person",
            "state": "active",
            "traits": {
                "clearance": 2,
                "department": "research",
                "email": f"{name}@acme.example",
                "organization": "acme",
                **_more_traits(traits),
            },
            "updated_at": at,
            "verifiable_addresses": [{**address, "status": "completed", "verified": True}],
        },
        "issued_at": at,
    }


def _more_traits(size: int) -> dict[str, str]:
    """Return traits of about `size` bytes of JSON, 64 each."""
    return {f"trait_{number:04}": "x" * 48 for number in range(size // 64)}


def body(extra: str, subject: str, path: str, method: str = "GET") -> bytes:
    """Return a question as the payload template of Oathkeeper writes it."""
    return (
        f'{{"profile":"kratos","subject":"{subject}","extra":{extra},"method":"{method}",'
        f'"url":"{HOST}{path}","raw_path":"","headers":{{"x-request-id":[]}}}}'
    ).encode()


def text(value: object) -> str:
    """Return JSON as Go writes it: no spaces, the keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def workloads(routes: int) -> dict[str, Workload]:
    """Return all workloads against `rules(routes)`, by name."""
    libraries = max(1, (routes - _OTHERS) // _LIBRARY)

    def paths(rng: random.Random) -> str:
        library, document = rng.randrange(libraries), rng.randrange(100_000)
        return f"/orgs/acme/library{library}/documents/d{document}"

    def distinct(traits: int = 0, place: str = "") -> Callable[[int, int], list[bytes]]:
        # One is written, and each other has its own name in all of its places.
        mould = text(session("{name}", traits=traits))

        def bodies(count: int, run: int) -> list[bytes]:
            rng = random.Random(run)  # noqa: S311 - not a secret
            names = (f"p{run:04}-{number:06}" for number in range(count))
            return [
                body(mould.replace("{name}", name), name, place or paths(rng)) for name in names
            ]

        return bodies

    def sessions(count: int, run: int) -> list[bytes]:
        rng = random.Random(run)  # noqa: S311 - not a secret
        known = {name: text(session(name)) for name in (f"s{n:03}" for n in range(SESSIONS))}
        chosen = rng.choices(list(known), k=count)
        return [body(known[name], name, paths(rng)) for name in chosen]

    def pages(count: int, run: int) -> list[bytes]:
        rng = random.Random(run)  # noqa: S311 - not a secret
        asked = []
        for number in range(-(-count // A_PAGE)):
            name = f"b{run:04}-{number:05}"
            extra = text(session(name))
            asked += [body(extra, name, paths(rng)) for _ in range(A_PAGE)]
        return asked

    def hot(place: str) -> Callable[[int, int], list[bytes]]:
        return lambda _count, _run: [body(text(session("ann")), "ann", place)]

    return {
        one.name: one
        for one in (
            Workload("distinct", "sessions that ask once each", distinct()),
            Workload("session", f"{SESSIONS} sessions at random", sessions),
            Workload("page", f"each session asks {A_PAGE} things at once", pages),
            Workload(
                "hot", "one question, again and again", hot("/orgs/acme/library0/documents/d1")
            ),
            Workload(
                "hot, cached",
                "`hot`, on a route whose answers are kept for 5 s",
                hot("/orgs/acme/kept/d1"),
            ),
            Workload("churn", "`session`, each on a new connection", sessions, True),  # noqa: FBT003 - its one flag
            Workload("traits 1 KB", "`distinct` with 1 KB of traits more", distinct(1024)),
            Workload("traits 4 KB", "`distinct` with 4 KB of traits more", distinct(4096)),
            Workload("traits 16 KB", "`distinct` with 16 KB of traits more", distinct(16384)),
            *(
                Workload(
                    f"{count} checks",
                    f"`distinct`, on a route that asks about {count} resources",
                    distinct(place=f"/orgs/acme/checks{count}/d1"),
                )
                for count in MANY_CHECKS
            ),
        )
    }
