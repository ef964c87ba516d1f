"""BGEN file -> how its first variant is stored: layout, compression, bits a probability, ploidies, phase."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from struct import unpack

from ecgwas.errors import reading

COMPRESSION = {0: "not compressed", 1: "zlib", 2: "zstd"}
LAYOUT_1_BITS = 15  # a probability is a whole number of 1/32768


@dataclass(frozen=True)
class Layout:
    """Of the first variant."""

    layout: int
    compression: int
    bits: int  # 0 where it is compressed with zstd, which is not looked into
    ploidy: tuple[int, int]  # smallest and largest; (2, 2) where not looked into
    phased: bool = False

    @property
    def by_hail(self) -> bool:
        """Whether Hail imports it; the block reader reads every layout."""
        return (self.layout, self.compression, self.bits, self.ploidy, self.phased) == (2, 1, 8, (2, 2), False)

    def said(self) -> str:
        """For the log."""
        how = "phased haplotype probabilities" if self.phased else "genotype probabilities"
        bits = f", {self.bits} bits" if self.bits else ""
        return f"{how}{bits}, layout {self.layout}, {COMPRESSION.get(self.compression, 'compressed')}"


def read(path: Path) -> Layout:
    """BGEN 1.2 (bitbucket.org/gavinband/bgen, format v1.2): header, first variant's identity, its genotype block."""
    with reading(path, "BGEN", "it may be truncated: copy it again"), path.open("rb") as stream:
        offset, header, n_variants, n_samples = unpack("<4I", stream.read(16))
        if stream.read(4) not in (b"bgen", b"\0\0\0\0"):
            raise ValueError("it does not start as a BGEN file")
        stream.seek(header)  # the flags are the header's last four bytes
        flags = unpack("<I", stream.read(4))[0]
        layout, compression = flags >> 2 & 15, flags & 3
        if layout != 2 or not n_variants:
            return Layout(layout, compression, LAYOUT_1_BITS, (2, 2))
        stream.seek(offset + 4)
        for _ in range(3):  # id, rsid, chromosome
            stream.seek(unpack("<H", stream.read(2))[0], 1)
        n_alleles = unpack("<IH", stream.read(6))[1]
        for _ in range(n_alleles):
            stream.seek(unpack("<I", stream.read(4))[0], 1)
        length = unpack("<I", stream.read(4))[0]
        if compression:
            stream.seek(4, 1)
        block = stream.read(length - 4 if compression else length)
        if compression == 2:
            return Layout(layout, compression, 0, (2, 2))
        block = zlib.decompressobj().decompress(block, n_samples + 10) if compression == 1 else block
        return Layout(layout, compression, block[9 + n_samples], (block[6], block[7]), bool(block[8 + n_samples]))
