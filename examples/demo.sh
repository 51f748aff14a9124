#!/bin/sh
# The main job on the 344 Palmer penguins: split, learn, draw, judge. Writes to demo/.
set -eu
cd "$(dirname "$0")/.."
mkdir -p demo

step() { printf '\n$ tabseed %s\n' "$*"; tabseed "$@"; }

step info examples/penguins.csv
step split examples/penguins.csv --train demo/train.csv --holdout demo/holdout.csv \
    --stratify species --force
step synth demo/train.csv -o demo/synthetic.csv --rows 1000 --target species \
    --model demo/model.tabseed --force
step evaluate demo/train.csv demo/synthetic.csv --holdout demo/holdout.csv --target species \
    --report demo/report.html --force

printf '\nsynthetic table  demo/synthetic.csv\nmodel            demo/model.tabseed\n'
printf 'report           demo/report.html (open it in a browser)\n'
