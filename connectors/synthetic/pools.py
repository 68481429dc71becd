"""Realistic values, made once by Faker and then drawn from: fast, and the same in every run."""

import random
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from faker import Faker

LOCALES = {"en_GB": "GB", "de_DE": "DE", "fr_FR": "FR", "pl_PL": "PL", "ja_JP": "JP"}
_AWKWARD = ("", " ", 'It\'s 100 % \\ "fine" 👍', "ça va\tgrößer;\n日本", "null", "\\N")
_PEOPLE, _PLACES, _TEXTS = 400, 60, 120

DEPARTMENTS = {
    "Home": ("Lighting", "Textiles", "Storage", "Decoration"),
    "Kitchen": ("Cookware", "Tableware", "Knives", "Coffee & Tea"),
    "Garden": ("Tools", "Planters", "Furniture", "Seeds"),
    "Electronics": ("Audio", "Cables", "Chargers", "Smart Home"),
    "Fashion": ("Shirts", "Shoes", "Bags", "Accessories"),
    "Sports": ("Cycling", "Running", "Climbing", "Yoga"),
    "Books": ("Fiction", "Cooking", "Travel", "Children's"),
    "Toys": ("Puzzles", "Building", "Outdoor", "Plush"),
}
MATERIALS = ("Oak", "Linen", "Steel", "Ceramic", "Cotton", "Copper", "Bamboo", "Glass", "Leather", "Wool")
THINGS = ("Lamp", "Set", "Box", "Bowl", "Kit", "Stand", "Cover", "Case", "Holder", "Organiser", "Mat", "Basket")
COLOURS = ("black", "white", "sage", "ochre", "navy", "terracotta", "natural")
LABELS = ("new", "sale", "eco", "bestseller", "last chance", 'size "L"', "a, b & c", "Größe M")
WAREHOUSES = ("BER-1", "LYO-2", "POZ-1", "MAN-3")
CARRIERS = ("DHL", "DPD", "GLS", "La Poste", "InPost")
COUPONS = ("WELCOME10", "SPRING", "FREESHIP", "VIP-2025", "SORRY5")


class Place(NamedTuple):
    """Where an address can be."""

    city: str
    postcode: str
    country: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Pools:
    """Values to draw from.

    Attributes:
        names: Full names, in several scripts.
        streets: Street and number.
        places: Cities with postcode and position.
        phones: Telephone numbers.
        sentences: Short texts.
        articles: Texts of a few hundred to some thousand characters, with line breaks.
        metadata: JSON that says where an order came from.
        preferences: JSON of a customer's choices.
    """

    names: tuple[str, ...]
    streets: tuple[str, ...]
    places: tuple[Place, ...]
    phones: tuple[str, ...]
    sentences: tuple[str, ...]
    articles: tuple[str, ...]
    metadata: tuple[str, ...]
    preferences: tuple[str, ...]


@cache
def pools() -> Pools:
    """The pools; the same values in every process."""
    fake = Faker(list(LOCALES))
    fake.seed_instance(20_250_101)
    rng = random.Random(20_250_101)
    english = fake["en_GB"]
    return Pools(
        names=tuple(fake.name() for _ in range(_PEOPLE)),
        streets=tuple(fake.street_address() for _ in range(_PEOPLE)),
        places=tuple(_place(fake[locale], country, rng) for locale, country in LOCALES.items() for _ in range(_PLACES)),
        phones=tuple(fake.phone_number() for _ in range(_PEOPLE)),
        sentences=(*(english.sentence() for _ in range(_TEXTS)), "", 'It\'s 100 % \\ "fine" 👍', "ça va, größer; 日本"),
        articles=tuple("\n\n".join(english.paragraphs(rng.randint(1, 12))) for _ in range(_TEXTS)),
        metadata=tuple(_metadata(rng) for _ in range(_TEXTS)),
        preferences=tuple(_preferences(rng) for _ in range(_TEXTS)),
    )


def _place(fake: Faker, country: str, rng: random.Random) -> Place:
    return Place(fake.city(), fake.postcode()[:12], country, rng.uniform(36, 58), rng.uniform(-5, 24))


def _metadata(rng: random.Random) -> str:
    device = rng.choice(("mobile", "mobile", "desktop", "tablet", "app"))
    campaign = rng.choice(("null", '"newsletter"', '"retargeting"', '"søk/検索"'))
    return (
        f'{{"device": "{device}", "utm": {{"campaign": {campaign}, "score": {rng.random():.6f}}}, '
        f'"pages": {rng.randint(1, 40)}, "ab": ["{rng.choice("AB")}", "{rng.choice("XYZ")}"]}}'
    )


def _preferences(rng: random.Random) -> str:
    language = rng.choice(("en", "de", "fr", "pl", "ja"))
    newsletter = rng.choice(("true", "false", "null"))
    return f'{{"language": "{language}", "newsletter": {newsletter}, "sizes": {{"shoe": {rng.randint(35, 47)}.5}}}}'
