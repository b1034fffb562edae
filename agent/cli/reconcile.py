"""`reconcile`: the proof that nothing was lost."""

import json
from typing import Annotated, Any

import typer

from agent import reconcile as proving
from agent.cli.common import (
    NO,
    RUNNING,
    ConfigPath,
    Json,
    Running,
    Sources,
    complain,
    flow_of,
    lease,
    named_sources,
    opened,
    safe_json,
    tell,
)
from agent.sync import sync as sync_once
from agent.texts import say


def reconcile(
    source: Sources = None,
    repair: Annotated[bool, typer.Option("--repair", help="Take up what is missing.")] = False,
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """Prove by identity that every item on the servers has a row, and every logged one is in the CRM."""
    with opened(config) as (loaded, store):
        try:
            with lease(store), flow_of(loaded, store) as flow:
                proofs = [proving.prove(flow, s, repair=repair) for s in named_sources(loaded, source or [])]
                if repair:
                    sync_once(flow, [])
                of_crm = proving.prove_crm(flow)
        except Running as error:
            complain(error)
            raise typer.Exit(RUNNING) from None
    if as_json:
        document = {"sources": [_as_dict(p) for p in proofs], "crm": of_crm.__dict__}
        print(safe_json(json.dumps(document, ensure_ascii=False, default=list)))
    else:
        for proof in proofs:
            tell(_proof_line(proof))
        numbers = of_crm.__dict__ | {"missing": len(of_crm.missing)}
        tell(say("reconcile.crm", **numbers))
    if not (all(p.holds for p in proofs) and of_crm.holds):
        raise typer.Exit(NO)


def _as_dict(proof: proving.Proof) -> dict[str, Any]:
    return proof.__dict__ | {"missing": [[r.folder, r.uid] for r in proof.missing], "holds": proof.holds}


def _proof_line(proof: proving.Proof) -> str:
    if proof.error:
        return say("reconcile.failed", source=proof.source, error=proof.error)
    if proof.taken_up:
        return say("reconcile.repaired", source=proof.source, count=proof.taken_up)
    numbers = {"source": proof.source, "on_server": proof.on_server, "known": proof.known, "vanished": proof.vanished}
    name = "reconcile.missing" if proof.missing else "reconcile.holds"
    return say(name, count=len(proof.missing), **numbers)
