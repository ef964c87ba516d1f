"""Text files beside genotypes (.bim, .fam, .sample) -> tables of text with their line numbers; lists of samples."""

from pathlib import Path

import polars as pl

from ecgwas.errors import UserError, reading

LINE = "line"


def must_exist(path: Path, what: str) -> Path:
    """`path`, or a UserError that names it."""
    if not path.exists():
        raise UserError(f"{path}: no such {what}; check `genotypes` of the cohort")
    if not path.is_file():
        raise UserError(f"{path}: a folder, not a {what}; check `genotypes` of the cohort")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: an empty {what}; copy it again")
    return path


def text_table(path: Path, names: list[str], needed: int | None = None) -> pl.DataFrame:
    """The first columns of a file split by tabs or blanks, as text, after `line`; blank lines are skipped.

    A line with fewer than `needed` columns (all of `names` by default) is a UserError that names it.
    """
    with reading(path, "text", "it must be UTF-8 text, one record a line: copy it again"):
        lines = pl.read_csv(
            path, has_header=False, new_columns=["text"], separator="\x01", quote_char=None, schema={"text": pl.String}
        )
    lines = lines.with_row_index(LINE, offset=1).with_columns(pl.col("text").str.strip_chars())
    lines = lines.filter(pl.col("text").fill_null("") != "")
    fields = lines.select(LINE, pl.col("text").str.replace_all(r"\s+", "\t").str.splitn("\t", len(names) + 1))
    table = fields.unnest("text").rename({f"field_{i}": name for i, name in enumerate(names)}).select(LINE, *names)
    short = table.filter(pl.any_horizontal(pl.col(names[: needed or len(names)]).is_null()))
    if short.height:
        raise UserError(
            f"{path}: line {short[LINE][0]} has fewer than {needed or len(names)} columns;"
            " correct it, or copy the file again"
        )
    return table


def one_list_of_samples(paths: list[Path], lists: list[list[str]]) -> list[str]:
    """The sample ids common to all files; the same in the same order, each once."""
    for path, ids in zip(paths, lists, strict=True):
        if ids != lists[0]:
            raise UserError(
                f"{path}: its {len(ids)} samples are not those of {paths[0]} ({len(lists[0])}) in the same order; "
                "write all files with one sample list"
            )
    repeated = pl.Series("id", lists[0], pl.String)
    repeated = repeated.filter(repeated.is_duplicated()).unique().sort().to_list()
    if repeated:
        raise UserError(
            f"{paths[0]}: {len(repeated)} sample ids stand more than once ({', '.join(repeated[:5])}); make them unique"
        )
    if not lists[0]:
        raise UserError(f"{paths[0]}: no samples")
    if "" in lists[0]:
        raise UserError(f"{paths[0]}: sample {lists[0].index('') + 1} has an empty id; name every sample")
    return lists[0]
