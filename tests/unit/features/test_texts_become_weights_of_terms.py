"""Texts become TF-IDF weights of a vocabulary that only the training rows have made."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from evergreen.features import columns as columns_module
from evergreen.features import text as text_module
from evergreen.features.encoding import encode
from evergreen.features.preparation import Prepared
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.text import (
    FEWEST_TEXTS,
    LONGEST_TEXT,
    fit_vocabulary,
    terms_of,
    weigh,
    words_of,
)
from tests.unit.features.workshop import Workshop, hundred, names, reasons

WORDS = st.lists(st.sampled_from(["tea", "Coffee", "not", "good", "dog's", "<br />", "x"]))
TEXTS = st.lists(WORDS.map(" ".join), max_size=30)
REVIEW = (
    "'the ' || ['tea', 'dog food', 'coffee'][1 + i % 3] || ' was ' || ['good', 'bad'][1 + i % 2]"
    " || ' on day ' || i"
)


def text_column(made: Prepared, name: str = "review") -> Column:
    return next(column for column in made.training_set.signature.columns if column.name == name)


@given(texts=TEXTS, asked=WORDS.map(" ".join))
def test_weights_are_those_of_scikit_learn(texts: list[str], asked: str) -> None:
    vocabulary = fit_vocabulary(texts, 50)
    having = [sum(term in terms_of(text) for text in texts) for term in vocabulary.terms]
    assert having == sorted(having, reverse=True)
    assert min(having, default=FEWEST_TEXTS) >= FEWEST_TEXTS
    if not vocabulary.terms:
        return
    peer = TfidfVectorizer(analyzer=terms_of, vocabulary=vocabulary.terms, sublinear_tf=True)
    places = {term: place for place, term in enumerate(vocabulary.terms)}
    found = np.zeros(len(places))
    for place, weight in weigh(asked, places, vocabulary.idf).items():
        found[place] = weight
    expected = peer.fit(texts).transform([asked]).toarray()[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_words_are_alike_in_case_and_form_and_in_scripts_without_spaces() -> None:
    assert words_of("Ｇｏｏｄ GOOD good") == ["good"] * 3
    assert words_of("L'été — ÇA!") == ["l'été", "ça"]
    assert words_of("好吃 tea") == ["好", "吃", "tea"]
    assert words_of(f"a {'x' * 41} <a href='http://b.c'>d</a> e < f > g") == list("adefg")


def test_what_follows_a_very_long_beginning_is_not_read() -> None:
    long = "a " * (LONGEST_TEXT // 2)
    assert words_of(long + "end") == words_of(long)


def test_counting_in_little_memory_keeps_the_frequent_terms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [f"tea{i} good tea" if i % 2 else f"word{i} and{i}" for i in range(200)]
    monkeypatch.setattr(text_module, "MOST_COUNTED", 50)
    assert fit_vocabulary(texts, 9).terms == ("good", "good tea", "tea")


def test_texts_are_told_from_categories_identifiers_and_files(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(
            f"{REVIEW} AS review, 'n-' || i AS key, 'a b/it is ' || i || '.PNG' AS file, "
            "'it is a long sentence but one of ' || (i % 3) || ' only' AS phrase, "
            "'v ' || md5(i::VARCHAR) || ' ' || md5('b' || i) AS noise, i % 7 AS x"
        )
    )
    kinds = {column.name: column.kind for column in made.training_set.signature.columns}
    assert kinds == {
        "review": Kind.TEXT,
        "phrase": Kind.CATEGORY,
        "noise": Kind.TEXT,
        "x": Kind.NUMBER,
    }
    assert text_column(made, "noise").terms == ("v",)
    assert reasons(made) == {
        "key": "identifier or name: 91 different values in 91 training rows",
        "file": "names files",
    }


def test_texts_of_many_words_are_no_categories_though_they_repeat(workshop: Workshop) -> None:
    said = "'one two three four five six seven eight ' || (i % 60)"
    made = workshop.prepare(hundred(f"{said} AS review, i % 7 AS x", 400))
    assert text_column(made).kind is Kind.TEXT


def test_texts_that_share_no_word_are_ignored(workshop: Workshop) -> None:
    own = " || ' ' || ".join(f"md5('{letter}' || i)" for letter in "abc")
    made = workshop.prepare(hundred(f"{own} AS review, i % 7 AS x"))
    assert reasons(made) == {"review": "has no word that 3 training rows share"}


def test_training_rows_are_weighed_as_requests_are(workshop: Workshop) -> None:
    made = workshop.prepare(hundred(f"i AS t, i % 7 AS x, {REVIEW} AS review", 100), time="t")
    written = zip(workshop.written("t, x, review"), made.holdout.kept, strict=True)
    rows = [{"t": t, "x": x, "review": review} for (t, x, review), kept in written if kept]
    asked = encode(rows, made.training_set.signature)
    np.testing.assert_array_equal(asked.numbers, made.training_set.rows.numbers)
    assert asked.terms == made.training_set.rows.terms == len(text_column(made).terms)
    assert "dog food" in text_column(made).terms


@given(later=st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0'")), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_rows_that_are_held_out_never_change_what_is_fitted(
    workshop: Workshop, later: list[str]
) -> None:
    spelled = ", ".join(f"'{text} unheard of word'" for text in later)
    held = f"CASE WHEN i < 80 THEN {REVIEW} ELSE [{spelled}][1 + i % {len(later)}] END AS review"
    fitted, expected = (
        workshop.prepare(hundred(f"i AS t, i % 7 AS x, {review}"), time="t").training_set
        for review in (held, f"{REVIEW} AS review")
    )
    assert fitted.holdout.sum() == 20
    assert fitted.signature == expected.signature
    np.testing.assert_array_equal(
        fitted.part(holdout=False).rows.numbers, expected.part(holdout=False).rows.numbers
    )


def test_terms_are_cut_to_what_memory_holds_and_that_is_said(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns_module, "MOST_WEIGHTS", 100 * 8)
    made = workshop.prepare(hundred(f"{REVIEW} AS review, {REVIEW} || ' too' AS other"))
    assert [len(text_column(made, name).terms) for name in names(made)] == [4, 4]
    (note, _) = (each for each in made.notes if "pairs of words" in each)
    assert re.fullmatch(
        r"'review': of \d+ words and pairs of words that 3 or more training rows have, "
        "the 4 most frequent are used",
        note,
    )


def test_equal_texts_never_straddle_the_split(workshop: Workshop) -> None:
    said = f"CASE WHEN i < 150 THEN {REVIEW} ELSE 'one and the same text' END"
    made = workshop.prepare(hundred(f"{said} AS review", 200))
    same = [out for text, out in workshop.written("review, holdout") if text.startswith("one")]
    assert made.rows == 200
    assert len(set(same)) == 1


def test_a_vocabulary_survives_its_record_and_old_records_are_read(workshop: Workshop) -> None:
    made = workshop.prepare(hundred(f"{REVIEW} AS review")).training_set
    assert Signature.from_json(made.signature.to_json()) == made.signature
    again = type(made).from_bytes(made.to_bytes())
    assert again.rows.terms == len(made.signature.term_names) > 0
    old = made.signature.to_json().replace('"terms"', '"unknown"').replace('"idf"', '"other"')
    assert Signature.from_json(old).texts[0].terms == ()


def test_lists_are_the_words_of_their_elements(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("'[\"drama\", \"' || ['war', 'love'][1 + i % 2] || '\"]' AS genres, i % 7 AS x")
    )
    assert set(text_column(made, "genres").terms) == {
        *("drama", "war", "love", "drama war", "drama love"),
    }


def test_paths_of_an_archive_are_never_read_for_the_answer(workshop: Workshop) -> None:
    path = "['a black cat', 'a brown dog'][1 + i % 2] || '/' || i"
    made = workshop.prepare(
        hundred(
            f"{path} AS file, {path} || CASE WHEN i % 5 > 0 THEN '.jpg' ELSE '' END AS picture, "
            "i % 7 AS x"
        )
    )
    assert reasons(made) == {"file": "names files", "picture": "names files"}
