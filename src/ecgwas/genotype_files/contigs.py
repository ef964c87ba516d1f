"""contig names, positions -> what they mean in GRCh37 and GRCh38: lengths, X regions, long-range LD."""

import itertools

import polars as pl

# Lengths of chromosomes 1 to 22 and X, base pairs (Genome Reference Consortium; as in 1000 Genomes).
_LENGTHS = {
    "GRCh37": """
    249250621 243199373 198022430 191154276 180915260 171115067 159138663 146364022 141213431
    135534747 135006516 133851895 115169878 107349540 102531392 90354753 81195210 78077248
    59128983 63025520 48129895 51304566 155270560
    """,
    "GRCh38": """
    248956422 242193529 198295559 190214555 181538259 170805979 159345973 145138636 138394717
    133797422 135086622 133275309 114364328 107043718 101991189 90338345 83257441 80373285
    58617616 64444167 46709983 50818468 156040895
    """,
}
CONTIGS = [*(str(number) for number in range(1, 23)), "X"]
LENGTHS = {build: dict(zip(CONTIGS, map(int, lengths.split()), strict=True)) for build, lengths in _LENGTHS.items()}

OTHER = {"GRCh37": "GRCh38", "GRCh38": "GRCh37"}

# Pseudo-autosomal regions of X: both sexes carry two copies there.
PSEUDO_AUTOSOMAL = {
    "GRCh37": [("X", 60001, 2699520), ("X", 154931044, 155260560)],
    "GRCh38": [("X", 10001, 2781479), ("X", 155701383, 156030895)],
}

# Long-range LD, Mb (Price et al. 2008, doi:10.1016/j.ajhg.2008.06.005; Anderson et al. 2010,
# doi:10.1038/nprot.2010.116): whole regions would become principal components of their own. HLA, 8p23 wide.
LONG_RANGE_LD = {
    "GRCh37": [
        *[("1", 48, 52), ("2", 86, 100.5), ("2", 134.5, 138), ("2", 183, 190), ("3", 47.5, 50), ("3", 83.5, 87)],
        *[("3", 89, 97.5), ("5", 44.5, 50.5), ("5", 98, 100.5), ("5", 129, 132), ("5", 135.5, 138.5), ("6", 25, 35)],
        *[("6", 57, 64), ("6", 140, 142.5), ("7", 55, 66), ("8", 7, 13), ("8", 43, 50), ("8", 112, 115)],
        *[("10", 37, 43), ("11", 46, 57), ("11", 87.5, 90.5), ("12", 33, 40), ("12", 109.5, 112), ("20", 32, 34.5)],
    ],
    # the same lifted with the UCSC chain, outermost lifted positions
    "GRCh38": [
        *[
            ("1", 47.5, 51.5),
            ("2", 85.8, 99.9),
            ("2", 133.7, 137.2),
            ("2", 182.1, 189.1),
            ("3", 47.5, 50),
            ("3", 83.5, 87),
        ],
        *[
            ("3", 89, 97.8),
            ("5", 44.5, 51.2),
            ("5", 98.7, 101.2),
            ("5", 129.7, 132.7),
            ("5", 136.2, 139.2),
            ("6", 25, 35),
        ],
        *[
            ("6", 57.1, 63.3),
            ("6", 139.7, 142.2),
            ("7", 54.9, 66.5),
            ("8", 7.1, 13.1),
            ("8", 43.1, 49.1),
            ("8", 111, 114),
        ],
        *[
            ("10", 36.7, 42.5),
            ("11", 46, 57.2),
            ("11", 87.8, 90.8),
            ("12", 32.8, 39.6),
            ("12", 109.1, 111.6),
            ("20", 33.4, 35.9),
        ],
    ],
}


def normalise(names: pl.Expr) -> pl.Expr:
    """Contig names without prefix: chr1, Chr1, 01 -> 1; 23, 25, XY, chrX -> X. Anything else stays as it is."""
    bare = names.cast(pl.String).str.strip_chars().str.replace(r"^(?i)chr", "").str.replace(r"^0+([1-9])", "$1")
    return bare.str.to_uppercase().replace({"23": "X", "25": "X", "XY": "X", "PAR1": "X", "PAR2": "X"})


def recoding(names: list[str], build: str) -> dict[str, str]:
    """Names as found in a file -> names of Hail's reference genome, for the contigs used."""
    table = pl.DataFrame({"found": sorted(set(names))}, schema={"found": pl.String}).with_columns(
        name=normalise(pl.col("found"))
    )
    prefix = "chr" if build == "GRCh38" else ""
    known = table.filter(pl.col("name").is_in(CONTIGS))
    return {found: prefix + name for found, name in known.iter_rows() if found != prefix + name}


def within(regions: list[tuple[str, float, float]], unit: float = 1.0) -> pl.Expr:
    """Whether (contig, position) lies in one of `regions`, ends included; `unit` is base pairs per region unit."""
    hits = [(pl.col("contig") == c) & pl.col("position").is_between(a * unit, b * unit) for c, a, b in regions]
    return pl.any_horizontal(hits) if hits else pl.lit(False)


def haploid_in_males(build: str) -> pl.Expr:
    """Whether a variant is on X outside the pseudo-autosomal regions."""
    return (pl.col("contig") == "X") & ~within(PSEUDO_AUTOSOMAL[build])


def genome_order(contig: str = "contig") -> pl.Expr:
    """Rank of the contig in genome order, to sort by with position."""
    return pl.col(contig).replace_strict({name: rank for rank, name in enumerate(CONTIGS)}, default=99)


def total(build: str) -> int:
    """Length of chromosomes 1 to 22 and X together, base pairs."""
    return sum(LENGTHS[build].values())


def place(build: str) -> pl.Expr:
    """Base pairs from the start of the genome, from 1: chromosomes 1 to 22 and X end to end, other contigs after."""
    length = LENGTHS[build]
    before = dict(zip(CONTIGS, [0, *itertools.accumulate(length.values())], strict=False))
    start = pl.col("contig").replace_strict(before, default=total(build), return_dtype=pl.Int64)
    longest = pl.col("contig").replace_strict(length, default=1, return_dtype=pl.Int64)
    return start + pl.col("position").cast(pl.Int64).clip(1, longest)
