"""The band that soft-DTW's paths may be held to, around the diagonal of each item. No torch: configurations check it.

Cell (i, j) of an item with m rows and n columns, both counted from 1, is inside where |i n - j m| <= band m n. So the
band follows the slope n / m; the usual |i - j| <= band cuts the true path off once one sequence plays faster.
"""

import math

from trainables.base.errors import UserError

ROUNDING = 1e-6  # of band m n, which is compared with whole numbers


def smallest_band(rows: int, columns: int) -> float:
    """The narrowest band that leaves a path from (1, 1) to (rows, columns).

    Every column of the longer side must be passed, the worst of them half a step off the diagonal; the first cell is
    |columns - rows| off.
    """
    shared = math.gcd(rows, columns)
    worst = shared * (max(rows, columns) // shared // 2)
    return max(abs(columns - rows), worst) / (rows * columns)


def require_band(band: float, rows: int, columns: int) -> None:
    """Raise `UserError` where no path from (1, 1) to (rows, columns) stays inside the band."""
    if not band * rows * columns + ROUNDING >= smallest_band(rows, columns) * rows * columns:
        raise UserError(
            f"band={band} cuts off every path between {rows} and {columns} frames: the smallest that leaves one is "
            f"{_rounded_up(smallest_band(rows, columns))}; widen it, or set none"
        )


def _rounded_up(value: float) -> str:
    return f"{math.ceil(value * 1e6) / 1e6:g}"
