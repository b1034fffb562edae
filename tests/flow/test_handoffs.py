"""Hand-offs on their way to the CRM, to a webhook and into a file: once, for what falls due now, and back."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent import status, story
from agent.config import HandoffConfig
from agent.model import HandoffRule
from agent.store.tables import outbox
from agent.sync import sync
from tests.flow.company import ANNA, VERA, CompanyWorld, letter, replace
from tests.flow.conftest import Founder

OFFER = "Please find attached our offer for the freezer room."
DAY = 86_400.0
RULE = HandoffRule(name="silent", stages=("proposal",), days=14)


class Hook:
    """A web server of somebody else's; it answers with these codes, then with 200."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.codes: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = hook.codes.pop(0) if hook.codes else 200
                hook.heard.append((self.headers["Idempotency-Key"], body))
                self.send_response(code)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Not in the tests' output."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(body["event"], body["deal"]["name"]) for _, body in self.heard]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def ruled(
    world: CompanyWorld, rule: HandoffRule = RULE, hook: Hook | None = None, file: Path | None = None
) -> CompanyWorld:
    """The admin adds a rule; dealscribe looks at it for the first time."""
    rule = replace(rule, webhook=hook is not None, file=file is not None)
    target = HandoffConfig(rule=rule, webhook=hook.url if hook else None, file=file)
    world.config = replace(world.config, handoffs_with_targets=(target,))
    world.sync()
    world.clock.turn(60)
    return world


def offered(world: CompanyWorld) -> None:
    """Anna sends an offer now."""
    raw = letter(ANNA, VERA, "Freezer room", OFFER, at=world.clock(), name="offer", attachment="Offer_4471.pdf")
    world.send("anna", raw)
    world.sync()


def answered(world: CompanyWorld, verdict: str = "dmarc=pass") -> None:
    text = "Sorry for the delay. We still look at it."
    raw = letter(
        VERA, ANNA, "Re: Freezer room", text, at=world.clock(), name="answer", answers="offer", verdict=verdict
    )
    world.receive("anna", raw)
    world.sync()


def pass_(world: CompanyWorld, days: float) -> None:
    world.clock.turn(days * DAY)
    world.sync()


def lines(folder: Path) -> list[tuple[str, str]]:
    path = folder / "handoffs.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return [(row["event"], row["deal"]["name"]) for row in rows]


def test_a_silent_client_is_handed_off_once_when_his_days_are_over(world: CompanyWorld, hook: Hook) -> None:
    folder = world.folder / "handoffs"
    offered(ruled(world, hook=hook, file=folder))
    pass_(world, 13)
    assert hook.events == lines(folder) == []
    pass_(world, 2)
    pass_(world, 5)
    assert hook.events == lines(folder) == [("handed_off", "Freezer room")]
    ((key, body),) = hook.heard
    assert body["id"] == key
    assert (body["rule"], body["stage"], body["deal"]["owner"]) == ("silent", "proposal", "anna")


def test_it_is_taken_back_when_the_client_writes(world: CompanyWorld, hook: Hook) -> None:
    folder = world.folder / "handoffs"
    offered(ruled(world, hook=hook, file=folder))
    pass_(world, 15)
    answered(world)
    pass_(world, 1)
    told = [("handed_off", "Freezer room"), ("taken_back", "Freezer room")]
    assert hook.events == lines(folder) == told
    assert hook.heard[1][1]["why"] == "client"
    assert hook.heard[1][1]["evidence"] == world.message("answer")["key"]


def test_a_letter_that_nobody_can_verify_takes_nothing_back(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    pass_(world, 15)
    answered(world, verdict="")
    assert [event for event, _ in hook.events] == ["handed_off"]


def test_what_an_import_finds_in_the_past_is_handed_to_nobody(world: CompanyWorld, hook: Hook) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    ruled(world, hook=hook)
    pass_(world, 5)
    assert hook.heard == []


def test_what_a_mailbox_that_is_added_later_finds_in_the_past_is_handed_to_nobody(
    world: CompanyWorld, hook: Hook
) -> None:
    ruled(world, hook=hook)
    pass_(world, 30)
    at = world.clock() - timedelta(days=20)
    late = letter(ANNA, VERA, "Freezer room", OFFER, at=at, name="offer", attachment="Offer_4471.pdf")
    world.send("anna", late)
    world.sync()
    pass_(world, 1)
    assert hook.heard == []


def test_a_dealscribe_that_was_off_for_days_hands_off_what_fell_due_meanwhile(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    pass_(world, 40)
    assert [event for event, _ in hook.events] == ["handed_off"]


def test_a_rule_that_is_new_hands_off_nothing_that_was_due_before(world: CompanyWorld, hook: Hook) -> None:
    offered(world)
    pass_(world, 20)
    ruled(world, hook=hook)
    pass_(world, 5)
    assert hook.heard == []


def test_a_new_rule_watches_the_deals_that_wait_already(world: CompanyWorld, hook: Hook) -> None:
    offered(world)
    pass_(world, 7)
    ruled(world, hook=hook)
    pass_(world, 8)
    assert [event for event, _ in hook.events] == ["handed_off"]


def test_a_letter_that_comes_late_and_was_written_in_time_takes_it_back(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    pass_(world, 15)
    written = world.clock() - timedelta(days=10)
    raw = letter(VERA, ANNA, "Re: Freezer room", "We look at it.", at=written, name="late", answers="offer")
    world.receive("anna", raw)
    world.sync()
    assert [event for event, _ in hook.events] == ["handed_off", "taken_back"]


def test_a_webhook_that_fails_is_tried_again_and_hears_the_same_key(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    hook.codes = [500, 429]
    pass_(world, 15)
    for _ in range(4):
        world.clock.turn(300)
        world.sync()
    assert len(hook.heard) == 3
    assert len({key for key, _ in hook.heard}) == 1


def test_a_webhook_that_refuses_is_not_asked_again_and_the_status_tells_of_it(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    hook.codes = [403]
    pass_(world, 15)
    pass_(world, 1)
    assert len(hook.heard) == 1
    assert "127.0.0.1 answers 403" in "\n".join(looked(world).problems)


def test_a_webhook_that_is_away_holds_back_neither_the_crm_nor_other_letters(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    hook.codes = [503] * 100
    pass_(world, 15)
    answered(world)
    assert world.message("answer")["deal_ids"] == ["freezer"]
    states = {row.kind: row.state for row in world.table(outbox) if row.subject != "handoff:freezer"}
    assert set(states.values()) == {"written"}


def test_a_file_line_that_was_cut_off_is_written_once_and_whole(world: CompanyWorld) -> None:
    folder = world.folder / "handoffs"
    folder.mkdir()
    (folder / "handoffs.jsonl").write_text('{"id": "cut o')
    offered(ruled(world, file=folder))
    pass_(world, 15)
    cut, whole = (folder / "handoffs.jsonl").read_text("utf-8").splitlines()
    assert cut == '{"id": "cut o'
    assert json.loads(whole)["event"] == "handed_off"


def test_a_dry_run_tells_nobody(world: CompanyWorld, hook: Hook) -> None:
    offered(ruled(world, hook=hook))
    world.clock.turn(15 * DAY)
    sync(world.flow(outward=False), world.config.sources)
    assert hook.heard == []
    assert [row.state for row in world.table(outbox) if row.kind == "notify"] == ["pending"]


def test_a_hosted_crm_is_told_the_owner_and_the_tag_until_it_is_taken_back(found: Founder) -> None:
    world = found(hosted=True)
    assert world.hosted is not None
    offered(ruled(world, replace(RULE, owner="boris", tag="nurture")))
    pass_(world, 15)
    (stored,) = world.hosted.written("hand_off")
    assert (stored.body["owner"], stored.body["tag"], stored.removed) == ("boris", "nurture", False)
    answered(world)
    (stored,) = world.hosted.written("hand_off")
    assert stored.removed
    assert world.hosted.deal("freezer").owner == "anna"


def test_the_status_the_export_and_the_deals_story_show_it(world: CompanyWorld) -> None:
    offered(ruled(world, replace(RULE, owner="boris")))
    pass_(world, 15)
    (row,) = world.rows("handoff")
    assert (row["rule"], row["deal_id"], row["owner"], row["ended"]) == ("silent", "freezer", "boris", None)
    assert any("silent" in note for note in looked(world).notes)
    answered(world)
    (row,) = world.rows("handoff")
    assert (row["told"], row["why"]) == ({"crm": "written"}, "client")
    assert not any("silent" in note for note in looked(world).notes)
    with world.store.reading() as tx:
        told = story.tell(tx, "freezer")
    assert told is not None
    assert [e.what for e in told.events if e.said == "silent"] == ["handed_off", "taken_back"]


def looked(world: CompanyWorld) -> status.Status:
    with world.store.reading() as tx:
        return status.look(tx, world.config, world.clock())
