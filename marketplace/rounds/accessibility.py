"""How much offer is within reach of each place: the enhanced two-step floating catchment area method (E2SFCA).

See Luo and Qi, An enhanced two-step floating catchment area method for measuring spatial accessibility to primary care
physicians, Health & Place 15 (2009); the weight is a Gaussian of the distance.
"""

from collections.abc import Sequence
from math import exp


def accessibility(
    demand: Sequence[float], supply: Sequence[float], km: Sequence[Sequence[float]], sigma_km: float, reach_km: float
) -> list[float]:
    """For each place of demand `A_i = sum_j w(d_ij) R_j`, with `R_j = S_j / sum_k w(d_kj) P_k`.

    `demand[i]` is P, `supply[j]` is S, in units of one's own (hours); `km[i][j]` how far they are from each other;
    `w = exp(-d^2 / 2 sigma^2)`, and 0 beyond `reach_km`. What nobody can reach counts for nobody.
    """
    weights = [[_weight(one, sigma_km, reach_km) for one in row] for row in km]
    asked = [sum(row[j] * people for row, people in zip(weights, demand, strict=True)) for j in range(len(supply))]
    rates = [offered / asking if asking > 0 else 0.0 for offered, asking in zip(supply, asked, strict=True)]
    return [sum(near * rate for near, rate in zip(row, rates, strict=True)) for row in weights]


def _weight(km: float, sigma_km: float, reach_km: float) -> float:
    return exp(-(km**2) / (2 * sigma_km**2)) if km <= reach_km else 0.0
