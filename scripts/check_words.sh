#!/usr/bin/env bash
# Checks for notes to self: what is not done is not said in a comment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

git rev-parse HEAD >/dev/null
words='TO''DO|FIX''ME|XX''X|HA''CK'
found=$(git grep -nwIE --untracked "$words" -- . ':!LICENSE' | sed -E 's/^([^:]+:[0-9]+):.*/\1: has a note to self/' || true)
if [ -n "$found" ]; then
    echo "$found"
    exit 1
fi
echo "no notes to self"
