"""Study file -> results: `ecgwas run STUDY` in the project of this script. Further arguments go to Snakemake."""

import sys
from pathlib import Path

from ecgwas.__main__ import main

if __name__ == "__main__":
    main(["run", "--project", str(Path(__file__).resolve().parents[1]), *sys.argv[1:]])
