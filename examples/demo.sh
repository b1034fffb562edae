#!/bin/bash
# A spring at the sample company: its CRM is imported, mailboxes and calendars are read, and the reports are printed.
set -eu
cd "$(dirname "$0")/.."
export DEALSCRIBE_CONFIG="${DEALSCRIBE_CONFIG:-$PWD/config.toml}"
quiet=$([ -t 2 ] || echo --quiet) # bars for a person, nothing for a log

step() { printf '\n== %s\n' "$1"; shift; printf '%s\n' "$@"; }
run() { printf '\n$ dealscribe %s\n' "$*"; dealscribe "$@"; }

rm -rf .demo
step "1. What people typed into the CRM" \
  "Nordvale builds cold rooms: two sellers, nine clients, ten deals, all of them" \
  "at their beginning. Nobody will type more than that."
run import examples/company/crm.json

step "2. What the mailboxes and calendars hold" \
  "Three months of mail and meetings of both sellers, in English and Russian." \
  "The mailboxes are only read."
run sync $quiet

step "3. Nothing new, nothing done" \
  "The same again: every letter is known by its identity, nothing is written twice."
run sync $quiet

step "4. Where everything went" \
  "Each letter and meeting was logged to its client and deal. One letter fits two" \
  "deals: it is left ambiguous, because a wrong link is worse than none."
run report logged

step "5. Why that letter was not linked" \
  "Both deals, with what speaks for each; \"=>\" would mark a chosen one."
run explain 1879D1AE-3279-4A27-9ED4-4142E2241A9C@larkmoor-hotels.example

step "6. The funnel, by manager" \
  "Each stage with its result. A deal moved because of words that can be quoted;" \
  "won and lost are only proposed, a person confirms them."
run report funnel

step "7. What clients object, by the stage where they said it" \
  "In their own words, with the condition under which they would buy." \
  "\"I'll think about it\" is kept apart, as stalling."
run report objections

step "8. What was left out, and why" \
  "Of private, internal and automatic mail no text is kept; of what is excluded," \
  "nothing at all."
run report skipped

step "9. The proof that nothing was lost" \
  "Mailboxes, calendars, ledger and CRM are compared item by item, by identity."
run reconcile
run status
printf '\nThe whole story is in examples/company/STORY.md; the store of this demo is .demo/dealscribe.db\n'
