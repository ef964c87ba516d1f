"""Files of every format with bytes changed, cut or added at random: genotypes, or a UserError of one line."""

import numpy as np
import pysam
import pytest
from tests.unit.genotypes.conftest import write_bgen, write_plink
from tests.unit.genotypes.test_files_in import CONTIG, IDS, POSITION, calls_of, write_pgen

from ecgwas.config import GenotypeSource
from ecgwas.errors import UserError, reading
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes import qc_main

MUTATIONS = 60


def vcf_text() -> bytes:
    rng = np.random.default_rng([91])
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(IDS) + "\n"
    rows = []
    for i, (c, p) in enumerate(zip(CONTIG, POSITION, strict=True)):
        fields = [f"0|1:{x:.3f}:{1 - x / 2:.3f},{x / 2:.3f},0" for x in rng.uniform(0, 2, 7)]
        rows.append(f"{c}\t{p}\tv{i}\tA\tG\t.\tPASS\tR2=0.9\tGT:DS:GP\t" + "\t".join(fields) + "\n")
    return (head + "".join(rows)).encode()


def made(name: str, folder) -> tuple[GenotypeSource, list]:
    """A source, and the files that are damaged in turn."""
    if name == "plink":
        bed = write_plink(folder / "g", calls_of(1), CONTIG, POSITION, IDS)
        return GenotypeSource(format="plink", paths=[bed], build="GRCh37"), [
            bed.with_suffix(s) for s in (".bed", ".bim", ".fam")
        ]
    if name == "bgen":
        p = np.random.default_rng([92]).dirichlet([1, 1, 1], (9, 7))
        path = write_bgen(folder / "g.bgen", p, CONTIG, POSITION, IDS)
        source = GenotypeSource(format="bgen", paths=[path], sample_file=path.with_suffix(".sample"), build="GRCh37")
        return source, [path, path.with_suffix(".sample")]
    if name == "pgen":
        source = write_pgen(folder / "g.pgen", np.random.default_rng([93]).uniform(0, 2, (9, 7)))
        return source, [folder / f"g.{s}" for s in ("pgen", "pvar", "psam")]
    path = folder / ("g.vcf" if name == "vcf" else "g.vcf.gz")
    if name == "vcf":
        path.write_bytes(vcf_text())
    else:
        with pysam.BGZFile(str(path), "wb") as stream:
            stream.write(vcf_text())
    return GenotypeSource(format="vcf", paths=[path], build="GRCh37"), [path]


def damaged(content: bytes, rng) -> bytes:
    """Cut, changed, added or lost bytes, also near the start."""
    found, kind = bytearray(content), rng.integers(5)
    at = int(rng.integers(len(found)))
    if kind == 0:
        return bytes(found[:at])
    if kind == 1:
        for i in rng.integers(0, len(found), rng.integers(1, 6)):
            found[i] = rng.integers(256)
    elif kind == 2:
        found[at:at] = bytes(rng.integers(0, 256, rng.integers(1, 9)).tolist())
    elif kind == 3:
        del found[at : at + int(rng.integers(1, 20))]
    else:
        found[int(rng.integers(min(len(found), 40)))] = rng.integers(256)
    return bytes(found)


@pytest.mark.parametrize("name", ["plink", "bgen", "pgen", "vcf", "vcf.gz"])
def test_damaged_files_are_read_or_named(name, tmp_path):
    source, files = made(name, tmp_path)
    rng, errors = np.random.default_rng([94, len(name)]), []
    for k in range(MUTATIONS):
        file = files[k % len(files)]
        content = file.read_bytes()
        file.write_bytes(damaged(content, rng))
        try:
            found = qc_main.open_source(source, tmp_path / "converted", 1)
            with GenotypeReader(found.manifest(), found.variants, range(len(found.sample_ids))) as reader:
                assert reader.read(slice(None)).shape == (found.variants.height, len(found.sample_ids))
        except UserError as error:
            errors.append(str(error))
        file.write_bytes(content)
    assert len(errors) > MUTATIONS // 4
    assert all("\n" not in words and str(tmp_path) in words for words in errors)
    qc_main.open_source(source, tmp_path / "converted", 1)


def test_what_only_a_fault_of_ours_raises_keeps_its_traceback():
    for error in (AssertionError("x"), NameError("x"), MemoryError()):
        with pytest.raises(type(error)), reading("a.bed", "PLINK"):
            raise error
    words = r"^a\.bed: cannot be read as PLINK \(second\); copy it again$"
    with pytest.raises(UserError, match=words) as found, reading("a.bed", "PLINK", "copy it again"):
        raise RuntimeError("\n second \n third")
    assert isinstance(found.value.__cause__, RuntimeError)
    with pytest.raises(UserError, match=r"a\.txt: no such file"), reading("a.bed", "PLINK"):
        open("a.txt").close()
