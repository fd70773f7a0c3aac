"""Texts as weights of terms: the same plain code where a model is fitted and where it answers.

A term is a word or a pair of neighbouring words. Its weight in a text is (1 + ln tf) · idf with
idf = ln((1 + n) / (1 + df)) + 1, and the weights of a text have length 1: TF-IDF (Spärck Jones,
*A statistical interpretation of term specificity*, 1972) as scikit-learn's `TfidfVectorizer`
computes it with `sublinear_tf`. Terms are chosen by how many texts have them, never by the target.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

LONGEST_TEXT = 8_000
"""Characters of a text that are read, on both sides; what follows says nothing to a model."""

LONGEST_WORD = 40
"""A longer run of letters and digits is no word but a key or encoded data."""

FEWEST_TEXTS = 3
"""A term that fewer texts have says nothing about the next text."""

MOST_COUNTED = 1_000_000
"""Terms counted at a time: bounds the memory of fitting."""

FEWEST_WORDS = 3
"""Values with fewer words than this are names and identifiers, not texts."""

_TAG = re.compile(r"</?[a-z][^<>]{0,200}>", re.IGNORECASE)
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Kana and Han: written without spaces, so that each sign counts as a word."""

_WORD = re.compile(rf"[{_SIGNS}]|[^\W_{_SIGNS}]+(?:['’][^\W_{_SIGNS}]+)*")
_SPACED = re.compile(rf"[{_SIGNS}]|[^\s{_SIGNS}]+")


@dataclass(frozen=True)
class Vocabulary:
    """Terms, the most frequent first, with their inverse document frequencies.

    `found`: how many terms enough texts have, of which these are the most frequent.
    """

    terms: tuple[str, ...]
    idf: tuple[float, ...]
    found: int


def words_of(text: str) -> list[str]:
    """The words of a text, in its order, alike in upper and lower case; HTML tags are none.

    >>> words_of("Don’t buy<br />the NEW flavour, 5 stars_off")
    ["don't", 'buy', 'the', 'new', 'flavour', '5', 'stars', 'off']
    """
    plain = unicodedata.normalize("NFKC", _TAG.sub(" ", text[:LONGEST_TEXT])).casefold()
    found = _WORD.findall(plain.replace("’", "'"))
    return [word for word in found if len(word) <= LONGEST_WORD]


def terms_of(text: str) -> list[str]:
    """The words of a text, then its pairs of neighbouring words.

    >>> terms_of("Not good!")
    ['not', 'good', 'not good']
    """
    words = words_of(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def fit_vocabulary(texts: Iterable[str], most: int) -> Vocabulary:
    """The terms that most texts have, at most so many; equal ones by name.

    Where there are too many to count, the rarest are forgotten along the way (lossy counting,
    Manku and Motwani 2002): the frequent ones that are wanted stay.
    """
    having: Counter[str] = Counter()
    total = forgotten = 0
    for text in texts:
        having.update(set(terms_of(text)))
        total += 1
        while len(having) > MOST_COUNTED:
            forgotten += 1
            having = Counter({term: count for term, count in having.items() if count > forgotten})
    enough = {term: count for term, count in having.items() if count >= FEWEST_TEXTS}
    chosen = sorted(enough, key=lambda term: (-enough[term], term))[:most]
    idf = tuple(round(math.log((1 + total) / (1 + enough[term])) + 1, 6) for term in chosen)
    return Vocabulary(tuple(chosen), idf, len(enough))


def weigh(text: str, places: Mapping[str, int], idf: Sequence[float]) -> dict[int, float]:
    """The weights of a text that are not 0, by the place of their term; none for other words."""
    counts = Counter(place for term in terms_of(text) if (place := places.get(term)) is not None)
    weights = {place: (1 + math.log(count)) * idf[place] for place, count in counts.items()}
    length = math.sqrt(math.fsum(weight * weight for weight in weights.values()))
    return {place: weight / length for place, weight in weights.items()}


def median_words(values: Sequence[str]) -> float:
    """How many words a value of a column has, by the spaces in it: a path or a key is one word.

    >>> median_words(["a/b/c-1.png", "7f3a-11"]), median_words(["it was very good", "好吃的"])
    (1.0, 3.5)
    """
    return float(median(len(_SPACED.findall(value)) for value in values)) if values else 0.0
