"""Number of people -> pedigree, and founder haplotypes -> genotypes of its members, by gene-dropping."""

from dataclasses import dataclass

import numpy as np

DEMES = ("A", "B", "C", "M")
DEME_SHARES = (0.14, 0.58, 0.14, 0.14)
# Share of ancestry from A, B, C of a person of each deme (M: the proportions of the demography).
ANCESTRY = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.4, 0.6, 0]])


@dataclass(frozen=True)
class Pedigree:
    """Who descends from which founders. Founders are sorted by deme, as msprime numbers its samples."""

    founder_deme: np.ndarray  # int [founder], number in DEMES
    founder: np.ndarray  # int [member], the founder who is this member, or -1
    mother: np.ndarray  # int [member], founder, or -1
    father: np.ndarray  # int [member], founder, or -1
    twin: np.ndarray  # int [member], the member of whom this is a genetic duplicate, or -1
    deme: np.ndarray  # int [member]
    male: np.ndarray  # bool [member]
    pairs: list[tuple[int, int, str]]  # members, and duplicate, siblings or parent_child

    def founders_of_deme(self) -> dict[str, int]:
        """How many founders each deme has."""
        return {name: int(np.sum(self.founder_deme == number)) for number, name in enumerate(DEMES)}


def make_pedigree(people: int, added: int, rng: np.random.Generator) -> Pedigree:
    """`people` members, `added` of them a duplicate (1/6), sibling (1/2) or child (1/3) of another.

    Families are units of one founder (single, duplicate) or two (siblings, whose parents are not members;
    parent and child, where the other parent is not), both of one deme; the first founder of two is the mother.
    """
    duplicates, siblings = added // 6, added // 2
    kinds = ["duplicate"] * duplicates + ["siblings"] * siblings + ["parent_child"] * (added - duplicates - siblings)
    kinds += ["single"] * (people - 2 * len(kinds))
    deme_of_unit = np.sort(rng.choice(len(DEMES), len(kinds), p=DEME_SHARES))
    order = rng.permutation(len(kinds))
    founder_deme: list[int] = []
    rows: list[tuple[int, int, int, int, int, bool]] = []  # founder, mother, father, twin, deme, male
    pairs = []
    for unit, deme in zip(order, deme_of_unit, strict=True):
        kind, first, coin, other = kinds[unit], len(founder_deme), *(rng.random(2) < 0.5)
        two = kind in ("siblings", "parent_child")
        founder_deme += [deme] * (2 if two else 1)
        if kind != "single":
            pairs.append((len(rows), len(rows) + 1, kind))
        if kind in ("single", "duplicate"):
            rows.append((first, -1, -1, -1, deme, coin))
        if kind == "duplicate":
            rows.append((-1, -1, -1, len(rows) - 1, deme, coin))
        if kind == "parent_child":
            rows.append((first + coin, -1, -1, -1, deme, coin))
        if kind == "siblings":
            rows.append((-1, first, first + 1, -1, deme, coin))
        if two:
            rows.append((-1, first, first + 1, -1, deme, other))
    founder, mother, father, twin, deme, male = (np.array(column) for column in zip(*rows, strict=True))
    return Pedigree(np.array(founder_deme), founder, mother, father, twin, deme, male.astype(bool), pairs)


def drop_genes(
    haplotypes: np.ndarray, position: np.ndarray, pedigree: Pedigree, length: int, x: bool, rng: np.random.Generator
) -> np.ndarray:
    """int8 [variant, member], ALT alleles, from founder `haplotypes` int8 [variant, 2 * founder].

    On X a father hands on his one haplotype whole, and only to daughters; males count 0 or 2.
    """
    genotypes = np.empty((len(position), len(pedigree.founder)), np.int8)
    own = np.flatnonzero(pedigree.founder >= 0)
    first = haplotypes[:, 2 * pedigree.founder[own]]
    second = haplotypes[:, 2 * pedigree.founder[own] + 1]
    genotypes[:, own] = first + np.where(x & pedigree.male[own], first, second)
    for child in np.flatnonzero(pedigree.mother >= 0):
        from_mother = gamete(haplotypes, position, pedigree.mother[child], length, rng)
        from_father = gamete(haplotypes, position, pedigree.father[child], length, rng)
        if x:
            from_father = from_mother if pedigree.male[child] else haplotypes[:, 2 * pedigree.father[child]]
        genotypes[:, child] = from_mother + from_father
    twins = np.flatnonzero(pedigree.twin >= 0)
    genotypes[:, twins] = genotypes[:, pedigree.twin[twins]]
    return genotypes


def gamete(
    haplotypes: np.ndarray, position: np.ndarray, parent: int, length: int, rng: np.random.Generator
) -> np.ndarray:
    """int8 [variant]: one meiosis of a founder, crossovers at 1 centimorgan a megabase without interference."""
    crossovers = rng.uniform(0, length, rng.poisson(1e-8 * length))
    strand = (rng.integers(2) + (position[:, None] > crossovers).sum(axis=1)) % 2
    return haplotypes[np.arange(len(position)), 2 * parent + strand]
