"""A signature and a training set are read back as they were written."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evergreen.features.encoding import Encoded
from evergreen.features.signature import MOMENT_PARTS, Column, Kind, Signature, Task
from evergreen.features.training_set import TrainingSet

NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COLUMN = st.one_of(
    st.builds(Column, NAME, st.just(Kind.NUMBER), minimum=NUMBER, maximum=NUMBER),
    st.builds(Column, NAME, st.just(Kind.MOMENT)),
    st.builds(Column, NAME, st.just(Kind.CATEGORY), st.lists(NAME, unique=True).map(tuple)),
)
SIGNATURE = st.builds(
    Signature,
    target=NAME,
    task=st.sampled_from(Task),
    columns=st.lists(COLUMN, max_size=5, unique_by=lambda column: column.name).map(tuple),
    classes=st.lists(NAME, unique=True).map(tuple),
    ignored=st.lists(st.tuples(NAME, NAME)).map(tuple),
)
# NumPy's texts cannot end in NUL.
CATEGORY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@st.composite
def training_sets(draw: st.DrawFn) -> TrainingSet:
    signature = draw(SIGNATURE)
    count = draw(st.integers(0, 12))
    numbers = draw(arrays.arrays(np.float32, (count, len(signature.number_names))))
    width = len(signature.category_names)
    cells = draw(st.lists(CATEGORY, min_size=count * width, max_size=count * width))
    categories = np.array([*cells, None], dtype=object)[:-1].reshape(count, width)
    kind = np.float64 if signature.task is Task.REGRESSION else np.int64
    return TrainingSet(
        signature,
        Encoded(numbers, categories),
        draw(arrays.arrays(kind, count)),
        draw(arrays.arrays(np.bool_, count)),
        draw(st.sampled_from([np.arange(count, dtype=np.int64), np.empty(0, dtype=np.int64)])),
        draw(st.booleans()),
    )


@given(signature=SIGNATURE)
def test_a_signature_is_read_back_equal(signature: Signature) -> None:
    assert Signature.from_json(signature.to_json()) == signature


@given(made=training_sets())
def test_a_training_set_is_read_back_equal(made: TrainingSet) -> None:
    read = TrainingSet.from_bytes(made.to_bytes())
    assert read.signature == made.signature
    assert read.ordered == made.ordered
    np.testing.assert_array_equal(read.rows.numbers, made.rows.numbers)
    assert read.rows.categories.tolist() == made.rows.categories.tolist()
    for name in ("target", "holdout", "groups"):
        one, other = getattr(read, name), getattr(made, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(made=training_sets())
def test_the_parts_of_a_training_set_are_all_of_it(made: TrainingSet) -> None:
    held, learned = made.part(holdout=True), made.part(holdout=False)
    assert len(held) + len(learned) == len(made)
    assert held.holdout.all()
    assert not learned.holdout.any()


def test_numbers_stand_before_the_parts_of_moments() -> None:
    signature = Signature(
        "y",
        Task.BINARY,
        (Column("t", Kind.MOMENT), Column("c", Kind.CATEGORY), Column("n", Kind.NUMBER)),
    )
    assert signature.number_names == ("n", *(f"t.{part}" for part in MOMENT_PARTS))
    assert signature.category_names == ("c",)


def test_a_column_left_out_has_its_reason() -> None:
    signature = Signature("y", Task.BINARY, (Column("a", Kind.NUMBER), Column("b", Kind.NUMBER)))
    less = signature.without({"a": "tells the target"})
    assert less.number_names == ("b",)
    assert less.ignored == (("a", "tells the target"),)
