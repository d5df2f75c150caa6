"""Values of facts: names, dates, amounts, codes. One `Values` serves one note and keeps to one style of writing.

A document writes its dates and amounts in one form; the next document uses another. So each note draws its forms once.
"""

from __future__ import annotations

import random
import re
from functools import cache

from torch_train.english.names import Names

_SPEC = re.compile(r"(\w+)\s*(?:\(([^()]*)\))?")
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
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@cache
def parse(spec: str) -> tuple[str, tuple[str, ...]]:
    """A generator call such as `money(600, 3200)` as a name and its arguments.

    Raises:
        ValueError: It is no such call, or there is no generator of that name.
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None or match[1] not in GENERATORS:
        raise ValueError(f"{spec!r} is no value generator; choose from {', '.join(sorted(GENERATORS))}")
    arguments = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
    try:
        numbers = arguments[1:] if match[1] == "quantity" else arguments
        if [*map(float, numbers)] != sorted(map(float, numbers)) or len(numbers) not in (0, 2):
            raise ValueError
    except ValueError:
        raise ValueError(f"{spec!r}: give a lower and an upper bound, or none") from None
    return match[1], arguments


class Values:
    """Draws values for one note.

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

    def value(self, spec: str) -> str:
        """A value of the generator call `spec`."""
        name, arguments = parse(spec)
        value: str = getattr(self, name)(*arguments)
        return value

    def _pick(self, name: str) -> str:
        """A word of one of the lists."""
        names = self._names
        return self._draw.choice(names.words[name] if name in names.words else names.closed[name])

    def _digits(self, count: int) -> str:
        return str(self._draw.randint(10 ** (count - 1), 10**count - 1))

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

    # names

    def person(self) -> str:
        """'Ana Duarte'."""
        draw = self._draw
        family = draw.choices(self._names.families, self._names.weights)[0]
        return f"{draw.choice(draw.choice((family.male, family.female)))} {draw.choice(family.last)}"

    def first_name(self) -> str:
        """'Ana'."""
        family = self._draw.choices(self._names.families, self._names.weights)[0]
        return self._draw.choice(self._draw.choice((family.male, family.female)))

    def _last(self) -> str:
        return self._draw.choice(self._draw.choices(self._names.families, self._names.weights)[0].last)

    def company(self) -> str:
        """'Duarte Logistics', 'Velmira', 'Birch & Holt'; three in ten have an invented name."""
        draw = self._draw
        trade, form = self._pick("trade"), self._pick("company_form")
        if draw.random() < 0.3:
            name = self._names.invented(draw)
            return draw.choice((name, name, f"{name} {trade}", f"{name} {form}"))
        last = self._last()
        word = self._pick("word")
        return draw.choice(
            (f"{last} {trade}", f"{last} {form}", f"{last} & {self._last()}", f"{word} {trade}", f"{word} {form}")
        )

    def product(self) -> str:
        """'Kestrel 300', 'Velmira X2'."""
        draw = self._draw
        name = self._names.invented(draw) if draw.random() < 0.3 else self._pick("word")
        number = draw.choice(("{n}", "{n}00", "{l}{n}", "{l}{n}0", "{n} Pro", "Plus", "{n}50", "Mini", "{l}-{n}00"))
        return f"{name} {number.format(n=draw.randint(2, 9), l=draw.choice(_LETTERS))}"

    def project(self) -> str:
        """'Project Heron', 'Heron Migration'."""
        word = self._pick("word")
        return f"Project {word}" if self._draw.random() < 0.5 else f"{word} {self._pick('project_suffix')}"

    def city(self) -> str:
        """'Coimbra'."""
        return self._draw.choice(self._names.cities)

    def country(self) -> str:
        """'Portugal'."""
        return self._draw.choice(self._names.countries)

    def street(self) -> str:
        """'Garden Street'."""
        name = self._pick("word") if self._draw.random() < 0.5 else self._last()
        return f"{name} {self._pick('street_suffix')}"

    def address(self) -> str:
        """'14 Garden Street', at times with its city."""
        address = f"{self._draw.randint(1, 240)} {self.street()}"
        return f"{address}, {self.city()}" if self._draw.random() < 0.4 else address

    def property(self) -> str:
        """'Flat 3, 14 Garden Street', 'Rowan Cottage'."""
        draw = self._draw
        if draw.random() < 0.35:
            return f"{self._pick('word')} {draw.choice(('Cottage', 'House', 'Villa', 'Lodge', 'Farm', 'Court'))}"
        unit = draw.choice(("Flat", "Apartment", "Unit", "Suite"))
        number = f"{draw.randint(1, 40)}{draw.choice(('', '', 'A', 'B', 'C'))}"
        return f"{unit} {number}, {draw.randint(1, 240)} {self.street()}"

    def _formed(self, form: str, name: str) -> str:
        return self._pick(form).format(name)

    def hotel(self) -> str:
        """'Hotel Meridian'."""
        return self._formed("hotel_form", self._pick("word") if self._draw.random() < 0.6 else self.city())

    def station(self) -> str:
        """'Coimbra Central'."""
        return self._formed("station_form", self.city())

    def bank(self) -> str:
        """'Coimbra Savings Bank'."""
        return self._formed("bank_form", self.city() if self._draw.random() < 0.6 else self._pick("word"))

    def university(self) -> str:
        """'University of Coimbra'."""
        return self._formed("university_form", self.city())

    def course(self) -> str:
        """'Introduction to Soil Science'."""
        return self._formed("course_form", self._pick("subject"))

    def club(self) -> str:
        """'Coimbra Chess Club'."""
        return f"{self.city() if self._draw.random() < 0.6 else self._pick('word')} {self._pick('club_suffix')}"

    def event(self) -> str:
        """'Coimbra Book Fair'."""
        return f"{self.city() if self._draw.random() < 0.6 else self._pick('word')} {self._pick('event_suffix')}"

    def book(self) -> str:
        """'The Silent Harbour'."""
        draw = self._draw
        adjective, noun = self._pick("adjective"), self._pick("noun")
        return draw.choice(
            (
                f"The {adjective} {noun}",
                f"{adjective} {noun}",
                f"The {noun} of {self.city()}",
                f"{self._last()}'s {noun}",
            )
        )

    def software(self) -> str:
        """'Ledgerly'."""
        return self._names.invented(self._draw) if self._draw.random() < 0.3 else self._pick("software")

    def team(self) -> str:
        """'the platform team'."""
        return f"the {self._pick('team')} team"

    def department(self) -> str:
        """'Human Resources'."""
        return self._pick("department")

    def job(self) -> str:
        """'electrician'."""
        return self._pick("job")

    def dish(self) -> str:
        """'shepherd's pie', 'mushroom risotto'."""
        return self._pick("dish") if self._draw.random() < 0.5 else self._formed("dish_form", self._pick("main"))

    def ingredient(self) -> str:
        """'brown sugar'."""
        return self._pick("ingredient")

    def medicine(self) -> str:
        """'ibuprofen'."""
        return self._pick("medicine")

    def device(self) -> str:
        """'Kestrel washing machine'."""
        brand = self._names.invented(self._draw) if self._draw.random() < 0.3 else self._pick("word")
        return f"{brand} {self._pick('device')}"

    def animal(self) -> str:
        """'tortoise'."""
        return self._pick("animal")

    def colour(self) -> str:
        """'dark green'."""
        return self._pick("colour")

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

    # codes

    def phone(self) -> str:
        """'555-0142', '+44 20 7946 0018'."""
        form = self._draw.choice(("+44 ## #### ####", "### ### ####", "###-####", "(###) ###-####", "+49 ## ######"))
        return re.sub("#", lambda _: str(self._draw.randint(1, 9)), form)

    def _domain(self) -> str:
        name = self._names.invented(self._draw) if self._draw.random() < 0.4 else self._pick("word")
        return f"{name.lower()}.{self._draw.choice(('com', 'org', 'net', 'co.uk', 'example', 'eu', 'io'))}"

    def email(self) -> str:
        """'ana.duarte@heron.org'."""
        draw = self._draw
        first, last = self._ascii(self.first_name()), self._ascii(self._last())
        user = draw.choice((f"{first}.{last}", first, f"{first[0]}{last}", draw.choice(("info", "office", "support"))))
        return f"{user}@{self._domain()}"

    def website(self) -> str:
        """'www.heron.org'."""
        return f"{self._draw.choice(('www.', '', 'https://'))}{self._domain()}"

    def url_path(self) -> str:
        """'/docs/install'."""
        return "/" + "/".join(self._draw.sample(self._names.closed["path"], self._draw.randint(1, 2)))

    def code(self) -> str:
        """'7F3-K9', '4821'."""
        draw = self._draw
        return self._filled(draw.choice(("####", "######", "@#@-@#", "@@##", "###-###", "#@##@", "@@@-##", "@####")))

    def reference(self) -> str:
        """'INV-20431'."""
        prefix = self._draw.choice(("INV", "REF", "ORD", "CASE", "TKT", "DOC", "PO", "LT", "RN", "HB", "QX", "KD"))
        return f"{prefix}{self._draw.choice(('-', '-', ' ', '/'))}{self._digits(self._draw.choice((4, 5, 6)))}"

    def serial(self) -> str:
        """'SN4471-XK'."""
        return self._filled(self._draw.choice(("SN####-@@", "@@#####", "#@@-####", "S/N ######", "@#@##@##")))

    def _filled(self, form: str) -> str:
        draw = self._draw
        return re.sub("[#@]", lambda found: str(draw.randint(0, 9)) if found[0] == "#" else draw.choice(_LETTERS), form)

    def version(self) -> str:
        """'2.4.1', 'v3.0'."""
        draw = self._draw
        number = f"{draw.randint(0, 14)}.{draw.randint(0, 20)}"
        return draw.choice((number, f"{number}.{draw.randint(0, 9)}", f"v{number}", f"{number}.{draw.randint(0, 9)}"))

    def room(self) -> str:
        """'Room 204', 'B12', 'the Cedar Room'."""
        draw = self._draw
        number = draw.randint(1, 420)
        name = self._pick("word")
        return draw.choice((f"Room {number}", f"Room {number}", f"{draw.choice('ABCD')}{number}", f"the {name} Room"))

    def flight(self) -> str:
        """'LH 432'."""
        draw = self._draw
        airline = draw.choice(("LH", "BA", "AF", "KL", "TP", "IB", "SK", "AY", "UA", "DL", "EK", "QF", "LX", "OS"))
        return f"{airline}{draw.choice((' ', ''))}{draw.randint(100, 4999)}"

    @staticmethod
    def _ascii(name: str) -> str:
        return re.sub(
            "[^a-z]",
            "",
            name.lower().translate(str.maketrans("áàâäãåéèêëíìîïóòôöõøúùûüçñß", "aaaaaaeeeeiiiioooooouuuucns")),
        )


GENERATORS = frozenset(
    name for name in vars(Values) if not name.startswith("_") and name != "value" and callable(getattr(Values, name))
)
