"""Alleles against a reference: turned, left-aligned, or excluded with a reason; another build stops the run."""

import numpy as np
import polars as pl
import pysam
import pytest

from ecgwas.errors import UserError
from ecgwas.genotype_files import fasta

OTHER = str.maketrans("ACGT", "TGCA")


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> tuple:
    """A FASTA with contigs chr1 and 2 of 3,000 bases, and the first one's sequence."""
    rng = np.random.default_rng([31])
    path = tmp_path_factory.mktemp("fasta") / "a.fa"
    first, second = ("".join(rng.choice(list("ACGT"), 3000)) for _ in range(2))
    path.write_text(f">chr1 x\n{first}\n>2\n{second.lower()}\n")
    pysam.faidx(str(path))
    return path, first, second


def snp(sequence: str, position: int) -> tuple[str, str]:
    """REF and an ALT that is not its complement."""
    ref = sequence[position - 1]
    return ref, {"A": "G", "G": "A", "C": "T", "T": "C"}[ref]


def table(rows: list[tuple[str, int, str, str]]) -> pl.DataFrame:
    schema = {"contig": pl.String, "position": pl.Int32, "ref": pl.String, "alt": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("source_index")


def plain(first: str, second: str) -> list[tuple[str, int, str, str]]:
    """Two hundred SNPs that fit, on both contigs."""
    return [(c, i, *snp(s, i)) for c, s in (("1", first), ("2", second)) for i in range(100, 1100, 10)]


def test_each_kind_of_misfit_has_its_reason_and_swaps_are_turned(reference):
    path, first, second = reference
    rows = plain(first, second)
    ref, alt = snp(first, 2000)
    rows += [("1", 2000, alt, ref)]  # swapped
    ref, alt = snp(first, 2001)
    rows += [("1", 2001, ref.translate(OTHER), alt.translate(OTHER))]  # other strand
    at = first[2001]
    rows += [("1", 2002, at.translate(OTHER), at)]  # reference base is ALT of a palindrome
    at = first[2002]
    wrong = [b for b in "ACGT" if b not in (at, at.translate(OTHER))]
    rows += [("1", 2003, wrong[0], wrong[1])]
    rows += [("1", 2004, first[2003], first[2003].translate(OTHER)), ("MT", 5, "A", "G")]
    kept, lost = fasta.check(table(rows), path, "GRCh37")
    assert sorted(lost["reason"]) == ["ambiguous", "ref_mismatch", "strand"]
    assert kept.height == len(rows) - 3
    turned = kept.filter("flipped").select("contig", "position", "ref", "alt").rows()
    assert turned == [("1", 2000, *snp(first, 2000))]
    assert "MT" in kept["contig"].to_list()
    assert kept.filter(~pl.col("ref_checked"))["contig"].to_list() == ["MT"]
    assert fasta.told("AACTT", 2, "A", "AG")
    assert fasta.told("AACTT", 2, "AC", "A")
    assert not fasta.told("AACTT", 2, "A", "AC")  # one C here, or two of a longer one


def test_palindromes_go_where_many_others_are_on_the_other_strand(reference):
    path, first, second = reference
    rows = plain(first, second)
    for i in range(0, 20):
        contig, position, ref, alt = rows[i]
        rows[i] = (contig, position, ref.translate(OTHER), alt.translate(OTHER))
    rows += [("1", 2500, first[2499], first[2499].translate(OTHER))]
    _, lost = fasta.check(table(rows), path, "GRCh37")
    assert lost["reason"].value_counts().sort("reason").rows() == [("ambiguous", 1), ("strand", 20)]


def test_another_build_stops_the_run(reference):
    path, first, second = reference
    rows = [(c, i + 777, ref, alt) for c, i, ref, alt in plain(first, second)]
    with pytest.raises(UserError, match="`build`"):
        fasta.check(table(rows), path, "GRCh37")


def applied(sequence: str, position: int, ref: str, alt: str) -> str:
    """The sequence with ALT in place of REF."""
    assert sequence[position - 1 : position - 1 + len(ref)] == ref
    return sequence[: position - 1] + alt + sequence[position - 1 + len(ref) :]


@pytest.mark.parametrize("seed", range(8))
def test_left_aligned_indel_is_the_leftmost_of_all_that_make_the_same_sequence(seed):
    rng = np.random.default_rng([33, seed])
    sequence = "".join(rng.choice(list("AC"), 40))
    position = int(rng.integers(15, 30))
    repeat = "".join(rng.choice(list("AC"), int(rng.integers(1, 3))))
    if seed % 2:
        ref, alt = sequence[position - 1 : position + 2], sequence[position - 1]
    else:
        ref, alt = sequence[position - 1], sequence[position - 1] + repeat
    aim, size = applied(sequence, position, ref, alt), len(ref) - len(alt)
    found = fasta.left_align(sequence, position, ref, alt)
    assert applied(sequence, *found) == aim
    assert min(len(found[1]), len(found[2])) == 1
    same = []
    for p in range(1, 30):  # every anchored deletion or insertion of that length
        base = sequence[p - 1]
        ref, alt = (sequence[p - 1 : p + size], base) if size > 0 else (base, aim[p - 1 : p - size])
        if alt[:1] == base and applied(sequence, p, ref, alt) == aim:
            same.append((p, ref, alt))
    assert found == min(same)


def test_a_fasta_without_a_contig_of_the_genotypes_is_named_with_the_remedy(reference):
    path, first, second = reference
    rows = [*plain(first, second), ("3", 100, "A", "G"), ("MT", 5, "A", "G")]
    with pytest.raises(UserError, match=r"has no contig 3 or chr3.*\(1 such\).* has chr1, 2.*samtools faidx"):
        fasta.check(table(rows), path, "GRCh37")
