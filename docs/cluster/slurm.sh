#!/bin/sh
#SBATCH --job-name=serpent
#SBATCH --array=1-16
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
# Restores a folder as a Slurm array, one part a task:
#
#     sbatch slurm.sh IN OUT [options of serpent restore]
#     sbatch --array=3,7 slurm.sh IN OUT ...     only some parts once more
#
# IN and OUT are on a disk that all nodes see. A task that is put back goes on where it was. When
# all have ended: serpent report merge -o OUT/report.csv OUT/report-[0-9]*.csv
set -eu
in=$1 out=$2
shift 2
parts=${SERPENT_PARTS:-16} # as in --array above
mkdir -p "$out"
exec serpent restore -i "$in" -o "$out" -r -q --shard "$SLURM_ARRAY_TASK_ID/$parts" \
    --report "$out/report-$SLURM_ARRAY_TASK_ID.csv" "$@"
