"""A question to ask of the document policies that the PDP tests run on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from polling import PATIENCE

from authorizer.errors import PdpError
from authorizer.model import Check, Effect, Principal, Resource
from authorizer.pdp.interface import Deadline

if TYPE_CHECKING:
    from authorizer.model import JsonValue, PdpAnswer
    from authorizer.pdp.interface import Pdp


def person(organization: str = "acme", **attr: JsonValue) -> Principal:
    return Principal("ada", ("user",), {"organization": organization, **attr}, profile="kratos")


def document(id_: str = "1", *, of: str = "acme", action: str = "view", scope: str = "") -> Check:
    return Check(Resource("document", id_, {"organization": of}, scope=scope), action)


async def ask(
    pdp: Pdp, *checks: Check, seconds: float = PATIENCE, explain: bool = False
) -> PdpAnswer:
    return await pdp.check(
        person(),
        checks or (document(),),
        deadline=Deadline.after(seconds),
        request_id="request-1",
        explain=explain,
    )


async def effects(pdp: Pdp, *checks: Check) -> list[Effect]:
    return [result.effect for result in (await ask(pdp, *checks)).results]


async def until_it_says(pdp: Pdp, effect: Effect, *, within: float = PATIENCE) -> None:
    """Ask again and again, whatever fails, until the first document gets `effect`."""
    end = time.monotonic() + within
    while True:
        said: object
        try:
            said = (await ask(pdp, seconds=0.5)).results[0].effect
        except PdpError as error:
            said = error
        if said is effect:
            return
        assert time.monotonic() < end, f"it still says {said!r}"
        await asyncio.sleep(0.01)
