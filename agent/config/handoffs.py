"""The hand-off rules of config.toml: when, and whom they tell."""

from collections.abc import Sequence
from pathlib import Path

from agent.config.check import Check, own_name
from agent.config.lines import KeyPath
from agent.config.tables import HandoffTable
from agent.config.values import suggest, web_address
from agent.errors import NeedsHuman
from agent.model import HandoffRule, Pipeline, Record
from connectors.secrets import SecretRef


class HandoffConfig(Record, frozen=True, kw_only=True):
    """A hand-off rule, and whom it tells."""

    rule: HandoffRule
    webhook: str | SecretRef | None = None
    file: Path | None = None

    def address(self) -> str:
        """The webhook's; NeedsHuman when the reference to it leads nowhere, or to none."""
        url = self.webhook.resolve() if isinstance(self.webhook, SecretRef) else self.webhook or ""
        try:
            return web_address(url)
        except ValueError as error:
            raise NeedsHuman(f"the webhook of {self.rule.name} {error}") from None


def handoff_rules(check: Check, pipelines: tuple[Pipeline, ...]) -> tuple[HandoffConfig, ...]:
    found: list[HandoffConfig] = []
    taken: dict[str, KeyPath] = {}
    for at, values in check.tables("handoff"):
        own_name(check, at, values, taken)
        table = check.table(at, HandoffTable, values)
        if table is None:
            continue
        if not (table.owner or table.tag or table.webhook or table.file):
            check.problem(at, "tells nobody; add an owner, a tag, a webhook or a file")
        if not (table.stage or table.objection or table.sort or table.days):
            check.problem(at, "has no condition; add a stage, an objection, a sort or days")
        known = [s.name for p in pipelines if not table.pipeline or p.name in table.pipeline for s in p.stages]
        for key, names, of in (
            ("pipeline", table.pipeline, [p.name for p in pipelines]),
            ("stage", table.stage, known),
        ):
            for n, name in enumerate(names):
                if name not in of:
                    check.problem((*at, key, n), f"is no {key} of this file; {suggest(name, of)}")
        found.append(_handoff(table, check.path.parent))
    return tuple(found)


def _known(check: Check, at: KeyPath, names: Sequence[str], known: Sequence[str]) -> None:
    for n, name in enumerate(names):
        if name not in known:
            check.problem((*at, n), f"is no {at[-1]} of this file; {suggest(name, known)}")


def _handoff(table: HandoffTable, folder: Path) -> HandoffConfig:
    target = table.webhook
    if isinstance(target, SecretRef) and target.file is not None:
        target = target.model_copy(update={"file": str(folder / Path(target.file).expanduser())})
    return HandoffConfig(
        rule=HandoffRule(
            name=table.name,
            pipelines=table.pipeline,
            stages=table.stage,
            objections=table.objection,
            genuine=None if table.sort is None else table.sort == "genuine",
            days=table.days,
            waiting_for=table.waiting_for,
            owner=table.owner or "",
            tag=table.tag,
            webhook=table.webhook is not None,
            file=table.file is not None,
        ),
        webhook=target,
        file=None if table.file is None else folder / table.file.expanduser(),
    )
