"""Embeddings of a whole batch -> terms that compare recordings: spread, decorrelation, same-person contrast."""

import torch
from torch import Tensor

TEMPERATURE = 0.1
SPREAD = 0.5  # minimum standard deviation of every axis of the embedding


def terms(z: Tensor, person: Tensor, covariance: float, same_person: float) -> dict[str, tuple[Tensor, float]]:
    """{part: (value, weight)} of embeddings z [B, E]; person: codes [B]. Parts of weight 0 are not computed."""
    found = {}
    if covariance:
        found["loss_variance"] = variance(z), covariance
        found["loss_covariance"] = covariances(z), covariance
    if same_person:
        found["loss_person"] = contrast(z, person), same_person
    return found


def variance(z: Tensor) -> Tensor:
    """Mean over axes of how far their standard deviation falls short of `SPREAD` (Bardes et al. 2022, eq. 1)."""
    return torch.relu(SPREAD - (z.var(0) + 1e-4).sqrt()).mean()


def covariances(z: Tensor) -> Tensor:
    """Sum of squared covariances of different axes by the number of axes (Bardes et al. 2022, eq. 4)."""
    z = z - z.mean(0)
    c = z.T @ z / max(1, len(z) - 1)
    return (c.square().sum() - c.diagonal().square().sum()) / z.shape[1]


def contrast(z: Tensor, person: Tensor) -> Tensor:
    """Contrast of recordings of the same person with all others (Kiyasseh et al. 2021, eq. 1 to 3).

    Mean over recordings that have a partner in the batch of -log of the partners' share of exp(cosine / 0.1); 0
    without any.
    """
    unit = torch.nn.functional.normalize(z, dim=1)
    likeness = unit @ unit.T / TEMPERATURE
    self_pair = torch.eye(len(z), dtype=torch.bool, device=z.device)
    partner = (person[:, None] == person) & ~self_pair
    likeness = likeness.masked_fill(self_pair, -torch.inf)
    share = likeness.logsumexp(1) - likeness.masked_fill(~partner, -torch.inf).logsumexp(1)
    has = partner.any(1)
    return share[has].mean() if has.any() else 0.0 * z.sum()
