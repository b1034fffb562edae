#!/bin/bash
# A spring at the sample company: its CRM is imported, mailboxes and calendars are read, and the reports are printed.
set -eu
cd "$(dirname "$0")/.."
export DEALSCRIBE_CONFIG="$PWD/config.toml"

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ dealscribe %s\n' "$*"; dealscribe "$@"; }

rm -rf .demo
say "What the CRM knows at the start"
run import examples/company/crm.json
say "Mailboxes and calendars"
run sync
say "The funnel, and who is where in it"
run report funnel
say "Objections, by the stage at which they arose"
run report objections
say "What was left out, and why"
run status
