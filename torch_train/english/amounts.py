"""Times and amounts of one note, written in one style.

A document writes its dates and amounts in one form; the next document uses another. So each note draws its forms once.
"""

from __future__ import annotations

import random

from torch_train.english.names import Names

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_CURRENCIES = (
    ("${}", "${}", "{} dollars", "USD {}"),
    ("€{}", "€{}", "{} euros", "EUR {}"),
    ("£{}", "£{}", "{} pounds", "GBP {}"),
)
_DATES = ("{d} {m} {y}", "{m} {d}, {y}", "{y}-{n:02}-{d:02}", "{d} {a} {y}", "{d:02}/{n:02}/{y}", "{m} {d}")
_TIMES = ("{h:02}:{m:02}", "{t}:{m:02} {p}", "{t}:{m:02} {P}", "{h}.{m:02}")
_UNITS = {
    "grams": "g",
    "g": "grams",
    "kilograms": "kg",
    "kg": "kilograms",
    "litres": "l",
    "millilitres": "ml",
    "ml": "millilitres",
    "mg": "milligrams",
    "milligrams": "mg",
    "metres": "m",
    "centimetres": "cm",
    "cm": "centimetres",
    "millimetres": "mm",
    "mm": "millimetres",
    "kilometres": "km",
    "km": "kilometres",
    "minutes": "min",
    "hours": "h",
    "watts": "W",
    "square metres": "m²",
    "GB": "gigabytes",
    "MB": "megabytes",
}
_PERIODS = (
    ("days", 2, 30),
    ("weeks", 2, 12),
    ("months", 2, 36),
    ("years", 2, 10),
    ("hours", 2, 12),
    ("minutes", 5, 90),
)


class Amounts:
    """Draws times and amounts.

    Args:
        draw: Source of randomness.
        names: Names of the split.
    """

    def __init__(self, draw: random.Random, names: Names) -> None:
        self._draw = draw
        self._names = names
        self._money = draw.choice(draw.choice(_CURRENCIES))
        self._date = draw.choice(_DATES)
        self._time = draw.choice(_TIMES)
        self._long = draw.random() < 0.5  # "250 grams" rather than "250 g"

    def _pick(self, name: str) -> str:
        """A word of one of the lists."""
        names = self._names
        return self._draw.choice(names.words[name] if name in names.words else names.closed[name])

    def _between(self, lo: str, hi: str) -> str:
        """A number: round ones are more frequent where the range is wide, decimals where it is given with a point."""
        if "." in lo + hi:
            return f"{self._draw.uniform(float(lo), float(hi)):.1f}"
        low, high = int(float(lo)), int(float(hi))
        number = self._draw.randint(low, high)
        step = 50 if high - low >= 1000 else 5 if high - low >= 50 else 1
        if self._draw.random() < 0.6:
            number = min(high, max(low, number // step * step))
        return f"{number:,}"

    # times

    def year(self, lo: str = "1985", hi: str = "2031") -> str:
        """'2024'."""
        return str(self._draw.randint(int(lo), int(hi)))

    def month(self) -> str:
        """'March', at times with its year."""
        month = self._pick("month")
        return f"{month} {self.year('2019', '2029')}" if self._draw.random() < 0.5 else month

    def weekday(self) -> str:
        """'Tuesday'."""
        return self._pick("weekday")

    def date(self) -> str:
        """'12 March 2024', in the note's form."""
        draw = self._draw
        number = draw.randint(1, 12)
        month = self._names.closed["month"][number - 1]
        return self._date.format(d=draw.randint(1, 28), n=number, m=month, a=month[:3], y=draw.randint(2015, 2029))

    def time(self) -> str:
        """'14:30', in the note's form."""
        draw = self._draw
        hour, minute = draw.randint(7, 21), draw.choice((0, 0, 0, 15, 30, 30, 45, draw.randint(1, 59)))
        half = "am" if hour < 12 else "pm"
        return self._time.format(h=hour, t=(hour - 1) % 12 + 1, m=minute, p=half, P=half.upper())

    def duration(self, lo: str = "", hi: str = "") -> str:
        """'six weeks', '18 months'; with bounds: minutes."""
        draw = self._draw
        unit, low, high = draw.choice(_PERIODS) if not lo else ("minutes", int(lo), int(hi))
        return f"{self._written(draw.randint(low, high))} {unit}"

    def _written(self, number: int) -> str:
        """A number, small ones as words in half of the cases."""
        return _NUMBERS[number] if number <= 12 and self._draw.random() < 0.5 else str(number)

    # amounts

    def money(self, lo: str = "20", hi: str = "5000") -> str:
        """'$1,450', '1,450 euros', in the note's currency."""
        amount = self._between(lo, hi)
        if float(hi) <= 500 and "." not in amount and self._draw.random() < 0.3:
            amount += f".{self._draw.choice((50, 99, 95, 20, 75, self._draw.randint(10, 99)))}"
        return self._money.format(amount)

    def number(self, lo: str = "2", hi: str = "200") -> str:
        """'1,250', 'seven'."""
        number = self._between(lo, hi)
        return self._written(int(number)) if number.isdecimal() else number

    def percent(self, lo: str = "1", hi: str = "99") -> str:
        """'12%', '12 percent', '2.5%'."""
        number = self._between(lo, hi)
        if float(hi) <= 30 and "." not in number and self._draw.random() < 0.3:
            number += ".5"
        return f"{number} percent" if self._long else f"{number}%"

    def quantity(self, unit: str, lo: str = "2", hi: str = "90") -> str:
        """'250 grams', '250 g'."""
        number = self._between(lo, hi)
        if number == "1":
            return f"1 {unit.removesuffix('s')}" if unit not in ("gas", "gross") else f"1 {unit}"
        short, long = sorted((unit, _UNITS.get(unit, unit)), key=len)
        return f"{number} {long if self._long else short}"

    def temperature(self, lo: str = "-10", hi: str = "40") -> str:
        """'180°C', '180 degrees Celsius'."""
        number = self._between(lo, hi)
        return f"{number} degrees Celsius" if self._long else f"{number}°C"

    def weight(self, lo: str = "1", hi: str = "80") -> str:
        """'12.5 kg'."""
        number = self._between(lo, hi)
        if self._draw.random() < 0.3 and float(hi) <= 200 and "." not in number:
            number += f".{self._draw.randint(1, 9)}"
        return f"{number} {'kilograms' if self._long and number != '1' else 'kg'}"

    def distance(self, lo: str = "2", hi: str = "400") -> str:
        """'12 km', '12 miles'."""
        number = self._between(lo, hi)
        return f"{number} {self._draw.choice(('kilometres', 'miles') if self._long and number != '1' else ('km',))}"
