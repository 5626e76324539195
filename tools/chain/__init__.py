"""The example, running: Kratos, Hydra, Oathkeeper, the authorizer, Cerbos, an application.

    with running_chain(work_folder) as chain:
        rita = chain.kratos.create("rita", {"email": "rita@acme.test", "org": "acme"})
        session = chain.self_service.log_in(rita)
        answer = chain.ask(Question("GET", "/orgs/acme/documents"), bearer(session))

The demo and the integration tests stand on it. It runs the checked-in configuration, in a copy
whose ports alone differ, and stops all that it started.
"""

from chain.answers import Answer, Entrance, Question
from chain.chain import Chain, PdpKind, running_chain
from chain.credentials import Credential, basic, bearer, cookie
from chain.errors import ChainError
from chain.hydra import Client, Grant, Hydra
from chain.people import Kratos, Person
from chain.ports import Ports
from chain.program import Program
from chain.self_service import SelfService

__all__ = [
    "Answer",
    "Chain",
    "ChainError",
    "Client",
    "Credential",
    "Entrance",
    "Grant",
    "Hydra",
    "Kratos",
    "PdpKind",
    "Person",
    "Ports",
    "Program",
    "Question",
    "SelfService",
    "basic",
    "bearer",
    "cookie",
    "running_chain",
]
