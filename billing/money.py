"""Cents are whole: every rounding happens here, once, on exact integers, and parts always sum to their total."""

from collections.abc import Sequence


def round_half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` (the denominator > 0) to the nearest integer, a half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def largest_remainder(total: int, parts: Sequence[int], denominator: int) -> list[int]:
    """Whole parts that sum to `total`, each its exact `parts[i] / denominator` rounded down or up.

    The units that rounding down leaves go to the largest remainders, ties to the earlier part. `total` must be the
    sum of the exact parts, rounded either way (ValueError otherwise: a split must not hide a wrong total).
    """
    whole = [part // denominator for part in parts]
    left = total - sum(whole)
    if left == 0:
        return whole
    remainders = [part % denominator for part in parts]
    if not 0 < left <= sum(1 for remainder in remainders if remainder):
        raise ValueError(f"{total} is not the rounded sum of the parts")
    for index in sorted(range(len(whole)), key=lambda index: -remainders[index])[:left]:
        whole[index] += 1
    return whole
