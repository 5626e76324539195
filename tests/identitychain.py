"""A chain with an access rule for each profile, behind all authenticators, on a host of its own.

The example's files are what they are; this adds to a running copy of them. `kratos.test` is the
rule whose payload names the profile `kratos`, and so on: what an authenticator may not say there is
what the tests ask.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from chain import Client, Credential, Entrance, Grant, Question, basic, bearer, cookie
from jwts import Issuer, segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chain import Chain, Person

# Profiles of the tests' own, beside the built-in ones.
TOKENIZED: Final = "tokenized"  # a session of Kratos as a JWT: its person, by who issued it
GATEWAY: Final = "gateway"  # the `id_token` of an Oathkeeper in front, by who issued it
STAFF: Final = "staff"  # a session with a second factor, or none
TRUSTING: Final = "trusting"  # takes roles from a trait: the mistake that the escalation needs

# As the payload's `profile`; the rule's host is the name and `.test`.
PROFILES: Final = (
    "kratos",
    "hydra",
    "jwt",
    "client",
    "anonymous",
    TOKENIZED,
    GATEWAY,
    STAFF,
    TRUSTING,
)

INDEXER: Final = Client("indexer", Grant.CLIENT_CREDENTIALS, "documents.list")
INDEXER_JWT: Final = Client("indexer-jwt", Grant.CLIENT_CREDENTIALS, "documents.list", jwt=True)
NOTES: Final = Client("notes-app", Grant.AUTHORIZATION_CODE, "documents.read")
NOTES_JWT: Final = Client("notes-jwt", Grant.AUTHORIZATION_CODE, "documents.read", jwt=True)
READER: Final = Client("reader", Grant.CLIENT_CREDENTIALS, "documents.list")

# Where Oathkeeper issues `id_token`s.
_ISSUER: Final = "issuer"
_TEMPLATE: Final = "person"
_MAPPER: Final = (
    "local session = std.extVar('session'); {claims: {org: session.identity.traits.org}}"
)


@dataclass(frozen=True)
class Cast:
    """Who there is: an editor of acme, and the credentials that act by name."""

    ed: Person
    credentials: Mapping[str, Credential]


def host(profile: str) -> str:
    """Return the host whose access rule names a profile."""
    return f"{profile}.test"


def prepare(chain: Chain, listener: str) -> None:
    """Add to the copy of the example what the tests need.

    On the host `seen.test`, `listener`, a URL, is asked in the authorizer's place.
    """
    folder = chain.work
    issuer = Issuer()
    [key] = json.loads(issuer.jwks)["keys"]
    secret = segment(issuer.key.private_numbers().private_value.to_bytes(32))
    (folder / "kratos" / "tokenizer.json").write_text(json.dumps({"keys": [{**key, "d": secret}]}))
    (folder / "oathkeeper" / "tokenizer.json").write_text(issuer.jwks)
    (folder / "kratos" / "claims.jsonnet").write_text(_MAPPER)

    kratos = yaml.safe_load(chain.read("kratos/kratos.yml"))
    kratos["session"]["whoami"]["tokenizer"] = {
        "templates": {
            _TEMPLATE: {
                "ttl": "10m",
                "jwks_url": (folder / "kratos" / "tokenizer.json").as_uri(),
                "claims_mapper_url": (folder / "kratos" / "claims.jsonnet").as_uri(),
            }
        }
    }
    # A password's hash is made to be slow, and the tests log many people in.
    kratos["hashers"] = {"algorithm": "bcrypt", "bcrypt": {"cost": 4}}
    # People may write their traits here, of which `roles` is one: see TRUSTING.
    kratos["selfservice"]["methods"]["profile"]["enabled"] = True
    chain.write("kratos/kratos.yml", yaml.safe_dump(kratos))
    schema = json.loads(chain.read("kratos/identity.schema.json"))
    roles = {"type": "array", "items": {"type": "string"}}
    schema["properties"]["traits"]["properties"]["roles"] = roles
    chain.write("kratos/identity.schema.json", json.dumps(schema))

    oathkeeper = yaml.safe_load(chain.read("oathkeeper/oathkeeper.yml"))
    oathkeeper["authenticators"]["noop"] = {"enabled": True}
    oathkeeper["mutators"]["id_token"] = {
        "enabled": True,
        "config": {
            "issuer_url": _gateway_issuer(chain),
            "jwks_url": (folder / "kratos" / "tokenizer.json").as_uri(),
            "ttl": "10m",
            "claims": '{"org": {{ .Extra.identity.traits.org | toJson }}}',
        },
    }
    chain.write("oathkeeper/oathkeeper.yml", yaml.safe_dump(oathkeeper))
    rules = yaml.safe_load(chain.read("oathkeeper/access-rules.yml"))
    rules += _access_rules(chain, listener)
    chain.write("oathkeeper/access-rules.yml", yaml.safe_dump(rules))

    settings = yaml.safe_load(chain.read("authorizer.yaml"))
    settings["principals"] = {"profiles": _profiles(chain)}
    chain.write("authorizer.yaml", yaml.safe_dump(settings))


def enter(chain: Chain) -> Cast:
    """Create the people and the clients, and let everybody log in."""
    hydra, self_service = chain.hydra, chain.self_service
    traits = {"email": "ed@acme.test", "org": "acme", "department": "sales", "clearance": 2}
    ed = chain.kratos.create("ed", traits, ("editor",))
    for client in (INDEXER, INDEXER_JWT, NOTES, NOTES_JWT, READER):
        hydra.register(client)
    consent = {"org": "acme"}
    session = self_service.log_in(ed)
    credentials = {
        "session": bearer(session),
        "cookie": cookie(self_service.log_in_by_browser(ed)),
        "tokenized": bearer(self_service.tokenized(session, _TEMPLATE)),
        "id_token": _id_token(chain, bearer(session)),
        "client token": bearer(hydra.token(INDEXER)),
        "client jwt": bearer(hydra.token(INDEXER_JWT)),
        "delegate token": bearer(hydra.token_for(NOTES, ed, consent)),
        "delegate jwt": bearer(hydra.token_for(NOTES_JWT, ed, consent)),
        "id and secret": basic(READER.id, READER.secret),
    }
    return Cast(ed, credentials)


def _access_rule(
    chain: Chain,
    name: str,
    profile: str,
    authenticators: Sequence[Mapping[str, Any]],
    **authorizer: Any,  # noqa: ANN401 - configuration of the handler
) -> dict[str, Any]:
    """Return an access rule for all of a host; `authorizer` adds to its handler's configuration."""
    shipped = json.dumps("kratos")
    payload = chain.read("oathkeeper/payload.tmpl").replace(shipped, json.dumps(profile), 1)
    return {
        "id": name,
        "match": {
            "url": f"http://{name}:{chain.ports.proxy}/<(?s:.*)>",
            "methods": ["GET", "POST", "PUT", "DELETE"],
        },
        "authenticators": list(authenticators),
        "authorizer": {"handler": "remote_json", "config": {"payload": payload, **authorizer}},
        "mutators": [{"handler": "noop"}],
        "errors": [{"handler": "json"}],
        "upstream": {"url": f"http://127.0.0.1:{chain.ports.upstream}"},
    }


def _authenticators(chain: Chain) -> list[dict[str, Any]]:
    """Return all authenticators that look for a credential, in an order that lets each have its."""
    keys = [
        f"http://127.0.0.1:{chain.ports.hydra_public}/.well-known/jwks.json",
        (chain.work / "oathkeeper" / "tokenizer.json").as_uri(),
    ]
    jwt = {
        "jwks_urls": keys,
        "trusted_issuers": [
            f"http://127.0.0.1:{chain.ports.hydra_public}",
            _kratos_issuer(chain),
            _gateway_issuer(chain),
        ],
        "allowed_algorithms": ["RS256", "ES256"],
    }
    return [
        {"handler": "bearer_token"},
        {"handler": "oauth2_introspection"},
        {"handler": "jwt", "config": jwt},
        {"handler": "oauth2_client_credentials"},
        {"handler": "cookie_session"},
    ]


def _access_rules(chain: Chain, listener: str) -> Iterator[dict[str, Any]]:
    anonymous, noop = {"handler": "anonymous"}, {"handler": "noop"}
    for profile in PROFILES:
        known = _authenticators(chain)
        # Beside `client`, whoever is anonymous would pass for a client of that name: both are
        # a subject and nothing else.
        if profile != "client":
            known.append(anonymous)
        yield _access_rule(chain, host(profile), profile, known)
        yield _access_rule(chain, host(f"noop-{profile}"), profile, [noop])
    known = [*_authenticators(chain), anonymous]
    yield _access_rule(chain, host("seen"), "none", known, remote=listener)
    yield _access_rule(chain, host("noop-seen"), "none", [noop], remote=listener)
    issuer = _access_rule(chain, host(_ISSUER), "none", known, remote=listener)
    yield {**issuer, "mutators": [{"handler": "id_token"}]}


def _profiles(chain: Chain) -> dict[str, Any]:
    return {
        TOKENIZED: {
            "shape": "claims",
            "issuers": [_kratos_issuer(chain)],
            "roles": {"always": ["user"]},
            "attr": {"org": "${extra.org}"},
        },
        GATEWAY: {
            "shape": "claims",
            "issuers": [_gateway_issuer(chain)],
            "roles": {"always": ["user"]},
            "attr": {"org": "${extra.org}"},
        },
        STAFF: {
            "shape": "session",
            "roles": {"always": ["user"]},
            "require": ["${extra.authenticator_assurance_level == 'aal2'}"],
        },
        TRUSTING: {
            "shape": "session",
            "roles": {"always": ["user"], "from": ["${extra.identity.traits.roles}"]},
        },
    }


def _kratos_issuer(chain: Chain) -> str:
    return f"http://127.0.0.1:{chain.ports.kratos_public}/"


def _gateway_issuer(chain: Chain) -> str:
    return f"http://127.0.0.1:{chain.ports.api}/"


def _id_token(chain: Chain, session: Credential) -> Credential:
    """Return what Oathkeeper gives an upstream in the place of a session."""
    question = Question("GET", "/")
    reply = chain.send(question, session, entrance=Entrance.DECISIONS, host=host(_ISSUER))
    return Credential("Authorization", reply.headers["authorization"])
