"""Genotype block -> correlations with residual traits: ordinary least squares as one matrix product."""

from dataclasses import dataclass

import numpy as np
import torch

from ecgwas.genotype_files.blocks import Block, of_dosages
from ecgwas.gwas.engines.squares import Squares
from ecgwas.gwas.trait_groups import Group

CANCELLED = 1e-3  # below this share of its variance left by covariates a genotype is computed again in float64
COLLINEAR = 1e-8  # below this share there is nothing left: no test
EXACT = 2**23  # below so many people float32 counts alleles exactly
SPAN = 256  # people whose squares are added in float32 before float64 takes their sum: 3e-7 of it, whatever n
PEOPLE = 4096  # people a matrix product of float32 adds up before float64 takes its sums

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Correlations:
    """What a block of V variants yields in one group of T traits."""

    n: np.ndarray  # int32 [V] people called
    af: np.ndarray  # [V] ALT frequency in people called
    gg: np.ndarray  # [V] squared length of the genotype's residual on intercept and covariates; NaN where not tested
    r: np.ndarray  # [V, T] partial correlation with each trait, sign of the ALT allele; NaN where not tested
    carriers: np.ndarray | None = None  # [V, 4] leverages.SQUARES, where the group has joint axes


@dataclass(frozen=True)
class LinearTests:
    """What the scan keeps of a block of V variants in one group of T traits; NaN where not tested."""

    n: np.ndarray  # int32 [V]
    af: np.ndarray  # [V]
    gg: np.ndarray  # [V]
    t: np.ndarray  # float32 [T, V]; its memory is the next block's too
    r2: np.ndarray | None  # [V] squared multiple correlation with all traits, where the group has joint axes
    carriers: np.ndarray | None  # [V, 4] leverages.SQUARES, there


def coded(dosage: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """ALT dosages [V, n] -> (minor-allele dosages, centred, missing at 0; sign; people called; ALT frequency).

    Minor-allele coding and centring keep float32 products of rare variants exact to their own size.
    """
    missing = np.isnan(dosage)
    n = (~missing).sum(axis=1)
    total = np.nansum(dosage, axis=1, dtype=np.float64)
    af = np.divide(total, 2 * n, out=np.full(len(n), np.nan), where=n > 0)
    flip = af > 0.5
    g = np.where(flip[:, None], 2 - dosage, dosage)
    g -= (2 * np.where(flip, 1 - af, af))[:, None].astype(dosage.dtype)
    g[missing] = 0
    return g, np.where(flip, -1.0, 1.0), n.astype(np.int32), af


@dataclass(frozen=True)
class Centred:
    """Genotypes [V, n] less their mean, missing ones at 0, with what counting gives: float64 [V]."""

    g: torch.Tensor
    n: torch.Tensor  # people called
    af: torch.Tensor  # ALT frequency in them; NaN without any
    raw: torch.Tensor  # squared length of g


def centred(calls: torch.Tensor, missing: torch.Tensor, out: torch.Tensor) -> Centred:
    """Centre `calls` [V, n] into `out`: three passes over the genotypes, whatever the number of traits.

    Coding to the minor allele needs no pass of its own: shifted to a mean of 0, both codings are the same numbers but
    for sign, and the rounding of the mean is a constant that the columns of the product, all of sum 0, take out.
    """
    width = calls.shape[1]
    g = out.copy_(calls, non_blocking=True)
    g.view(-1).index_fill_(0, missing, 0)
    counted = torch.bincount(missing // width, minlength=len(calls))
    n = (width - counted).double()
    exact = calls.dtype == torch.int8 and width < EXACT
    mean = g.sum(dim=1, dtype=None if exact else torch.float64).double() / n
    g.sub_(mean.to(g.dtype)[:, None])
    g.view(-1).index_fill_(0, missing, 0)
    return Centred(g, n, mean / 2, squared_lengths(g))


def squared_lengths(g: torch.Tensor) -> torch.Tensor:
    """float64 [V]: squared length of the rows of `g` [V, n], sums of SPAN people added in float64.

    A float32 sum over all people loses 1e-9 of itself a person: 1e-5 at 10,000, 4e-4 at 400,000.
    """
    whole = g.shape[1] // SPAN * SPAN
    found = torch.linalg.vector_norm(g[:, whole:], dim=1).double().square_()
    if whole:
        spans = torch.linalg.vector_norm(g[:, :whole].unflatten(1, (-1, SPAN)), dim=2)
        found += spans.double().square_().sum(dim=1)
    return found


def product(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """`left` [m, n] times `right` [n, V]; sums over PEOPLE of n are added in float64: no rounding that grows."""
    n = left.shape[1]
    if left.dtype == torch.float64 or n <= PEOPLE:
        return torch.mm(left, right, out=out)
    found = torch.mm(left[:, :PEOPLE], right[:PEOPLE], out=out)
    total = found.double()
    for first in range(PEOPLE, n, PEOPLE):
        some = slice(first, first + PEOPLE)
        total += torch.mm(left[:, some], right[some], out=found)
    return found.copy_(total)


def columns(group: Group) -> np.ndarray:
    """[k + T, n]: an orthonormal basis of the centred covariates, then the unit residual traits; every row of sum 0."""
    u, s, _ = np.linalg.svd(group.q - group.q.mean(axis=0), full_matrices=False)
    return np.ascontiguousarray(np.column_stack([u[:, s > 0.5], group.unit]).T)


class TorchLinear:
    """Holds the covariates and unit traits of each group on the device; one product a block and group."""

    def __init__(self, groups: list[Group], dtype: str = "float32", device: str | None = None):
        self.groups, self.dtype = groups, DTYPES[dtype]
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._exact = [torch.from_numpy(columns(g)) for g in groups]
        self._left = [x.to(self.device, self.dtype) for x in self._exact]
        axes = [None if g.w is None else np.ascontiguousarray(g.w.T) for g in groups]
        self._axes = [None if w is None else torch.from_numpy(w).to(self.device, self.dtype) for w in axes]
        covariates = [x[: len(x) - len(g.traits)] for x, g in zip(self._left, groups, strict=True)]
        self._squares = [
            None if g.leverages is None else Squares(g.leverages, x) for g, x in zip(groups, covariates, strict=True)
        ]
        self._memory: dict[str, torch.Tensor] = {}

    def block(self, dosage: np.ndarray) -> list[Correlations]:
        """Correlations of each group for ALT dosages [V, person], NaN missing."""
        found, block = [], of_dosages(np.ascontiguousarray(dosage))
        for i, (group, part) in enumerate(self._split(block)):
            what, gg, r, carriers = self._correlations(i, part, group)
            found.append(Correlations(*_counts(what), gg.cpu().numpy(), r.T.double().cpu().numpy().copy(), carriers))
        return found

    def tests(self, block: Block) -> list[LinearTests]:
        """Tests of each group for a block of everyone's genotypes."""
        return [self._tests(i, part, group) for i, (group, part) in enumerate(self._split(block))]

    def _split(self, block: Block) -> list[tuple[Group, Block]]:
        whole = len(self.groups[0].rows)
        return [(g, block if len(g.rows) == whole else block.people(g.rows)) for g in self.groups]

    def _tests(self, i: int, block: Block, group: Group) -> LinearTests:
        what, gg, r, carriers = self._correlations(i, block, group)
        r2 = None
        if self._axes[i] is not None:
            r2 = torch.mm(self._axes[i], r, out=self._reserve(f"axes{i}", (len(self._axes[i]), r.shape[1])))
            r2 = r2.square_().sum(dim=0).double().cpu().numpy()
        t = t_in_place(r, group.df, self._reserve(f"rest{i}", r.shape))
        return LinearTests(*_counts(what), gg.cpu().numpy(), t.float().cpu().numpy(), r2, carriers)

    def _correlations(
        self, i: int, block: Block, group: Group
    ) -> tuple[Centred, torch.Tensor, torch.Tensor, np.ndarray | None]:
        """Counts, float64 [V] squared residual lengths, [T, V] partial correlations, [V, 4] of the joint test.

        NaN where there is no test.
        """
        left, calls = self._left[i], block.calls.to(self.device, non_blocking=True)
        missing = block.missing.to(self.device, non_blocking=True)
        what = centred(calls, missing, self._reserve(f"g{i}", calls.shape))
        products = product(left, what.g.T, out=self._reserve(f"product{i}", (len(left), len(calls))))
        k = len(left) - len(group.traits)
        gg, r = residual(what.raw, products, k)
        weak = torch.nonzero((gg < CANCELLED * what.raw) & (what.raw > 0))[:, 0]
        if len(weak) and self.dtype != torch.float64:
            gg[weak], r[:, weak] = self._again(i, block, weak.cpu(), k)
        carriers = None
        if self._squares[i] is not None:
            carriers = self._squares[i].features(what.g, 1 - gg / what.raw, products[:k])
        untested = torch.nonzero(~(gg > COLLINEAR * what.raw))[:, 0]
        gg[untested] = torch.nan
        r[:, untested] = torch.nan
        return what, gg, r, carriers

    def _again(self, i: int, block: Block, weak: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared residual lengths and correlations of the variants `weak`, in float64 on the CPU."""
        width = block.calls.shape[1]
        row = block.missing // width
        place = torch.full((len(block.calls),), -1)
        place[weak] = torch.arange(len(weak))
        mine = place[row] >= 0
        missing = (place[row] * width + block.missing % width)[mine]
        what = centred(block.calls[weak], missing, torch.empty((len(weak), width), dtype=torch.float64))
        gg, r = residual(what.raw, self._exact[i] @ what.g.T, k)
        return gg.to(self.device), r.to(self.device, self.dtype)

    def _reserve(self, name: str, shape: tuple[int, int]) -> torch.Tensor:
        """Memory used again by every block: fresh pages for each would cost as much as the arithmetic on them."""
        size = shape[0] * shape[1]
        if name not in self._memory or self._memory[name].numel() < size:
            self._memory[name] = torch.empty(size, device=self.device, dtype=self.dtype)
        return self._memory[name][:size].view(*shape)


def _counts(what: Centred) -> tuple[np.ndarray, np.ndarray]:
    return what.n.cpu().numpy().astype(np.int32), what.af.cpu().numpy()


def residual(raw: torch.Tensor, products: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Residual g'g - |q'g|^2 [V] and correlations [T, V] from `products` [k + T, V], whose first k rows are q'g.

    Frisch-Waugh: the genotypes are not touched again. The correlations take the memory of the products.
    """
    gg = (raw - products[:k].double().square().sum(dim=0)).clamp_min_(0)
    return gg, products[k:].mul_(gg.rsqrt().to(products.dtype))


def t_in_place(r: torch.Tensor, df: int, memory: torch.Tensor) -> torch.Tensor:
    """t = r sqrt(df/(1 - r^2)), written over `r`; `memory` is of the same shape."""
    whole = torch.tensor(1 / df, dtype=r.dtype, device=r.device)
    unexplained = torch.addcmul(whole, r, r, value=-1 / df, out=memory)
    return r.mul_(unexplained.clamp_min_(1e-30).rsqrt_())


def partial_correlations(g: torch.Tensor, right: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g'g, residual g'g - |q'g|^2 and correlations of `g` [V, n] with right [n, k + T], whose first k columns are q."""
    raw = torch.sum(g * g, dim=1, dtype=torch.float64).cpu().numpy()
    product = (g @ right).double().cpu().numpy()
    gg = np.maximum(raw - (product[:, :k] ** 2).sum(axis=1), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return raw, gg, product[:, k:] / np.sqrt(gg)[:, None]
