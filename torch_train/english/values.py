"""Values of facts: names and codes here, dates and amounts in `amounts.py`. One `Values` serves one note."""

from __future__ import annotations

import re
from functools import cache

from torch_train.english.amounts import Amounts

_SPEC = re.compile(r"(\w+)\s*(?:\(([^()]*)\))?")
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


class Values(Amounts):
    """Draws values for one note, each by the name of its generator."""

    def value(self, spec: str) -> str:
        """A value of the generator call `spec`."""
        name, arguments = parse(spec)
        value: str = getattr(self, name)(*arguments)
        return value

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

    # codes

    def _digits(self, count: int) -> str:
        return str(self._draw.randint(10 ** (count - 1), 10**count - 1))

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


GENERATORS = frozenset(name for name in dir(Values) if not name.startswith("_") and name != "value")
