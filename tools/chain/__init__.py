"""The example application, running: Kratos, Oathkeeper, the authorizer, Cerbos, an upstream.

    with running_chain(work_folder) as chain:
        rita = chain.kratos.create("rita", {"email": "rita@acme.test", "org": "acme"})
        token = chain.kratos.log_in(rita)
        answer = chain.ask(Question("GET", "/orgs/acme/documents"), token)

The demo and the integration tests stand on it. It runs the checked-in configuration, in a copy
whose ports alone differ, and stops all that it started.
"""

from chain.answers import Answer, Entrance, Question
from chain.chain import Chain, PdpKind, running_chain
from chain.errors import ChainError
from chain.people import Kratos, Person, SessionToken
from chain.ports import Ports
from chain.program import Program

__all__ = [
    "Answer",
    "Chain",
    "ChainError",
    "Entrance",
    "Kratos",
    "PdpKind",
    "Person",
    "Ports",
    "Program",
    "Question",
    "SessionToken",
    "running_chain",
]
