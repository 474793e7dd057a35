"""Numbers as people read them: sensible digits, a true minus sign, no 1e-05.

Ties are rounded away from zero, 1.125 to 1.13: as people do, and as JavaScript does, so that the
browser's live numbers (assets/components/numbers.js) read the same as the page's.
"""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal

MINUS = "\N{MINUS SIGN}"
_WIDE = Context(prec=400)  # any float has fewer digits before the point
_LONG = re.compile(r"^\D?\d{5,}$")  # thousands apart from five digits on
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def digits(value: float, n: int = 3) -> str:
    """Write a number with n significant digits.

    >>> digits(0.0123456), digits(1234.5), digits(31574), digits(2.8665e-7), digits(float("inf"))
    ('0.0123', '1230', '31,600', '2.87·10⁻⁷', '∞')
    """
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    rounded = Context(prec=n, rounding=ROUND_HALF_UP).create_decimal_from_float(float(value))
    if 1e-3 <= abs(value) < 1e6:
        text = fixed(float(rounded), max(0, n - 1 - rounded.adjusted()))
        return (
            f"{int(text.replace(MINUS, '-')):,}".replace("-", MINUS)
            if _LONG.search(text)
            else text
        )
    mantissa, power = f"{rounded:.{n - 1}e}".split("e")
    return f"{mantissa}·10{str(int(power)).translate(_RAISED)}".replace("-", MINUS)


def fixed(value: float, decimals: int = 2) -> str:
    """Write a number with a fixed number of decimals; zero never has a sign.

    >>> fixed(-2.71828) == f"{MINUS}2.72", fixed(-0.0004)
    (True, '0.00')
    """
    if not math.isfinite(value):
        return digits(value)
    text = (
        f"{Decimal(float(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _WIDE):f}"
    )
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(value: float, decimals: int = 2) -> str:
    """Write a difference with a fixed number of decimals; what rounds to zero has no sign.

    >>> signed(0.314), signed(0.004)
    ('+0.31', '0.00')
    """
    text = fixed(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def with_error(value: float, error: float) -> str:
    """Write a value with its error: the error to two digits, the value to the same place.

    >>> with_error(0.56678, 0.0996), with_error(123.4, 37.2), with_error(0.00657, 0.0252)
    ('0.57 ± 0.10', '123 ± 37', '0.007 ± 0.025')
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{digits(value)} ± {digits(error, 2)}"
    rounded = Context(prec=2, rounding=ROUND_HALF_UP).create_decimal_from_float(float(error))
    decimals = max(0, 1 - rounded.adjusted())
    if decimals > 6:
        return f"{digits(value)} ± {digits(error, 2)}"
    return f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def percent(share: float) -> str:
    """Write a share as a percentage.

    >>> percent(0.4028), percent(0.0123), percent(0.000977), percent(1)
    ('40 %', '1.2 %', '0.098 %', '100 %')
    """
    return f"{digits(100 * share, 2)} %"
