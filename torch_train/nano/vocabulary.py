"""The words of nano's language: syllables that names are put together from, closed sets of values, words of filler."""

from __future__ import annotations

HEADS = tuple(
    "Al Ar Ban Bel Ber Bor Bran Cal Car Cor Dal Dar Del Dor Dun El Er Fal Far Fen Fin Gal Gar Gil Gor Hal Har Hel Hol "
    "Il Jan Jar Jor Kal Kar Kel Kor Lam Lar Len Lor Mal Mar Mel Mor Nal Nar Nel Nor Ol Or Os Pal Par Pel Por Quel Ral "
    "Ran Rel Ros Sal Sar Sel Sil Sol Tal Tar Tel Tor Ul Ur Val Var Vel Vor Wal Wen Wil Yar Yor Zal Zel Zor".split()
)
MIDDLES = tuple("a e i o u ami ano ela eri ilo ina omi ora una uri avo".split())
TAILS = {
    "first": tuple("bert da dric gan ina ka la lia lin mira mund na nia ra ric rik sa tha ton via vin win".split()),
    "last": tuple("bach berg dale feld gaard hart kamp land man mark quist rup sen shaw son stad stein strom vik "
                  "worth".split()),
    "place": tuple("bridge burg bury by cester dorf ford gate grad ham haven holm mouth pool port stead thorpe ton "
                   "wick wood".split()),
    "organisation": tuple("co corp dex gen kom lux max mo nex nova plex sys tec tex tron via vex zon zy".split()),
    "product": tuple("bo do fix go jet jo ko lo mix po ray ro to vo wing xi zip zo".split()),
    "river": tuple("ach ane aw eck ess une isk ith oll oon oth uck und ush".split()),
    "event": tuple("ade alia ana ella enda esta iade ino ival onia ora ura".split()),
}  # fmt: skip
EVENTS = ("Fair", "Festival", "Race", "Regatta", "Summit", "Concert", "Games", "Market")

CHOICES: dict[str, tuple[str, ...]] = {
    "job": tuple("baker carpenter doctor farmer fisher gardener judge lawyer mason miller nurse painter pilot "
                 "plumber potter sailor singer smith tailor teacher translator weaver writer brewer".split()),
    "hobby": tuple("archery baking boxing carving chess climbing cycling dancing diving drawing fencing fishing "
                   "hiking juggling knitting painting pottery reading rowing running sailing singing skating "
                   "sewing".split()),
    "pet": tuple("badger canary cat crow dog donkey ferret finch fox frog goat goose hamster hedgehog lizard "
                 "mouse parrot pony rabbit raven snake spider tortoise turtle".split()),
    "goods": tuple("bells bicycles boats books boots bricks candles carpets cheese clocks coats drums furniture "
                   "glass hats kites lamps locks maps mirrors paper ropes soap toys".split()),
    "food": tuple("apple cake,barley soup,bean stew,berry tart,bread,cabbage rolls,carrot cake,dumplings,eel pie,"
                  "fish soup,goat cheese,ham,honey cake,lentils,mushrooms,noodles,nut bread,onion tart,pancakes,"
                  "plum jam,potato salad,roast duck,smoked trout,turnips".split(",")),
    "colour": tuple("amber black blue brown copper crimson gold green grey indigo ivory orange pink purple red "
                    "scarlet silver teal turquoise violet white yellow olive beige".split()),
    "material": tuple("ash bamboo brass bronze ceramic clay cork cotton felt glass granite iron leather linen "
                      "marble oak pine plastic rubber silk slate steel tin wool".split()),
    "prize": tuple("bottle of wine,bronze bell,cup,diploma,flag,goblet,gold ring,lamb,medal,necklace,painted plate,"
                   "ribbon,rose,sack of flour,saddle,scarf,shield,silver coin,silver spoon,statue,sword,trophy,"
                   "violin,wreath".split(",")),
    "month": tuple("January February March April May June July August September October November December".split()),
}  # fmt: skip

ADJECTIVES = tuple("calm dry warm cold bright dull long short quiet loud narrow broad plain odd gentle rough late "
                   "early soft hard empty full heavy light".split())  # fmt: skip
NOUNS = tuple("garden bridge market station letter window kitchen field harbour tower library chair lamp roof "
              "street forest gate wagon ladder basket barrel mill square fountain".split())  # fmt: skip
