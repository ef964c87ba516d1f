"""pruned genotypes -> components, related pairs, the unrelated set: KING, PCs without relatives, PC-Relate."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from ecgwas.config import Genotypes
from ecgwas.genotypes.structure import ancestry, kinship, pcs, relatives


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
    copy_of: np.ndarray  # int [n], the sample that stands for this duplicate or twin; -1 for none needed
    group: np.ndarray  # int [n], ancestry group, -1 for none


def _nearest(pairs: kinship.Pairs, unrelated: np.ndarray) -> np.ndarray:
    """Largest kinship of each sample outside the set with a relative inside it."""
    nearest = np.full(len(unrelated), np.nan)
    for i, j in ((pairs.i, pairs.j), (pairs.j, pairs.i)):
        across = ~unrelated[i] & unrelated[j]
        np.fmax.at(nearest, i[across], pairs.phi[across])
    return nearest


def copies(pairs: kinship.Pairs, unrelated: np.ndarray, preferred: np.ndarray) -> np.ndarray:
    """Of each sample the one that stands for it among its duplicates and twins (`pairs`), int [n], -1 for none needed.

    Each cluster of copies keeps its member in the unrelated set, else one of the preferred (bool [n]), else the first.
    """
    n = len(unrelated)
    graph = scipy.sparse.coo_array((np.ones(len(pairs.i)), (pairs.i, pairs.j)), shape=(n, n))
    cluster = connected_components(graph, directed=False)[1]
    first = {}
    for i in np.lexsort((np.arange(n), ~preferred, ~unrelated)).tolist():
        first.setdefault(int(cluster[i]), i)
    stands = np.array([first[label] for label in cluster.tolist()])
    return np.where(stands == np.arange(n), -1, stands)


def relate(calls: np.ndarray, preferred: np.ndarray, settings: Genotypes) -> Relatedness:
    """The whole road from pruned calls int8 [variant, sample] to the final unrelated set.

    KING finds relatives whatever the ancestry but with more noise, and is too low for pairs of unlike ancestry; it
    only chooses whom the components are computed on. PC-Relate, given those components, decides (the order of
    Conomos et al. 2016, and of Pan-UK Biobank).
    """
    threshold = settings.kinship_threshold
    n = calls.shape[1]
    coarse = kinship.king_limit(pcs.frequencies(calls), n, threshold)
    first = kinship.king_above(calls, coarse).tuples()
    base = relatives.unrelated(n, first, preferred)
    print(f"  KING: {len(first)} pairs above {coarse:.4f}; components computed on {base.sum()} unrelated", flush=True)
    components = pcs.fit(calls[:, base], settings.pcs)
    scores = pcs.project(components, calls)
    structural = pcs.n_structural(components.eigenvalues)
    used = max(structural, 1)
    related, limit = kinship.pc_relate_above(calls, scores[:, :used], base, threshold)
    if limit > threshold:
        print(
            f"  note: {len(calls)} pruned variants cannot tell kinship of {threshold} from chance; "
            f"pairs above {limit:.4f} count as related",
            flush=True,
        )
    unrelated = relatives.unrelated(n, related.tuples(), preferred)
    twins = related.above(settings.duplicate_threshold)
    print(
        f"  PC-Relate on {used} components: {len(related.i)} related pairs, {len(twins.i)} of them duplicates or twins",
        flush=True,
    )
    return Relatedness(
        scores=scores,
        eigenvalues=components.eigenvalues,
        pairs=related.tuples(),
        king=kinship.king_pairs(calls, related.i, related.j).astype(float),
        pc_relate=related.phi.astype(float),
        limit=limit,
        unrelated=unrelated,
        nearest=_nearest(related, unrelated),
        copy_of=copies(twins, unrelated, preferred),
        group=ancestry.groups(scores, structural),
    )
