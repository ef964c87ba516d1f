"""BGEN file -> how its first variant is stored: layout, bits a probability, smallest and largest ploidy."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from struct import unpack

from ecgwas.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Of the first variant; bits and ploidies are 0 where it is compressed with zstd, which is not looked into."""

    layout: int
    bits: int
    ploidy: tuple[int, int]


def read(path: Path) -> Layout:
    """BGEN 1.2 (bitbucket.org/gavinband/bgen, format v1.2): header, first variant's identity, its genotype block."""
    with path.open("rb") as stream:
        offset, header, n_variants, n_samples = unpack("<4I", stream.read(16))
        stream.seek(header)  # the flags are the header's last four bytes
        flags = unpack("<I", stream.read(4))[0]
        layout, compression = flags >> 2 & 15, flags & 3
        if layout != 2 or not n_variants:
            return Layout(layout, 0, (0, 0))
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
        return Layout(layout, 0, (0, 0))
    block = zlib.decompressobj().decompress(block, n_samples + 10) if compression == 1 else block
    return Layout(layout, block[9 + n_samples], (block[6], block[7]))


def check(path: Path) -> bool:
    """Whether some sample is haploid; a UserError for layouts that cannot be read, with the command that converts."""
    try:
        found = read(path)
    except (OSError, IndexError, struct.error, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be read as BGEN ({error}); the file may be truncated: copy it again"
        ) from error
    if found.layout != 2 or found.bits not in (0, 8):
        how = f"{found.bits} bits a probability" if found.layout == 2 else f"layout {found.layout}"
        raise UserError(
            f"{path}: {how}; only layout 2 with 8 bits is read. Convert it: plink2 --bgen {path.name} ref-first "
            f"--sample {path.stem}.sample --export bgen-1.2 ref-first bits=8 --out {path.stem}.8bit"
        )
    return found.ploidy[0] == 1
