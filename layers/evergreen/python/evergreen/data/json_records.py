"""JSON: an array of records, or one record on each line (JSON Lines)."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from evergreen.data.limits import Limits
from evergreen.data.records import Records, Spelled
from evergreen.data.refusal import Reason, UploadRefusedError, printable, shortened

CHUNK = 1 << 20
SHOWN_KEYS = 10
FEWEST_WRAPPED = 10
_GOES_ON = ("[", "{", ",", ":")
_SPACE = re.compile(r"[ \t\r\n]*")


def is_json_lines(path: Path, limits: Limits) -> bool:
    """Whether a file that begins with an object goes on with one on each line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = iter(lambda: file.readline(limits.record_bytes), "")
        first = next((line for line in lines if line.strip()), "")
        rest = file.read(CHUNK)
    # A line may be longer than what was read of it.
    whole = first.endswith("\n") or not rest
    # What cannot be read may still be one bad line among good ones.
    return first.lstrip().startswith("{") and (
        (whole and first.rstrip().endswith("}"))
        or (rest.lstrip().startswith("{") and not first.rstrip().endswith(_GOES_ON))
    )


def read_lines(path: Path, records: Records, limits: Limits) -> None:
    """Take each line as a record; a line that is none is rejected with its reasons."""
    reader = _Reader(limits, "line")
    with path.open("rb") as file:
        for line, written in _lines(file, limits.record_bytes):
            if written is None:
                said = f"line {line} is longer than {limits.record_bytes:,} bytes"
                records.reject(line, "", [Reason("too_long", said, line=line)])
            elif written.strip(b" \t\r\n\xef\xbb\xbf"):
                _take_line(line, written, reader, records)


def _lines(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is too long."""
    line = 0
    while written := file.readline(most):
        line += 1
        if len(written) == most and not written.endswith(b"\n"):
            while written and not written.endswith(b"\n"):
                written = file.readline(most)
            yield line, None
        else:
            yield line, written


def _take_line(line: int, written: bytes, reader: _Reader, records: Records) -> None:
    try:
        text = written.decode("utf-8-sig" if line == 1 else "utf-8").strip(" \t\r\n")
    except UnicodeDecodeError as error:
        said = f"line {line}: byte {error.start + 1} is not UTF-8"
        records.reject(line, repr(written[:200]), [Reason("undecodable", said, line=line)])
        return
    try:
        value, end = reader.read(text, 0)
        if end < len(text):
            raise json.JSONDecodeError("another value follows", text, end)  # noqa: TRY301
    except json.JSONDecodeError as error:
        said = f"line {line}: no JSON from character {error.pos + 1} on ({error.msg})"
        records.reject(line, text, [Reason("bad_json", said, line=line)])
        return
    except RecursionError:
        records.reject(line, text, [reader.too_deep(line)])
        return
    reader.give(records, line, value, text)


def read_array(path: Path, name: str, records: Records, limits: Limits) -> None:
    """Take each element of an array as a record, holding one at a time.

    Raises UploadRefusedError where the text stops being JSON: nothing after it can be trusted.
    """
    reader = _Reader(limits, "record")
    with _opened(path) as file:
        window = _Window(file, limits)
        number = _take_elements(window, reader, name, records)
        _refuse_rest(window, name, number, "array")


def read_wrapped(path: Path, name: str, records: Records, limits: Limits) -> str | None:
    """Take the only array of records in an object, as `{"count": 2, "results": [{…}, {…}]}` has it.

    Gives what there is to say; None if the object has no such array before it stops being JSON.
    Raises UploadRefusedError if it has several, or where the text stops being JSON behind it.
    """
    reader = _Reader(limits, "record")
    key, others, number = None, [], 0
    with _opened(path) as file:
        window = _Window(file, limits)
        window.take("{")
        while not window.at("}"):
            try:
                label = str(window.value(reader)[0])
                window.take(":")
                if not window.at_records():
                    window.value(reader)
                    others.append(label)
                elif key is None:
                    key = label
                    number = _take_elements(window, reader, name, records)
                else:
                    raise _several(name, key, label)
                if not window.at("}"):
                    window.take(",")
            except json.JSONDecodeError as error:
                if key is None:
                    return None
                raise _broken(name, number, error) from None
            except RecursionError:
                return None
        window.take("}")
        if key is None:
            return None
        what = "object; upload an array of records, or one object on each line"
        _refuse_rest(window, name, number, what)
    said = f"the records stand under the key '{printable(key)}'"
    shown = ", ".join(f"'{printable(each)}'" for each in others[:SHOWN_KEYS])
    return f"{said}; what stands beside it is passed over ({shown})" if others else said


def holds_records(path: Path, limits: Limits) -> bool:
    """Whether a file is one object on one line that is there for an array of records.

    An object with a few records in it may be a record itself.
    """
    with _opened(path) as file:
        first = file.readline(limits.record_bytes)
        if file.read(CHUNK).strip():
            return False
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    lists = [each for each in value.values() if isinstance(each, list)]
    long = [each for each in lists if len(each) >= FEWEST_WRAPPED and isinstance(each[0], dict)]
    return len(long) == 1


def _opened(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _take_elements(window: _Window, reader: _Reader, name: str, records: Records) -> int:
    """Give the elements of an array to the records; how many there are."""
    window.take("[")
    number = 0
    while not window.at("]"):
        number += 1
        try:
            value, text = window.value(reader)
            reader.give(records, number, value, text)
            if not window.at("]"):
                window.take(",")
                if window.at("]"):
                    raise json.JSONDecodeError("no record before ']'", "", 0)  # noqa: TRY301
        except json.JSONDecodeError as error:
            raise _broken(name, number, error) from None
        except RecursionError:
            raise UploadRefusedError([reader.too_deep(number)]) from None
    window.take("]")
    return number


def _refuse_rest(window: _Window, name: str, number: int, what: str) -> None:
    if window.rest():
        follows = json.JSONDecodeError(f"something follows the {what}", "", 0)
        raise _broken(name, number, follows)


def _several(name: str, one: str, other: str) -> UploadRefusedError:
    keys = f"'{printable(one)}' and '{printable(other)}'"
    message = f"'{name}' has records under the keys {keys}; upload each array as a file of its own"
    return UploadRefusedError([Reason("several_tables", message)])


def _broken(name: str, number: int, error: json.JSONDecodeError) -> UploadRefusedError:
    near = f" near '{printable(error.doc[error.pos : error.pos + 20])}'" if error.doc else ""
    message = f"'{name}' is damaged JSON at record {number}{near}: {error.msg}"
    return UploadRefusedError([Reason("bad_json", message, line=number)])


class _Window:
    """A sliding piece of a text: what was read of it and not yet taken."""

    def __init__(self, file: TextIO, limits: Limits) -> None:
        self._file = file
        self._most = limits.record_bytes
        self._limits = limits
        self._text = ""
        self._place = 0

    def _more(self) -> bool:
        """Read on, as much again as is held, so that a long value is not tried too often."""
        held = self._text[self._place :]
        more = self._file.read(max(CHUNK, len(held)))
        self._text, self._place = held + more, 0
        return bool(more)

    def _skip_space(self) -> None:
        while True:
            found = _SPACE.match(self._text, self._place)
            self._place = found.end() if found else self._place
            if self._place < len(self._text) or not self._more():
                return

    def at(self, mark: str) -> bool:
        """Whether `mark` comes next."""
        self._skip_space()
        return self._text.startswith(mark, self._place)

    def at_records(self) -> bool:
        """Whether an array comes next whose first element is an object."""
        if not self.at("["):
            return False
        while not (begun := self._text[self._place + 1 :].lstrip(" \t\r\n")[:1]):
            if not self._more():
                return False
        return begun == "{"

    def take(self, mark: str) -> None:
        """Pass over `mark`; raises JSONDecodeError if something else comes."""
        if not self.at(mark):
            missing = "the file ends" if self._place == len(self._text) else f"'{mark}' is missing"
            raise json.JSONDecodeError(missing, self._text, self._place)
        self._place += len(mark)

    def rest(self) -> bool:
        """Whether anything is left."""
        self._skip_space()
        return self._place < len(self._text)

    def value(self, reader: _Reader) -> tuple[Any, str]:
        """The next value and its text."""
        self._skip_space()
        while True:
            try:
                value, end = reader.read(self._text, self._place)
            except json.JSONDecodeError:
                if len(self._text) - self._place > self._most:
                    what = f"a record has more than {self._most:,} characters or is damaged"
                    raise self._limits.refuse("record_bytes", what) from None
                if not self._more():
                    raise
            else:
                text = self._text[self._place : end]
                # A number may go on behind what was read: 1 before .5, or before e-7.
                if end > len(self._text) - 3 and text[-1].isdigit() and self._more():
                    continue
                self._place += len(text)
                return value, text


@dataclass
class _Reader:
    """Reads one JSON value at a time and notes what is wrong in it."""

    limits: Limits
    place: str
    _wrong: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant
        )
        self._spelling = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_int=_integer,
            parse_float=_number,
        )

    def read(self, text: str, start: int) -> tuple[Any, int]:
        """A value and where it ends; raises JSONDecodeError, or RecursionError if it is deep."""
        self._wrong.clear()
        try:
            return self._decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a whole number of more digits than Python reads
            self._wrong.clear()
            return self._spelling.raw_decode(text, start)

    def give(self, records: Records, line: int, value: Any, text: str) -> None:
        """Give a value that was read to the records, flattened; reject it if it is none."""
        reasons = [
            Reason(code, f"{self.place} {line}: {what}", key, line)
            for code, what, key in self._wrong
        ]
        if not isinstance(value, dict):
            what = f"{self.place} {line} is no record: '{shortened(text[:200])}'"
            reasons = [Reason("not_a_record", what, line=line)]
        elif _deeper_than(value, self.limits.json_depth):
            reasons.append(self.too_deep(line))
        if reasons:
            records.reject(line, text, reasons)
            return
        try:
            cells = list(_flat(value))
        except ValueError:
            what = f"{self.place} {line}: a number in a list is beyond what a number can hold"
            records.reject(line, text, [Reason("out_of_range", what, line=line)])
            return
        if any(type(each) is float and math.isinf(each) for _, each in cells):
            cells = list(_flat(self._spelling.raw_decode(text)[0]))
        records.add(line, cells, text)

    def too_deep(self, line: int) -> Reason:
        """Why a value was not taken that is nested too deep."""
        most = self.limits.json_depth
        what = f"is nested deeper than {most} (json_depth of the setting UPLOAD_LIMITS)"
        return Reason("too_deep", f"{self.place} {line} {what}", line=line)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counted = Counter(key for key, _ in pairs)
            self._wrong += [
                ("duplicate_key", f"the key '{printable(key)}' occurs twice", shortened(key))
                for key, count in counted.most_common(10)
                if count > 1
            ]
        return made

    def _constant(self, word: str) -> None:
        self._wrong.append(("not_finite", f"{word} is no JSON value; write null", None))


def _integer(digits: str) -> int | Spelled:
    return int(digits) if len(digits) < 20 else Spelled(digits)  # noqa: PLR2004


def _number(digits: str) -> float | Spelled:
    value = float(digits)
    return value if math.isfinite(value) else Spelled(digits)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Objects inside of a record become columns `outer.inner`; lists stay JSON text.

    Raises ValueError for a list with a number that JSON text cannot hold.
    """
    for key, value in record.items():
        if isinstance(value, dict):
            if value:
                yield from _flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", None
        elif isinstance(value, list):
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False, allow_nan=False)
        else:
            yield f"{prefix}{key}", value


def _deeper_than(value: Any, most: int) -> bool:
    """Whether objects and lists are nested deeper; looks without recursion."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
