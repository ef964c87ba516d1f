"""How fast sumstats become files for other tools: made-up statistics of many traits, every format.

Last line: JSON with seconds, seconds a trait and million variants, and the megabytes written.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.config import Exports
from ecgwas.genotype_files.variants import VARIANT
from ecgwas.gwas.export import formats

CHUNK = 50_000  # variants a part
FORMATS = ["gwas-ssf", "pheweb", "ldsc", "regenie"]


def variants(n: int) -> pl.DataFrame:
    """`n` variants in genome order on 22 chromosomes, most with an rs number."""
    number = pl.int_range(n)
    alleles = np.random.default_rng(1).permuted(np.tile(list("ACGT"), (n, 1)), axis=1)
    table = pl.select(
        contig=(number * 22 // n + 1).cast(pl.String),
        position=(number * 12 + 10_177).cast(pl.Int32),
        ref=pl.Series(alleles[:, 0]),
        alt=pl.Series(alleles[:, 1]),
        rsid=pl.when(number % 10 > 0).then(pl.format("rs{}", number)).otherwise(pl.lit(".")),
    )
    more = {"source": pl.lit(0, pl.Int32), "source_index": number.cast(pl.Int32), "info": pl.lit(None, pl.Float64)}
    return table.with_columns(**more, af=pl.lit(0.2), ref_checked=number % 2 > 0)


def write(work: Path, n: int, n_traits: int) -> list[Path]:
    """Parts of the sumstats, and the tables beside them."""
    rng, table = np.random.default_rng(2), variants(n)
    names = [f"y{j}" for j in range(n_traits)]
    table.write_parquet(work / "variants.parquet")
    traits = pl.DataFrame({"trait": names, "group": "all", "n": 5000, "df": 4990, "yy": 4990.0})
    traits.with_columns(contig=pl.lit(None, pl.String)).write_parquet(work / "traits.parquet")
    pl.DataFrame({"person_id": ["p"], "sample_id": ["p"], "age": [1.0]}).write_parquet(work / "covariates.parquet")
    (work / "manifest.json").write_text(json.dumps({"build": "GRCh37"}))
    paths = []
    for first in range(0, n, CHUNK):
        part = table[first : first + CHUNK]
        af, m = rng.uniform(0.01, 0.99, part.height), part.height
        part = part.select(*VARIANT, "rsid", "info").with_columns(n=pl.lit(5000), af=af, gg=1e4 * af * (1 - af))
        t = pl.DataFrame(rng.standard_normal((m, n_traits), np.float32), schema=[f"t:{name}" for name in names])
        paths.append(work / f"part-{first}.parquet")
        part.hstack(t).write_parquet(paths[-1])
    return paths


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--variants", type=int, default=200_000)
    given.add_argument("--traits", type=int, default=64)
    given.add_argument("--formats", nargs="+", default=FORMATS)
    given = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = write(work, given.variants, given.traits)
        tables = [work / name for name in ("traits.parquet", "variants.parquet", "covariates.parquet", "manifest.json")]
        began = time.perf_counter()
        formats.main(parts, *tables, Exports(formats=given.formats), "made-up", work / "exports")
        seconds = time.perf_counter() - began
        size = sum(path.stat().st_size for path in (work / "exports").rglob("*.gz"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    per = seconds / given.traits / given.variants * 1e6
    print(json.dumps({
        "variants": given.variants, "traits": given.traits, "formats": given.formats, "seconds": round(seconds, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2), "s_per_trait_million": round(per, 2),
        "written_mb": round(size / 2**20, 1), "peak_mb": round(used.ru_maxrss / 1024),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
