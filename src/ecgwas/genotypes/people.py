"""sample ids, people, recordings, id bridge, withdrawals -> one row a sample: who it is and what is known of it."""

from pathlib import Path

import polars as pl

from ecgwas import user_tables
from ecgwas.errors import UserError
from ecgwas.phenotypes.sex import SEX


def read_table(path: Path, columns: list[str]) -> pl.DataFrame:
    """The named columns of a CSV, TSV or Parquet file, as text; nulls and blanks are null."""
    return user_tables.read(path, columns).need(columns).frame.select(pl.col(columns).cast(pl.String))


def read_bridge(path: Path) -> pl.DataFrame:
    """person_id and sample_id, each once."""
    bridge = read_table(path, ["person_id", "sample_id"]).drop_nulls().unique(maintain_order=True)
    for column in ("sample_id", "person_id"):
        twice = bridge.filter(pl.col(column).is_duplicated())[column].unique().sort().to_list()
        if twice:
            raise UserError(
                f"{path}: {column} {twice[0]} stands in more than one pair ({len(twice)} such); "
                "make the bridge one to one"
            )
    return bridge


def read_withdrawn(path: Path) -> set[str]:
    """Ids of people who withdrew, one a line; blank lines and lines from # on are skipped."""
    return {name for _, name in user_tables.read_ids(path)}


def _examples(ids: list[str]) -> str:
    return ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")


def _must_overlap(samples: pl.DataFrame, ids: pl.Series, path: Path, bridge: Path | None) -> None:
    """Some sample must belong to someone in `ids`; otherwise the two use different ids."""
    known = samples["person_id"].drop_nulls()
    if not known.is_in(ids.implode()).any():
        through = f" through {bridge}" if bridge else " (no id_bridge given)"
        raise UserError(
            f"no sample of the genotypes is a person of {path}: {samples.height} samples "
            f"({_examples(samples['sample_id'].to_list())}), {known.len()} of them with a person_id{through}, "
            f"against {ids.len()} people ({_examples(ids.to_list())});"
            " give `id_bridge`, a table of person_id and sample_id, or correct it"
        )


def sexes(column: pl.Series, path: Path) -> pl.Series:
    """female, male or null; raises where nothing is understood, and says how many values are not."""
    words = {word: "male" if male else "female" for word, male in SEX.items()}
    found = column.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)
    odd = column.filter(column.is_not_null() & found.is_null())
    if len(odd) and not found.is_not_null().any():
        raise UserError(
            f"{path}: sex is {odd[0]!r} and the like, so that no sex can be checked; write {', '.join(SEX)}, or nothing"
        )
    if len(odd):
        print(f"{path}: sex of {len(odd)} people is not understood, such as {odd[0]!r}: not checked", flush=True)
    return found


def describe(
    sample_ids: list[str], people: Path, recordings: Path, bridge: Path | None, withdrawn: Path | None
) -> pl.DataFrame:
    """Columns sample_id, person_id, index, sex_reported, has_ecg, withdrawn, in file order.

    Without a bridge a sample's person_id is its own id where such a person is known, else null.
    """
    samples = pl.DataFrame({"sample_id": sample_ids}, schema={"sample_id": pl.String}).with_row_index("index")
    known = read_table(people, ["person_id", "sex"]).drop_nulls("person_id")
    twice = known.filter(pl.col("person_id").is_duplicated())["person_id"]
    if len(twice):
        raise UserError(f"{people}: person {twice[0]!r} stands more than once; keep one row a person")
    with_ecg = read_table(recordings, ["person_id"])["person_id"].drop_nulls().unique().sort()
    if bridge is not None:
        samples = samples.join(read_bridge(bridge), on="sample_id", how="left", maintain_order="left")
    else:
        anyone = pl.concat([known["person_id"], with_ecg]).unique()
        samples = samples.with_columns(person_id=pl.when(pl.col("sample_id").is_in(anyone.implode())).then("sample_id"))
    _must_overlap(samples, known["person_id"], people, bridge)
    _must_overlap(samples, with_ecg, recordings, bridge)
    out = read_withdrawn(withdrawn) if withdrawn else set()
    known = known.select("person_id", sex_reported=sexes(known["sex"], people))
    samples = samples.join(known, on="person_id", how="left", maintain_order="left")
    return samples.with_columns(
        pl.col("index").cast(pl.Int32),
        has_ecg=pl.col("person_id").is_in(with_ecg.implode()).fill_null(False),
        withdrawn=(pl.col("person_id").is_in(list(out)) | pl.col("sample_id").is_in(list(out))).fill_null(False)
        if out
        else pl.lit(False),
    )
