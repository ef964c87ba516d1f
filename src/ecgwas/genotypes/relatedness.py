"""pruned genotypes -> components, related pairs, the unrelated set: KING, PCs without relatives, PC-Relate."""

from dataclasses import dataclass

import numpy as np

from ecgwas.config import Genotypes
from ecgwas.genotypes import ancestry, kinship, pcs, relatives


@dataclass(frozen=True)
class Relatedness:
    """What is known of the samples [n] given, in their order."""

    scores: np.ndarray  # float64 [n, component]
    eigenvalues: np.ndarray
    pairs: list[tuple[int, int]]  # i < j
    king: np.ndarray  # of the pairs
    pc_relate: np.ndarray
    limit: float  # kinship above which a pair counts as related
    unrelated: np.ndarray  # bool [n]
    nearest: np.ndarray  # float64 [n], largest kinship with a member of the unrelated set; NaN for its members
    group: np.ndarray  # int [n], ancestry group, -1 for none


def _nearest(phi: np.ndarray, pairs: list[tuple[int, int]], unrelated: np.ndarray) -> np.ndarray:
    """Largest kinship of each sample outside the set with a relative inside it."""
    nearest = np.full(len(unrelated), np.nan)
    for a, b in pairs:
        for i, j in ((a, b), (b, a)):
            if not unrelated[i] and unrelated[j]:
                nearest[i] = np.nanmax([nearest[i], phi[i, j]])
    return nearest


def relate(calls: np.ndarray, preferred: np.ndarray, settings: Genotypes) -> Relatedness:
    """The whole road from pruned calls int8 [variant, sample] to the final unrelated set.

    KING finds relatives whatever the ancestry but with more noise, and is too low for pairs of unlike ancestry; it
    only chooses whom the components are computed on. PC-Relate, given those components, decides (the order of
    Conomos et al. 2016, and of Pan-UK Biobank).
    """
    threshold = settings.kinship_threshold
    king = kinship.king(calls)
    coarse = kinship.king_limit(pcs.frequencies(calls), calls.shape[1], threshold)
    first = kinship.pairs_above(king, coarse)
    base = relatives.unrelated(calls.shape[1], first, preferred)
    print(f"  KING: {len(first)} pairs above {coarse:.4f}; components computed on {base.sum()} unrelated", flush=True)
    components = pcs.fit(calls[:, base], settings.pcs)
    scores = pcs.project(components, calls)
    structural = pcs.n_structural(components.eigenvalues)
    used = max(structural, 1)
    phi = kinship.pc_relate(calls, scores[:, :used], base)
    limit = kinship.resolvable(phi, threshold)
    if limit > threshold:
        print(
            f"  note: {len(calls)} pruned variants cannot tell kinship of {threshold} from chance; "
            f"pairs above {limit:.4f} count as related",
            flush=True,
        )
    related = kinship.pairs_above(phi, limit)
    unrelated = relatives.unrelated(calls.shape[1], related, preferred)
    duplicates = sum(phi[i, j] > settings.duplicate_threshold for i, j in related)
    print(
        f"  PC-Relate on {used} components: {len(related)} related pairs, {duplicates} of them duplicates or twins",
        flush=True,
    )
    pairs = sorted(related)
    return Relatedness(
        scores=scores,
        eigenvalues=components.eigenvalues,
        pairs=pairs,
        king=np.array([king[p] for p in pairs], float),
        pc_relate=np.array([phi[p] for p in pairs], float),
        limit=limit,
        unrelated=unrelated,
        nearest=_nearest(phi, related, unrelated),
        group=ancestry.groups(scores, structural),
    )
