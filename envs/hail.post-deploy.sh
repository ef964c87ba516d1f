#!/usr/bin/env bash
# The package itself: Snakemake runs this in the study's results folder, two levels below the project.
set -euo pipefail
python -m pip install --no-deps --editable "$(cd ../.. && pwd)"
