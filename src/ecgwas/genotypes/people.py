"""sample ids, people, recordings, id bridge, withdrawals -> one row a sample: who it is and what is known of it."""

from pathlib import Path

import polars as pl

from ecgwas import people as cohort_people
from ecgwas import user_tables
from ecgwas.errors import UserError


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


def men(people: Path, bridge: Path | None) -> frozenset[str]:
    """Sample ids of the men of the table of people; without a bridge a sample's id is its person's."""
    known = cohort_people.read(people, ("sex",)).filter(sex="male")
    if bridge is not None:
        known = known.select("person_id").join(cohort_people.read_bridge(bridge), on="person_id")
        return frozenset(known["sample_id"].drop_nulls())
    return frozenset(known["person_id"])


def describe(
    sample_ids: list[str], people: Path, recordings: Path, bridge: Path | None, withdrawn: Path | None
) -> pl.DataFrame:
    """Columns sample_id, person_id, index, sex_reported, has_ecg, withdrawn, in file order.

    Without a bridge a sample's person_id is its own id where such a person is known, else null.
    """
    samples = pl.DataFrame({"sample_id": sample_ids}, schema={"sample_id": pl.String}).with_row_index("index")
    known = cohort_people.read(people, ("sex",)).select("person_id", sex_reported="sex")
    with_ecg = user_tables.read(recordings, columns=["person_id"]).need(["person_id"]).frame["person_id"]
    with_ecg = with_ecg.drop_nulls().unique().sort()
    gone = cohort_people.read_withdrawn(withdrawn, bridge)
    if bridge is not None:
        pairs = cohort_people.read_bridge(bridge)
        samples = samples.join(pairs, on="sample_id", how="left", maintain_order="left")
    else:
        anyone = pl.concat([known["person_id"], with_ecg]).unique()
        samples = samples.with_columns(person_id=pl.when(pl.col("sample_id").is_in(anyone.implode())).then("sample_id"))
    out = gone.flags(samples["person_id"], samples["sample_id"])
    others = samples.filter(~out)  # who withdrew is no example in a message either
    _must_overlap(others, known["person_id"], people, bridge)
    _must_overlap(others, with_ecg, recordings, bridge)
    samples = samples.join(known, on="person_id", how="left", maintain_order="left")
    return samples.with_columns(
        pl.col("index").cast(pl.Int32),
        has_ecg=pl.col("person_id").is_in(with_ecg.implode()).fill_null(False),
        withdrawn=out,
    )
