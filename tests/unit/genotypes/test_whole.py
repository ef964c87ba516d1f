"""The stage as a command: planted faults come out with their reasons, reruns are equal, real people run through."""

import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ecgwas.config import Genotypes, GenotypeSource, Panel
from ecgwas.genotypes import qc_main

pytestmark = pytest.mark.hail
TABLES = ("samples", "variants", "excluded", "pcs", "kinship")


def run_stage(folder, source, people, recordings, **more) -> dict[str, pl.DataFrame]:
    """Run the stage into `folder`; the tables it wrote."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    paths |= {"converted": folder / "converted", "manifest": folder / "manifest.json", "pruned": folder / "pruned.mt"}
    qc_main.main(
        source=source, people=people, recordings=recordings, settings=Genotypes(), temporary=folder, **paths, **more
    )
    assert (folder / "pruned.mt" / "_SUCCESS").exists()
    return {name: pl.read_parquet(paths[name]) for name in TABLES}


def as_pgen(path, calls, bed) -> GenotypeSource:
    """The same calls as .pgen, .pvar and .psam."""
    import pgenlib

    with pgenlib.PgenWriter(str(path).encode(), calls.shape[1], variant_ct=len(calls), nonref_flags=False) as stream:
        for row in np.where(calls < 0, -9, calls).astype(np.int8):
            stream.append_biallelic(row)
    rows = [line.split("\t") for line in bed.with_suffix(".bim").read_text().splitlines()]
    lines = [
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT"]),
        *("\t".join([c, p, i, r, a]) for c, i, _, p, a, r in rows),
    ]
    path.with_suffix(".pvar").write_text("\n".join(lines) + "\n")
    ids = [line.split()[1] for line in bed.with_suffix(".fam").read_text().splitlines()]
    path.with_suffix(".psam").write_text("#IID\n" + "\n".join(ids) + "\n")
    return GenotypeSource(format="pgen", paths=[path], build="GRCh38")


def test_planted_faults_are_found_and_a_rerun_is_equal_to_the_bit(tmp_path, writers, family_calls):
    calls = family_calls.copy()
    rng = np.random.default_rng([9])
    calls[rng.random(3000) < 0.2, 70] = -1  # a bad sample
    calls[10, ::5] = -1  # a bad variant
    calls[11] = 1  # no homozygotes: Hardy-Weinberg
    calls[12, 1:] = 0  # monomorphic
    contig = [str(i // 150 + 1) for i in range(2850)] + ["23"] * 150
    position = [14_000_000 + (i % 150) * 100_000 for i in range(3000)]
    males = np.arange(120) % 2 == 0
    calls[2850:, males] = np.where(calls[2850:, males] == 1, 2, calls[2850:, males])
    ids = [f"g{i}" for i in range(120)]
    source = GenotypeSource(
        format="plink", paths=[writers[0](tmp_path / "a", calls, contig, position, ids)], build="GRCh38"
    )
    sex = ["male" if m else "female" for m in males]
    sex[80] = "female"
    (tmp_path / "people.csv").write_text(
        "person_id,sex\n" + "".join(f"{i},{s}\n" for i, s in zip(ids, sex, strict=True))
    )
    (tmp_path / "ecg.csv").write_text(
        "recording_id,person_id\n" + "".join(f"r{i},{i}\n" for i in ids if i not in ("g0", "g3"))
    )
    (tmp_path / "out.txt").write_text("\ufeffg90\r\n# none\nnobody\n")
    arguments = (source, tmp_path / "people.csv", tmp_path / "ecg.csv")
    first = run_stage(tmp_path / "1", *arguments, withdrawn=tmp_path / "out.txt")
    reasons = {
        (kind, name): reason for kind, name, reason in first["excluded"].select("kind", "id", "reason").iter_rows()
    }
    expected = {"g70": "call_rate", "g80": "sex_mismatch", "g0": "duplicate", "g3": "related"}
    samples = {name: reason for (kind, name), reason in reasons.items() if kind == "sample"}
    assert samples.items() >= expected.items()
    assert "g90" not in {name for _, name in reasons} | set(first["samples"]["sample_id"])
    assert "g90" not in (tmp_path / "1" / "manifest.json").read_text()
    copies = first["samples"].filter(pl.col("copy_of").is_not_null())
    assert copies.select("sample_id", "copy_of", "keep").rows() == [("g0", "g1", True)]
    assert set(samples) - set(expected) <= {"g4", "g5"}
    at = {f"1:{position[i]}:A:G": r for i, r in ((10, "call_rate"), (11, "hwe"), (12, "mac"))}
    assert {name: reasons["variant", name] for name in at} == at
    found = {tuple(row) for row in first["kinship"].select("sample_1", "sample_2").rows()}
    assert found == {("g0", "g1"), ("g2", "g3"), ("g4", "g5")}
    assert first["samples"]["sex_genetic"].drop_nulls().len() == 118
    second = run_stage(tmp_path / "2", *arguments, withdrawn=tmp_path / "out.txt", threads=1)
    for name in TABLES:
        assert (tmp_path / "1" / f"{name}.parquet").read_bytes() == (tmp_path / "2" / f"{name}.parquet").read_bytes(), (
            name
        )
    assert second["variants"]["pruned"].sum() > 500
    manifest = json.loads((tmp_path / "1" / "manifest.json").read_text())
    assert manifest["build"] == "GRCh38"
    assert set(manifest["males"]) <= set(range(0, 120, 2))
    source = as_pgen(tmp_path / "b.pgen", calls, source.paths[0])
    third = run_stage(tmp_path / "3", source, *arguments[1:], withdrawn=tmp_path / "out.txt")
    for name in TABLES:  # the block reader counts what Hail counts
        assert_frame_equal(third[name], first[name], rel_tol=1e-9)


@pytest.mark.realdata
def test_continents_part_on_the_components_of_1000_genomes(realdata, tmp_path):
    panel = pl.read_csv(
        realdata / "geno_1kg_labels" / "integrated_call_samples_v3.20130502.ALL.panel",
        separator="\t",
        truncate_ragged_lines=True,
    )
    people = panel.select(person_id="sample", sex="gender", group="super_pop")
    people.write_csv(tmp_path / "people.csv")
    people.with_row_index("recording_id").write_csv(tmp_path / "ecg.csv")
    bed = realdata / "geno_1kg_phase1" / "1kg_phase1.bed"
    source = GenotypeSource(format="plink", paths=[bed], build="GRCh37")
    panel = Panel(paths=[bed], labels=realdata / "geno_1kg_labels" / "integrated_call_samples_v3.20130502.ALL.panel")
    source = source.model_copy(update={"panel": panel})
    tables = run_stage(tmp_path / "out", source, tmp_path / "people.csv", tmp_path / "ecg.csv")
    assert tables["samples"].height == 1092
    named = tables["samples"].join(people, left_on="sample_id", right_on="person_id").drop_nulls("ancestry")
    assert named.height > 900
    assert (named["ancestry"] == named["group"]).mean() > 0.99
    assert tables["samples"]["unrelated"].sum() > 950
    assert tables["kinship"].height >= 20
    scores = (
        tables["pcs"]
        .join(people, left_on="sample_id", right_on="person_id")
        .filter(pl.col("group").is_in(["AFR", "EAS", "EUR"]))
    )
    points, label = scores.select("pc1", "pc2").to_numpy(), scores["group"].to_numpy()
    centres = {name: np.median(points[label == name], 0) for name in np.unique(label)}
    nearest = np.array(list(centres))[np.argmin([((points - c) ** 2).sum(1) for c in centres.values()], 0)]
    assert (nearest == label).mean() > 0.98
