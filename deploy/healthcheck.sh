#!/bin/sh
# Exits 0 if the file that a well process touches every 10 s is younger than a minute: `healthcheck.sh [FILE] [SECONDS]`.
file=${1:-${WAYBILL_ALIVE_FILE:-/tmp/waybill.alive}}
touched=$(stat -c %Y "$file" 2>/dev/null) || { echo "$file: not touched yet"; exit 1; }
age=$(($(date +%s) - touched))
[ "$age" -lt "${2:-60}" ] || { echo "$file: last touched $age s ago"; exit 1; }
