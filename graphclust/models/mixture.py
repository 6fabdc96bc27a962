r"""A mixture of multivariate t distributions, fitted by expectation-maximisation from initial clusters.

In d dimensions and with nu degrees of freedom, the density of a point is sum_k pi_k t_nu(z; mu_k, S_k). With
delta_k = (z - mu_k)' S_k^-1 (z - mu_k), a step computes the probability r of each cluster for each point and the weight
u = (nu + d) / (nu + delta), and from these

    pi_k = mean r_k,   mu_k = sum r_k u_k z / sum r_k u_k,   S_k = sum r_k u_k (z - mu_k)(z - mu_k)' / sum r_k.

Unlike in k-means, clusters may be long, flat and of different sizes. Unlike in a mixture of Gaussians, outliers have
little influence.

Peel & McLachlan, "Robust mixture modelling using the t distribution", Statistics and Computing 10, 2000. Mixtures for
clusters of a learned embedding: McConville et al., "N2D", ICPR 2021.

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

_REGULARIZATION = 1e-3  # variance added to each cluster in each direction, relative to the mean variance of all points
_MIN_SIZE = 0.5  # expected number of points of a cluster
_MAX_STEPS = 200
_TOLERANCE = 1e-5  # least rise of the log-likelihood per point, in nats, for another step


def refined_by_mixture(z: Tensor, labels: Tensor, degrees: float = 3.0) -> tuple[Tensor, float]:
    """Fit the mixture from initial clusters, and assign each point to its most probable cluster.

    Parameters
    ----------
    z : Tensor of float64, shape (n, d)
    labels : Tensor of int64, shape (n,)
        Initial clusters, 0 to K - 1.
    degrees : float
        Degrees of freedom, nu; inf for Gaussians.

    Returns
    -------
    labels : Tensor of int64, shape (n,)
        The initial clusters, if a cluster is empty at the start or becomes empty.
    likelihood : float
        Log-likelihood of the mixture per point, in nats; -inf if the initial clusters are returned.

    Examples
    --------
    >>> z = torch.tensor([[0.0, 0], [0, 1], [0, 2], [0, 9], [3, 5], [3, 6], [3, 7], [3, 8]], dtype=torch.float64)
    >>> refined_by_mixture(z, torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]))[0].tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    n, d = z.shape
    k = int(labels.max()) + 1
    limits = torch.finfo(z.dtype)
    rounding = (limits.eps * z.abs().max()).square()  # variance of coincident points due to rounding of their mean
    ridge = _REGULARIZATION * (z.var(0, correction=0).mean() + rounding).clamp_min(limits.tiny) * torch.eye(d).to(z)
    member = torch.nn.functional.one_hot(labels, k).to(z)
    weight = torch.ones_like(member)
    refined, likelihood = labels, -math.inf
    smallest = float(member.mean(0).min())
    for _ in range(_MAX_STEPS):
        share = member.mean(0)
        if n * smallest < _MIN_SIZE:
            return labels, -math.inf
        log_density = torch.empty_like(member)
        for cluster in range(k):
            pull_weight = member[:, cluster] * weight[:, cluster]
            offset = z - (pull_weight @ z) / pull_weight.sum()
            scatter = (pull_weight[:, None] * offset).mT @ offset / (n * share[cluster]) + ridge
            log_density[:, cluster], weight[:, cluster] = _density(offset, scatter, degrees)
        log_joint = log_density + share.log()
        total = log_joint.logsumexp(1)
        member = (log_joint - total[:, None]).exp()
        refined, before = log_joint.argmax(1), likelihood
        likelihood, smallest = torch.stack((total.mean(), member.mean(0).min())).tolist()  # the only wait for a GPU
        if math.isnan(likelihood):
            return labels, -math.inf
        if likelihood - before < _TOLERANCE:
            break
    return (refined, likelihood) if len(torch.unique(refined)) == k else (labels, -math.inf)


def _density(offset: Tensor, scatter: Tensor, degrees: float) -> tuple[Tensor, Tensor]:
    """Return the log density at points, and their weights u in the parameters; both of shape (n,).

    The density is NaN if the scatter matrix has no Cholesky factor. Raising an error would make a GPU wait for each
    cluster.
    """
    d = offset.shape[1]
    root, failed = torch.linalg.cholesky_ex(scatter)
    delta = torch.linalg.solve_triangular(root, offset.mT, upper=False).square().sum(0)
    scale = torch.where(failed > 0, math.nan, root.diagonal().log().sum())
    if math.isinf(degrees):
        return -0.5 * (d * math.log(2 * math.pi) + delta) - scale, torch.ones_like(delta)
    height = math.lgamma((degrees + d) / 2) - math.lgamma(degrees / 2) - d / 2 * math.log(degrees * math.pi)
    return height - scale - (degrees + d) / 2 * torch.log1p(delta / degrees), (degrees + d) / (degrees + delta)
