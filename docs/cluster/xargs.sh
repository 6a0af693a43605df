#!/bin/sh
# As parallel.sh, where there is no GNU parallel and one machine is enough:
#
#     xargs.sh N IN OUT [options of serpent restore]
set -u
parts=$1 in=$2 out=$3
shift 3
mkdir -p "$out"
seq "$parts" | xargs -P "$parts" -I '{}' \
    serpent restore -i "$in" -o "$out" -r -q --shard "{}/$parts" --report "$out/report-{}.csv" "$@"
serpent report merge -o "$out/report.csv" "$out"/report-[0-9]*.csv
