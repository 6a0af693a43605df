#!/bin/sh
# Restores a folder with GNU parallel, N pictures at a time:
#
#     parallel.sh N IN OUT [options of serpent restore]
#
# For several machines name them in SERPENT_HOSTS as parallel's --sshlogin has them, such as
# "4/one,4/two"; IN and OUT must be on a disk that all of them see. Called again, it does what is
# missing and nothing else.
set -u
parts=$1 in=$2 out=$3
shift 3
mkdir -p "$out"
seq "$parts" | parallel --will-cite --halt never --wd . \
    ${SERPENT_HOSTS:+--sshlogin "$SERPENT_HOSTS"} \
    serpent restore -i "$in" -o "$out" -r -q --shard "{}/$parts" --report "$out/report-{}.csv" "$@"
serpent report merge -o "$out/report.csv" "$out"/report-[0-9]*.csv
