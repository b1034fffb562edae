"""A client without an open deal asks for an offer: the deal to be made of it, or to be asked about; pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from agent.clients import without_tag
from agent.known import Answer, Client, Seen
from agent.model import Deal, History, Link, Meeting, Message, MilestoneRead, NewRecord, Pipeline
from agent.proof import UNVERIFIED, is_verified
from agent.words import WordIndex, without_marks, words
from classifiers import PROPOSE, WRITE

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
LONGEST = 80  # characters of a deal's name
FIRST_LETTERS = 3  # of the client's, in which a pipeline's words are looked for


def new_deals(
    client: Client, letters: Sequence[Seen], said: History, people: Sequence[NewRecord], answers: Sequence[Answer]
) -> list[NewRecord]:
    """At most one for each company, or person without one: until it is answered, further requests are the same.

    `people`: those who are new themselves; a deal of theirs is made after them.
    """
    keys = {email: new.key for new in people if new.kind == "contact" for email in new.body["emails"]}
    links = {link.activity: link for link in said.links}
    answered = {a.subject: a for a in answers}
    found: dict[str, NewRecord] = {}
    refused: set[int] = set()  # threads
    for seen in letters:
        link, request = links.get(seen.key), _request(seen)
        if link is None or request is None or link.outcome != "logged" or link.deal_ids or link.ambiguous:
            continue
        whose = link.company_id or min(link.contact_ids, default=None)
        if whose is None or whose in found or seen.thread in refused or _has_open_deal(client, said, link, seen.at):
            continue
        answer = answered.get(deal_key(seen))
        if answer is not None and answer.kind in ("declined", "undone"):
            refused.add(seen.thread)
        elif (made := _proposal(client, letters, seen, link, request, answer)) is not None:
            found[whose] = _of_newcomer(made, keys.get(_sender(seen)))
    return list(found.values())


def _of_newcomer(made: NewRecord, contact_key: str | None) -> NewRecord:
    if contact_key is None:
        return made
    return msgspec.structs.replace(made, body={**made.body, "contact_ids": [contact_key]}, needs=(contact_key,))


def _sender(seen: Seen) -> str:
    return without_tag(seen.record.from_[0].email) if isinstance(seen.record, Message) and seen.record.from_ else ""


def deal_key(seen: Seen) -> str:
    return f"deal:{seen.key}"


def _request(seen: Seen) -> MilestoneRead | None:
    """The words with which the client asks for an offer."""
    letter = isinstance(seen.record, Message) and seen.direction == "inbound" and seen.verified != "failed"
    if not letter or seen.reading.automated:
        return None
    asks = [m for m in seen.reading.milestones if m.name == "proposal_requested" and m.confidence >= PROPOSE]
    return max(asks, key=lambda m: m.confidence, default=None)


def _has_open_deal(client: Client, said: History, link: Link, at: datetime) -> bool:
    """One that was typed in later counts too: it is what came of the request."""
    kinds = {(p.name, s.name): s.kind for p in client.pipelines.values() for s in p.stages}
    for deal in client.deals:
        if not _is_theirs(deal, link):
            continue
        moves = [(e.date, e.stage) for e in deal.events]
        moves += [(m.date, m.stage) for m in said.moves if m.deal_id == deal.id and m.state == "written"]
        since, stage = max((m for m in moves if m[0] <= at), default=(BEFORE_ALL, ""))
        ended = kinds.get((deal.pipeline, stage)) in ("won", "lost")
        closed = deal.closed_at is not None and since <= deal.closed_at < at
        if not (ended or closed):
            return True
    return False


def _is_theirs(deal: Deal, link: Link) -> bool:
    if link.company_id:
        return deal.company_id == link.company_id
    return not set(deal.contact_ids).isdisjoint(link.contact_ids)


def _proposal(
    client: Client, letters: Sequence[Seen], seen: Seen, link: Link, request: MilestoneRead, answer: Answer | None
) -> NewRecord | None:
    fitting, clear = _fitting(client, letters, seen)
    if not fitting:
        return None
    accepted = answer is not None and answer.kind in ("accepted", "restored")
    chosen = client.pipelines.get(answer.pipeline) if answer is not None else None
    pipeline = chosen or fitting[0]
    why = "" if accepted else _why_only_proposed(pipeline, clear, seen, request)
    return NewRecord(
        key=deal_key(seen),
        kind="deal",
        state="proposed" if why else "written",
        name=_name(seen, request, client, link),
        date=seen.at,
        evidence=seen.key,
        quote=request.evidence.quote,
        body=msgspec.to_builtins(_deal(client, seen, link, request, pipeline)),
        why=why,
        choices=() if clear else tuple(p.name for p in fitting),
    )


def _why_only_proposed(pipeline: Pipeline, clear: bool, seen: Seen, request: MilestoneRead) -> str:
    if not clear:
        return "it is not clear which pipeline takes it"
    if pipeline.create_deals != "auto":
        return 'the pipeline has create_deals = "propose"'
    if not is_verified(seen):
        return UNVERIFIED
    return "" if request.confidence >= WRITE else "the reading is not sure enough"


def _deal(client: Client, seen: Seen, link: Link, request: MilestoneRead, pipeline: Pipeline) -> Deal:
    """Made with its request, in the first stage: what the letters prove moves it on from there."""
    return Deal(
        id=deal_key(seen),
        name=_name(seen, request, client, link),
        company_id=link.company_id,
        contact_ids=_asking(client, seen.record) or link.contact_ids[:1],
        owner=_owner(client, seen),
        pipeline=pipeline.name,
        stage=pipeline.stages[0].name if pipeline.stages else "",
        status="open",
        created_at=seen.at,
        created_by="agent",
    )


def _asking(client: Client, request: Message | Meeting) -> tuple[str, ...]:
    """The contacts whose address the request bears."""
    from_ = {a.email for a in request.from_} if isinstance(request, Message) else set()
    return tuple(c.id for c in client.contacts if from_ & {e.lower() for e in c.emails})


def _owner(client: Client, seen: Seen) -> str:
    """The rep to whom it is addressed, else one in whose mailbox it lies."""
    to = (*seen.record.to, *seen.record.cc) if isinstance(seen.record, Message) else ()
    named = [client.reps[a.email] for a in to if a.email in client.reps]
    return next((rep for rep in named if rep in seen.owners), min(seen.owners, default=""))


# -- which pipeline? ------------------------------------------------------------------------------------------------


def _fitting(client: Client, letters: Sequence[Seen], seen: Seen) -> tuple[list[Pipeline], bool]:
    """The pipelines that may take such a deal, and whether it is clear that the first one does.

    Those that say so; when none does, one that says nothing of what it takes; else a person has to choose from all.
    """
    known = [p for p in client.pipelines.values() if p.stages]
    said = _first_letters(letters, seen)
    fitting = [p for p in known if _is_told(p) and _takes(client, p, seen, said)]
    fitting = fitting or [p for p in known if not _is_told(p)]
    clear = len(fitting) == 1
    return [p for p in fitting or known if p.create_deals != "off"], clear


def _is_told(pipeline: Pipeline) -> bool:
    return bool(pipeline.takes.owners or pipeline.takes.words or pipeline.takes.sources)


def _takes(client: Client, pipeline: Pipeline, seen: Seen, said: WordIndex) -> bool:
    takes = pipeline.takes
    owner = _owner(client, seen)
    names = {owner.lower()} | {email for email, rep in client.reps.items() if rep == owner}
    return (
        (not takes.owners or bool(names & set(takes.owners)))
        and (not takes.sources or bool(seen.sources & set(takes.sources)))
        and (not takes.words or any(said.has(tuple(words(word))) for word in takes.words if words(word)))
    )


def _first_letters(letters: Sequence[Seen], request: Seen) -> WordIndex:
    """The client's first letters of the talk, down to the request."""
    talk = [s for s in letters if s.thread == request.thread and s.direction == "inbound" and s.at <= request.at]
    texts = [f"{_subject(s)}\n{s.new_text}" for s in (*talk[:FIRST_LETTERS], request)]
    return WordIndex("\n".join(texts))


# -- its name -------------------------------------------------------------------------------------------------------

# words of a subject that say only that something is asked for
_EMPTY = frozenset(
    "request enquiry inquiry question price prices pricing quote quotation offer offers proposal rfq rfp need help "
    "hello hi your our cost costs urgent fwd please information info project order website contact form new message "
    "about запрос заявка вопрос цена цены прайс расценки кп коммерческое предложение расчет стоимость стоимости "
    "просьба здравствуйте добрый день срочно информация проект заказ сотрудничество обращение новое письмо сообщение "
    "сайт сайта".split()
)


def _name(seen: Seen, request: MilestoneRead, client: Client, link: Link) -> str:
    """The subject; where it names nothing, the request itself; else the client."""
    for text in (without_marks(_subject(seen)), request.evidence.quote):
        plain = " ".join(re.sub(r"[\s\x00-\x1f]+", " ", text[:1_000]).split()).strip(" .,;:!?-–—")
        if any(len(w) > 2 and w not in _EMPTY and not w.isdigit() for w in words(plain)):
            return _shortened(plain)
    names = [c.name for c in client.companies if c.id == link.company_id]
    names += [c.name for c in client.contacts if c.id in link.contact_ids]
    return _shortened(names[0] if names else seen.key)


def _shortened(text: str) -> str:
    """At most LONGEST characters, cut between two words."""
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 1].rpartition(" ")[0].rstrip(" ,;:-–—") + "…"


def _subject(seen: Seen) -> str:
    return seen.record.subject if isinstance(seen.record, Message) else ""
