"""DS of men on X in a VCF that does not say how many copies they have -> one or two, by what their dosages reach.

Minimac and IMPUTE write men's DS from 0 to 1 where they hold men as haploid, as PLINK 2 expects it, and from 0 to 2
where men were imputed as two equal copies. GT, HDS or GP beside DS says which; without them the dosages do: those of
one copy pass 1 in nobody, those of two do in every man who carries an ALT for certain.
"""

from dataclasses import dataclass

import numpy as np

from ecgwas.genotype_files import vcf, vcf_entries

CONFIDENT = 0.75  # a dosage from here on is of somebody who carries an ALT


@dataclass
class Copies:
    """What the records of one VCF on X, outside the pseudo-autosomal regions, tell of its men."""

    men: np.ndarray  # bool [sample]
    build: str

    def __post_init__(self) -> None:
        self.largest = np.zeros(len(self.men))  # DS of a man
        self.one, self.two = (np.zeros(len(self.men), bool) for _ in range(2))  # copies of a man by GT, HDS or GP
        self.silent = False  # whether there is a DS of a man of whom they say nothing

    def add(self, record: vcf.Record) -> None:
        """Take in one record that is read."""
        if record.best != "DS" or not self.men.any() or not record.haploid_in_males(self.build):
            return
        text = vcf_entries.Text.of(record.raw, len(self.men))
        told = vcf_entries.copies(text, record.form, len(record.alts))
        self.one |= self.men & (told == 1)
        self.two |= self.men & (told == 2)
        silent = self.men & (told == 0)
        if silent.any():
            found = np.nan_to_num(
                vcf_entries.dosages(record.raw, record.form, len(record.alts), len(self.men), on_x=False)
            )
            self.largest = np.where(silent, np.maximum(self.largest, found.max(0)), self.largest)
            self.silent = True

    def single(self) -> np.ndarray:
        """Bool [sample]: the men whose DS is of one copy where nothing else says so: as most men's of the file.

        A man whose own DS passes 1 has two (a woman given as a man, say, whom the check of sex excludes).
        """
        beyond = self.largest > 1 + vcf_entries.SLACK
        one = self.one | ((self.largest >= CONFIDENT) & ~beyond)
        two = self.two | beyond
        return self.men & ~beyond if one.sum() > two.sum() else np.zeros(len(self.men), bool)

    def said(self) -> str:
        """What was decided, for the log; empty where nothing had to be."""
        if not self.silent:
            return ""
        n = int(self.single().sum())
        words = f"one copy (0 to 1) in {n:,} men" if n else "two copies (0 to 2)"
        return f"; DS on X without GT is read as of {words}"
