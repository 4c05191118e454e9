"""The root of a function of one number, by Brent's method.

The same steps as `scipy.optimize.brentq`, and so the same bits, without importing scipy.optimize: that takes a quarter
of the second in which a verdict is computed.
"""

from collections.abc import Callable

_ABSOLUTE, _RELATIVE = 2e-12, 8.881784197001252e-16  # tolerances
_MOST_STEPS = 100


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function` is zero between `low` and `high`, at which it must have opposite signs, else ValueError.

    Brent, "Algorithms for minimization without derivatives" (1973), chapter 4.
    """
    before, now, across = low, high, low  # the last two estimates, and the end of the bracket opposite to `now`
    f_before, f_now = function(before), function(now)
    f_across, step_before, step = f_before, now - before, now - before
    if f_before * f_now > 0:
        raise ValueError(f"the function has one sign at {low:g} and {high:g}")
    for _ in range(_MOST_STEPS):
        if f_before and f_now and (f_before < 0) != (f_now < 0):
            across, f_across = before, f_before
            step_before = step = now - before
        if abs(f_across) < abs(f_now):
            before, now, across = now, across, now
            f_before, f_now, f_across = f_now, f_across, f_now
        tolerance = (_ABSOLUTE + _RELATIVE * abs(now)) / 2
        half = (across - now) / 2
        if f_now == 0 or abs(half) < tolerance:
            break
        interpolated = None
        if abs(step_before) > tolerance and abs(f_now) < abs(f_before):
            interpolated = _interpolated((before, f_before), (now, f_now), (across, f_across))
        if interpolated is not None and 2 * abs(interpolated) < min(abs(step_before), 3 * abs(half) - tolerance):
            step_before, step = step, interpolated
        else:
            step_before = step = half
        before, f_before = now, f_now
        now += step if abs(step) > tolerance else tolerance if half > 0 else -tolerance
        f_now = function(now)
    return now


def _interpolated(before: tuple[float, float], now: tuple[float, float], across: tuple[float, float]) -> float:
    """The step from `now` by a secant, or by inverse quadratic interpolation where there are three points."""
    (x0, f0), (x1, f1), (x2, f2) = before, now, across
    if x0 == x2:
        return -f1 * (x1 - x0) / (f1 - f0)
    d0, d2 = (f0 - f1) / (x0 - x1), (f2 - f1) / (x2 - x1)
    return -f1 * (f2 * d2 - f0 * d0) / (d2 * d0 * (f2 - f0))
