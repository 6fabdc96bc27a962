r"""A mixture of multivariate t distributions, by expectation and maximisation from given clusters.

The density of a point, in d dimensions with nu degrees of freedom, is sum_k pi_k t_nu(z; mu_k, S_k). With
delta_k = (z - mu_k)' S_k^-1 (z - mu_k), a step computes the probability r of each cluster for each point and the weight
u = (nu + d) / (nu + delta), and from these

    pi_k = mean r_k,   mu_k = sum r_k u_k z / sum r_k u_k,   S_k = sum r_k u_k (z - mu_k)(z - mu_k)' / sum r_k.

Clusters may be long, flat and of different sizes, other than those of k-means; and points far from all of them count
little, other than in a mixture of Gaussians.

Peel & McLachlan, "Robust mixture modelling using the t distribution", Statistics and Computing 10, 2000. That clusters
of a learned embedding are well described by a mixture: McConville et al., "N2D", ICPR 2021.

Symbols: points n, dimensions d, clusters K.

| LNSCC | here | as printed? |
|---|---|---|
| sec. 3.3 start | `refined_by_mixture` | not in the paper |
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["refined_by_mixture"]

_FLAT = 1e-3  # of the mean variance of all points, added to that of each cluster in each direction
_LEAST = 0.5  # points of a cluster
_STEPS = 200
_SETTLED = 1e-5  # nats a point by which a step must raise the likelihood to be followed by another


def refined_by_mixture(z: Tensor, labels: Tensor, degrees: float = 3.0) -> tuple[Tensor, float]:
    """Fit the mixture from clusters, and give each point to its most probable one.

    Parameters
    ----------
    z : Tensor of float64, shape (n, d)
    labels : Tensor of int64, shape (n,)
        Clusters to begin with, 0 to K - 1.
    degrees : float
        nu; inf for Gaussians.

    Returns
    -------
    labels : Tensor of int64, shape (n,)
        Those given, if a cluster has lost its points or never had any.
    likelihood : float
        Of the mixture that gives them, in nats a point; -inf where they are those given.

    Examples
    --------
    >>> z = torch.tensor([[0.0, 0], [0, 1], [0, 2], [0, 9], [3, 5], [3, 6], [3, 7], [3, 8]], dtype=torch.float64)
    >>> refined_by_mixture(z, torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]))[0].tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    n, d = z.shape
    k = int(labels.max()) + 1
    limits = torch.finfo(z.dtype)
    rounding = (limits.eps * z.abs().max()).square()  # the variance that coincident points have for their mean's sake
    flat = _FLAT * (z.var(0, correction=0).mean() + rounding).clamp_min(limits.tiny) * torch.eye(d).to(z)
    member = torch.nn.functional.one_hot(labels, k).to(z)
    weight = torch.ones_like(member)
    found, likelihood = labels, -math.inf
    least = float(member.mean(0).min())
    for _ in range(_STEPS):
        share = member.mean(0)
        if n * least < _LEAST:
            return labels, -math.inf
        log_density = torch.empty_like(member)
        for one in range(k):
            pull = member[:, one] * weight[:, one]
            away = z - (pull @ z) / pull.sum()
            spread = (pull[:, None] * away).mT @ away / (n * share[one]) + flat
            log_density[:, one], weight[:, one] = _density(away, spread, degrees)
        log_joint = log_density + share.log()
        total = log_joint.logsumexp(1)
        member = (log_joint - total[:, None]).exp()
        found, before = log_joint.argmax(1), likelihood
        likelihood, least = torch.stack((total.mean(), member.mean(0).min())).tolist()  # the only wait for a GPU
        if math.isnan(likelihood):
            return labels, -math.inf
        if likelihood - before < _SETTLED:
            break
    return (found, likelihood) if len(torch.unique(found)) == k else (labels, -math.inf)


def _density(away: Tensor, spread: Tensor, degrees: float) -> tuple[Tensor, Tensor]:
    """Return the logarithm of a density at points, and how much they count in its parameters; both of shape (n,).

    The density is NaN where the spread has no Cholesky factor: an error would make a GPU wait for each cluster.
    """
    d = away.shape[1]
    root, failed = torch.linalg.cholesky_ex(spread)
    delta = torch.linalg.solve_triangular(root, away.mT, upper=False).square().sum(0)
    scale = torch.where(failed > 0, math.nan, root.diagonal().log().sum())
    if math.isinf(degrees):
        return -0.5 * (d * math.log(2 * math.pi) + delta) - scale, torch.ones_like(delta)
    height = math.lgamma((degrees + d) / 2) - math.lgamma(degrees / 2) - d / 2 * math.log(degrees * math.pi)
    return height - scale - (degrees + d) / 2 * torch.log1p(delta / degrees), (degrees + d) / (degrees + delta)
