"""What can be said and asked in nano's language: 26 attributes, six statements and six questions each.

`{e}` is the entity, `{v}` the value. Plain data, and one table however long it is; `language.py` draws from it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """One thing a note can say about one kind of entity.

    Attributes:
        kind: Entity kind: person, organisation, place, product or event.
        name: Attribute name, unique within its kind.
        value: Value kind, see `language.Language.value`.
        statements: Sentences with `{e}` and `{v}`.
        questions: Questions with `{e}`.
    """

    kind: str
    name: str
    value: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]


def _attribute(kind: str, name: str, value: str, statements: str, questions: str) -> Attribute:
    def lines(text: str) -> tuple[str, ...]:
        return tuple(line.strip() for line in text.strip().splitlines())

    return Attribute(kind, name, value, lines(statements), lines(questions))


ATTRIBUTES: tuple[Attribute, ...] = (
    # person
    _attribute("person", "job", "job", """
        {e} works as a {v}.
        {e} is a {v} by trade.
        {e} earns a living as a {v}.
        By profession, {e} is a {v}.
        {e} trained for years to become a {v}.
        The job of {e} is {v}.
        """, """
        What is the job of {e}?
        What does {e} do for a living?
        What is the profession of {e}?
        As what does {e} work?
        Which trade does {e} follow?
        What work does {e} do?
        """),
    _attribute("person", "home", "place", """
        {e} lives in {v}.
        {e} has a house in {v}.
        The home of {e} is in {v}.
        {e} moved to {v} and stayed there.
        {e} is a resident of {v}.
        In {v}, {e} found a place to live.
        """, """
        Where does {e} live?
        In which town does {e} live?
        Where is the home of {e}?
        Where is {e} resident?
        In what place is the house of {e}?
        Which town is home to {e}?
        """),
    _attribute("person", "birth year", "year", """
        {e} was born in {v}.
        The birth year of {e} is {v}.
        {e} came into the world in {v}.
        Born in {v}, {e} grew up quietly.
        {e}, born in {v}, is well known here.
        It was in {v} that {e} was born.
        """, """
        When was {e} born?
        In which year was {e} born?
        What is the birth year of {e}?
        What year did {e} come into the world?
        Which year saw the birth of {e}?
        In what year was {e} born?
        """),
    _attribute("person", "employer", "organisation", """
        {e} is employed by {v}.
        {e} has a post at {v}.
        The employer of {e} is {v}.
        {e} joined the staff of {v}.
        {v} employs {e}.
        {e} is on the payroll of {v}.
        """, """
        Who employs {e}?
        Who is the employer of {e}?
        By whom is {e} employed?
        Which company employs {e}?
        Whose staff did {e} join?
        At which company does {e} have a post?
        """),
    _attribute("person", "hobby", "hobby", """
        {e} enjoys {v}.
        The hobby of {e} is {v}.
        In spare time, {e} likes {v}.
        {e} spends every weekend on {v}.
        {e} is fond of {v}.
        For fun, {e} turns to {v}.
        """, """
        What is the hobby of {e}?
        What does {e} enjoy?
        What does {e} like in spare time?
        How does {e} spend weekends?
        What is {e} fond of?
        What does {e} do for fun?
        """),
    _attribute("person", "pet", "pet", """
        {e} keeps a {v} as a pet.
        {e} has a pet {v}.
        The pet of {e} is a {v}.
        A {v} shares the home of {e}.
        {e} looks after a {v}.
        {e} owns a {v}.
        """, """
        What pet does {e} have?
        Which animal does {e} keep?
        What is the pet of {e}?
        What kind of pet does {e} own?
        Which animal shares the home of {e}?
        What animal does {e} look after?
        """),
    # organisation
    _attribute("organisation", "founder", "person", """
        {e} was founded by {v}.
        {v} founded {e}.
        The founder of {e} is {v}.
        {e} was started by {v}.
        It was {v} who set up {e}.
        {e} owes its start to {v}.
        """, """
        Who founded {e}?
        Who is the founder of {e}?
        By whom was {e} founded?
        Who started {e}?
        Who set up {e}?
        To whom does {e} owe its start?
        """),
    _attribute("organisation", "founding year", "year", """
        {e} was founded in {v}.
        {e} dates from {v}.
        The founding year of {e} is {v}.
        {e} opened its doors in {v}.
        {e} has existed since {v}.
        It was in {v} that {e} began.
        """, """
        When was {e} founded?
        In which year was {e} founded?
        What is the founding year of {e}?
        Since when has {e} existed?
        When did {e} open its doors?
        From which year does {e} date?
        """),
    _attribute("organisation", "seat", "place", """
        {e} is based in {v}.
        The head office of {e} is in {v}.
        {e} has its seat in {v}.
        {e} runs its business from {v}.
        The main building of {e} stands in {v}.
        {v} is the seat of {e}.
        """, """
        Where is {e} based?
        Where is the head office of {e}?
        What is the seat of {e}?
        In which town does {e} have its seat?
        From where does {e} run its business?
        Where does the main building of {e} stand?
        """),
    _attribute("organisation", "goods", "goods", """
        {e} makes {v}.
        {e} is known for its {v}.
        {e} sells {v}.
        The business of {e} is {v}.
        {e} produces {v} for export.
        Customers of {e} buy {v}.
        """, """
        What does {e} make?
        What is {e} known for?
        What does {e} sell?
        What is the business of {e}?
        What does {e} produce?
        What do customers of {e} buy?
        """),
    _attribute("organisation", "staff", "count", """
        {e} employs {v} people.
        {e} has a staff of {v}.
        There are {v} workers at {e}.
        The staff of {e} numbers {v}.
        {v} people work for {e}.
        {e} counts {v} employees.
        """, """
        How many people does {e} employ?
        How large is the staff of {e}?
        How many workers are there at {e}?
        How many people work for {e}?
        How many employees does {e} have?
        What is the number of staff at {e}?
        """),
    # place
    _attribute("place", "mayor", "person", """
        The mayor of {e} is {v}.
        {v} is the mayor of {e}.
        {e} is led by its mayor, {v}.
        {e} elected {v} as mayor.
        The town hall of {e} is run by {v}.
        As mayor, {v} governs {e}.
        """, """
        Who is the mayor of {e}?
        Who governs {e}?
        What is the name of the mayor of {e}?
        Who was elected mayor of {e}?
        Who runs the town hall of {e}?
        By whom is {e} led?
        """),
    _attribute("place", "population", "count", """
        {e} has {v} inhabitants.
        The population of {e} is {v}.
        {v} people live in {e}.
        {e} is home to {v} people.
        A census counted {v} residents in {e}.
        {e} has a population of {v}.
        """, """
        How many people live in {e}?
        What is the population of {e}?
        How many inhabitants does {e} have?
        How many residents were counted in {e}?
        To how many people is {e} home?
        How large is the population of {e}?
        """),
    _attribute("place", "river", "river", """
        {e} lies on the {v}.
        The river at {e} is the {v}.
        The {v} flows through {e}.
        {e} stands on the banks of the {v}.
        The {v} is the river of {e}.
        A bridge in {e} crosses the {v}.
        """, """
        On which river does {e} lie?
        Which river flows through {e}?
        What is the river at {e}?
        On the banks of which river does {e} stand?
        What river does the bridge in {e} cross?
        What is the name of the river of {e}?
        """),
    _attribute("place", "dish", "food", """
        {e} is famous for its {v}.
        The local dish of {e} is {v}.
        Visitors to {e} should try the {v}.
        In {e}, people love to eat {v}.
        Cooks in {e} are proud of their {v}.
        The kitchens of {e} serve {v}.
        """, """
        For which food is {e} famous?
        What is the local dish of {e}?
        What should visitors to {e} try?
        What do people in {e} love to eat?
        What are cooks in {e} proud of?
        What do the kitchens of {e} serve?
        """),
    _attribute("place", "altitude", "metres", """
        {e} lies {v} above the sea.
        The altitude of {e} is {v}.
        {e} sits at a height of {v}.
        {e} is {v} above sea level.
        At {v}, {e} is high and windy.
        The elevation of {e} is {v}.
        """, """
        What is the altitude of {e}?
        How high does {e} lie?
        At what height does {e} sit?
        How far above sea level is {e}?
        What is the elevation of {e}?
        How high is {e}?
        """),
    # product
    _attribute("product", "maker", "organisation", """
        The {e} is made by {v}.
        {v} makes the {e}.
        The maker of the {e} is {v}.
        The {e} comes from {v}.
        The {e} is a product of {v}.
        {v} builds and ships the {e}.
        """, """
        Who makes the {e}?
        Which company makes the {e}?
        Who is the maker of the {e}?
        From which company does the {e} come?
        By whom is the {e} made?
        Whose product is the {e}?
        """),
    _attribute("product", "price", "money", """
        The {e} costs {v}.
        The price of the {e} is {v}.
        The {e} sells for {v}.
        Shops ask {v} for the {e}.
        Buyers pay {v} for the {e}.
        The {e} can be had for {v}.
        """, """
        How much does the {e} cost?
        What is the price of the {e}?
        What do buyers pay for the {e}?
        For how much does the {e} sell?
        What does the {e} cost?
        What do shops ask for the {e}?
        """),
    _attribute("product", "colour", "colour", """
        The {e} is painted {v}.
        The colour of the {e} is {v}.
        The {e} comes only in {v}.
        The {e} has a {v} finish.
        Every {e} is {v}.
        The {e} is sold in {v}.
        """, """
        What colour is the {e}?
        What is the colour of the {e}?
        In which colour does the {e} come?
        What colour is the {e} painted?
        Which finish does the {e} have?
        In what colour is the {e} sold?
        """),
    _attribute("product", "material", "material", """
        The {e} is made of {v}.
        The body of the {e} is {v}.
        The {e} consists of {v}.
        The {e} is built from {v}.
        The material of the {e} is {v}.
        Its makers chose {v} for the {e}.
        """, """
        What is the {e} made of?
        What is the material of the {e}?
        Of what does the {e} consist?
        From what is the {e} built?
        Which material was chosen for the {e}?
        What is the body of the {e}?
        """),
    _attribute("product", "release year", "year", """
        The {e} came out in {v}.
        The {e} was released in {v}.
        The release year of the {e} is {v}.
        The {e} went on sale in {v}.
        The {e} first appeared in {v}.
        Since {v}, the {e} has been in shops.
        """, """
        When did the {e} come out?
        In which year was the {e} released?
        What is the release year of the {e}?
        When did the {e} go on sale?
        When did the {e} first appear?
        Since when has the {e} been in shops?
        """),
    # event
    _attribute("event", "date", "date", """
        The {e} takes place on {v}.
        The date of the {e} is {v}.
        The {e} is held on {v}.
        The {e} begins on {v}.
        The {e} has been set for {v}.
        On {v}, the {e} opens.
        """, """
        When does the {e} take place?
        What is the date of the {e}?
        When is the {e} held?
        On which day does the {e} begin?
        For which day has the {e} been set?
        When does the {e} open?
        """),
    _attribute("event", "venue", "place", """
        The {e} is staged in {v}.
        The venue of the {e} is {v}.
        {v} hosts the {e}.
        The {e} happens in {v}.
        For the {e}, everybody travels to {v}.
        The {e} fills the streets of {v}.
        """, """
        Where is the {e} staged?
        What is the venue of the {e}?
        Which town hosts the {e}?
        Where does the {e} happen?
        Where does everybody travel for the {e}?
        Whose streets does the {e} fill?
        """),
    _attribute("event", "organiser", "person", """
        The {e} is organised by {v}.
        {v} organises the {e}.
        The organiser of the {e} is {v}.
        {v} is in charge of the {e}.
        The {e} is run by {v}.
        The {e} was planned by {v}.
        """, """
        Who organises the {e}?
        Who is the organiser of the {e}?
        Who is in charge of the {e}?
        By whom is the {e} run?
        Who planned the {e}?
        By whom is the {e} organised?
        """),
    _attribute("event", "visitors", "count", """
        The {e} draws {v} visitors.
        {v} guests come to the {e}.
        The {e} has {v} visitors.
        The crowd at the {e} numbers {v}.
        {v} tickets were sold for the {e}.
        The {e} attracts {v} people.
        """, """
        How many visitors does the {e} draw?
        How many guests come to the {e}?
        How many people does the {e} attract?
        How large is the crowd at the {e}?
        How many tickets were sold for the {e}?
        How many visitors does the {e} have?
        """),
    _attribute("event", "prize", "prize", """
        The winner of the {e} gets a {v}.
        The prize at the {e} is a {v}.
        At the {e}, one can win a {v}.
        A {v} is given to the winner of the {e}.
        The {e} awards a {v}.
        The best entry at the {e} earns a {v}.
        """, """
        What does the winner of the {e} get?
        What is the prize at the {e}?
        What can one win at the {e}?
        What is given to the winner of the {e}?
        What does the {e} award?
        What does the best entry at the {e} earn?
        """),
)  # fmt: skip
