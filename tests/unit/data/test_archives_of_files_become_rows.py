"""An archive of pictures, recordings or texts becomes a row for each file, labelled by folder."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from PIL import Image

from evergreen.data import collection
from evergreen.data.ingestion import ingest
from evergreen.media.picture_numbers import NAMES as OF_PICTURES
from evergreen.media.sound_numbers import NAMES as OF_SOUNDS
from tests.unit.data.uploads import Uploader
from tests.unit.media.files import picture, recording

PACKAGE = Path(__file__).parents[3] / "layers/evergreen/python"


def packed(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def rows(uploader: Uploader, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM '{uploader.destination}'").fetchall()


def reasons_by_file(uploader: Uploader) -> dict[str, list[str]]:
    return {
        raw: [reason["message"] for reason in reasons] for _, raw, reasons in uploader.bad_rows()
    }


def test_pictures_are_labelled_by_their_folder(uploader: Uploader) -> None:
    made = uploader.take(
        packed({"all/cat/1.png": picture(), "all/dog/1": picture(form="JPEG"), "2.png": picture()})
    )
    assert made.schema.names == ("file", "label", *OF_PICTURES)
    assert rows(uploader, 'file, label, "image.brightness" > 0') == [
        ("all/cat/1.png", "cat", True),
        ("all/dog/1", "dog", True),
        ("2.png", None, True),
    ]


def test_recordings_are_labelled_by_their_folder(uploader: Uploader) -> None:
    forms = ("WAV", "FLAC", "OGG")
    made = uploader.take(packed({f"{form}/tone": recording(form=form) for form in forms}))
    assert made.schema.names == ("file", "label", *OF_SOUNDS)
    assert rows(uploader, 'label, "audio.seconds"') == [(form, 0.5) for form in forms]


def test_texts_are_labelled_by_their_folder_in_whatever_encoding(uploader: Uploader) -> None:
    texts = {
        "good/1.txt": "\ufeffTrès bien,\nmerci".encode(),
        "bad/1.txt": "mauvais goût".encode("cp1252"),
        "bad/2.txt": "pas bon".encode("utf-16"),
        "bad/empty.txt": "",
    }
    made = uploader.take(packed(texts))
    assert made.quarantined_rows == 0
    assert made.notes == ("in 1 files the text is not UTF-8 and is read as Windows-1252",)
    assert rows(uploader, "label, text") == [
        ("good", "Très bien,\nmerci"),
        ("bad", "mauvais goût"),
        ("bad", "pas bon"),
        ("bad", None),
    ]


def test_what_is_damaged_is_quarantined_by_name_and_the_rest_is_taken(uploader: Uploader) -> None:
    files: dict[str, str | bytes] = {f"a/{i}.png": picture() for i in range(12)}
    files |= {"a/cut.png": picture()[:100], "read me.md": "# Pictures"}
    made = uploader.take(packed(files))
    assert (made.rows, made.quarantined_rows) == (12, 2)
    assert made.rows + made.quarantined_rows == len(files)
    found = reasons_by_file(uploader)
    (cut,) = found["a/cut.png"]
    assert cut.startswith("'a/cut.png' is a damaged picture: ")
    assert found["read me.md"] == ["'read me.md' is no PNG or JPEG picture"]


def test_a_member_that_cannot_be_unpacked_is_quarantined_alone(uploader: Uploader) -> None:
    content = bytearray(packed({f"a/{i}.png": picture() for i in range(9)}))
    place = content.index(b"a/4.png") + 60
    content[place : place + 20] = bytes(20)
    made = uploader.take(bytes(content))
    assert (made.rows, made.quarantined_rows) == (8, 1)
    ((message,),) = reasons_by_file(uploader).values()
    assert message.startswith("'a/4.png' in 'people.csv' is damaged: ")


def test_a_manifest_says_more_than_folders(uploader: Uploader) -> None:
    manifest = 'Path;label;age;born\n1.png;"a;b";7;2020-01-02\nsub\\2.png;c;8;2020-01-03\n'
    made = uploader.take(
        packed({"x/list.csv": manifest, "x/1.png": picture(), "x/sub/2.png": picture()})
    )
    kinds = {column.name: column.type for column in made.schema.columns[:4]}
    assert kinds == {"file": "text", "age": "integer", "born": "date", "label": "text"}
    assert rows(uploader, "file, label, age, born::VARCHAR") == [
        ("x/1.png", "a;b", 7, "2020-01-02"),
        ("x/sub/2.png", "c", 8, "2020-01-03"),
    ]


def test_labels_of_a_manifest_take_the_place_of_folders_in_any_case(uploader: Uploader) -> None:
    made = uploader.take(packed({"m.csv": "File,Label\na/1.png,cat\n", "a/1.png": picture()}))
    assert made.schema.names[:2] == ("file", "Label")
    assert rows(uploader, '"Label"') == [("cat",)]


def test_files_and_lines_of_the_manifest_that_do_not_meet_are_said(uploader: Uploader) -> None:
    files: dict[str, str | bytes] = {f"{i}.png": picture() for i in range(12)}
    lines = "".join(f"{i}.png,{i}\n" for i in range(1, 12))
    files["m.csv"] = f"file,size\n{lines}gone.png,5\n3.png,9\n"
    made = uploader.take(packed(files))
    assert (made.rows, made.quarantined_rows) == (12, 2)
    assert reasons_by_file(uploader) == {
        "gone.png": ["'gone.png' is in line 13 of 'm.csv' and not in the archive"],
        "3.png": ["'3.png' is in line 14 of 'm.csv' again; each file is listed once"],
    }
    assert "1 files are not in 'm.csv': its columns are missing there" in made.warnings
    assert rows(uploader, "file, size")[:2] == [("0.png", None), ("1.png", 1)]


@pytest.mark.parametrize(
    "named",
    [
        *("1.png", "1", "all/1.png", "all\\1.png", " all/1.png ", "./all/1.png", "ALL/1.PNG"),
        *("C:\\photos\\all\\1.png", "/home/ann/All/1.png"),
    ],
)
def test_a_manifest_may_name_files_as_its_owner_does(uploader: Uploader, named: str) -> None:
    files = {"m.csv": f"y,image id\n7,{named}\n", "all/1.png": picture(), "2.png": picture()}
    assert uploader.take(packed(files)).quarantined_rows == 0
    assert rows(uploader, "file, y") == [("all/1.png", 7), ("2.png", None)]


def test_a_name_that_several_files_have_is_none_of_them(uploader: Uploader) -> None:
    files: dict[str, str | bytes] = {f"{i}/a.png": picture() for i in range(9)}
    files["m.csv"] = "y,file\n7,a.png\n8,0/a.png\n"
    uploader.take(packed(files))
    assert list(reasons_by_file(uploader)) == ["a.png"]
    assert rows(uploader, "y")[:2] == [(8,), (None,)]


def test_a_path_that_is_right_to_the_letter_is_right_first(uploader: Uploader) -> None:
    files = {"m.csv": "y,file\n7,a/1.png\n8,A/1.png\n", "a/1.png": picture()}
    files |= {"A/1.png": picture(), "b/1.PNG": picture()}
    assert uploader.take(packed(files)).quarantined_rows == 0
    assert rows(uploader, "file, y") == [("a/1.png", 7), ("A/1.png", 8), ("b/1.PNG", None)]


def test_a_file_of_another_folder_is_not_meant(uploader: Uploader) -> None:
    files: dict[str, str | bytes] = {f"cat/{i}.png": picture() for i in range(9)}
    files["m.csv"] = "y,file\n7,dog/1.png\n8,cat/2.png\n"
    uploader.take(packed(files))
    assert list(reasons_by_file(uploader)) == ["dog/1.png"]
    assert rows(uploader, "y")[1:3] == [(None,), (8,)]


@pytest.mark.parametrize(
    "litter", ["a/.thumbs/1.png", "a\\THUMBS.DB", "@eaDir/1.png", "__MACOSX/a/1.png", "./.git/x"]
)
def test_what_systems_leave_in_archives_is_no_file_of_theirs(
    uploader: Uploader, litter: str
) -> None:
    made = uploader.take(packed({litter: picture(), "./a/1.png": picture()}))
    assert made.quarantined_rows == 0
    assert rows(uploader, "label, count(*) OVER ()") == [("a", 1)]


def test_a_line_of_a_manifest_that_does_not_fit_its_header_shifts_nothing(
    uploader: Uploader,
) -> None:
    files: dict[str, str | bytes] = {f"{i}.png": picture() for i in range(12)}
    lines = "".join(f"{i}.png,{i},a\n" for i in range(2, 12))
    files["m.csv"] = f"file,y,z\n{lines}0.png,7\n1.png,7,8,9\n"
    made = uploader.take(packed(files))
    assert (made.rows, made.quarantined_rows) == (10, 2)
    assert reasons_by_file(uploader) == {
        "0.png": ["'0.png' is in line 12 of 'm.csv', which has 2 values and the header 3"],
        "1.png": ["'1.png' is in line 13 of 'm.csv', which has 4 values and the header 3"],
    }


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('7,"a,3.png', "broken_quote", "line 5 has a quote that is not closed"),
        ("7", "ragged_row", "line 5 has 1 values and the header 3"),
    ],
)
def test_a_line_of_a_manifest_that_names_no_file_is_a_bad_row(
    uploader: Uploader, line: str, code: str, said: str
) -> None:
    files: dict[str, str | bytes] = {f"{i}.png": picture() for i in range(30)}
    lines = [f"{i},a,{i}.png\n" for i in range(30)]
    lines[3] = line + "\n"
    made = uploader.take(packed(files | {"m.csv": "y,z,file\n" + "".join(lines)}))
    assert (made.rows, made.quarantined_rows) == (30, 1)
    ((at, raw, (reason,)),) = uploader.bad_rows()
    assert (at, raw, reason["code"]) == (5, line, code)
    assert f"in 'm.csv', {said}" in reason["message"]
    assert "1 files are not in 'm.csv': its columns are missing there" in made.warnings


@pytest.mark.parametrize(
    ("line", "held", "said"),
    [
        (b"3.png,caf\xe9", "3.png", "'3.png' is in line 5 of 'm.csv', which is not UTF-8 text"),
        (b"3\xe9.png,a", "3\ufffd.png,a", "in 'm.csv', line 5 is not UTF-8 text"),
    ],
)
def test_a_line_of_a_manifest_that_is_no_text_labels_nothing(
    uploader: Uploader, line: bytes, held: str, said: str
) -> None:
    files: dict[str, str | bytes] = {f"{i}.png": picture() for i in range(30)}
    lines = [f"{i}.png,café {i}".encode() for i in range(30)]
    lines[3] = line
    made = uploader.take(packed(files | {"m.csv": b"file,label\n" + b"\n".join(lines)}))
    assert made.quarantined_rows == 1
    assert reasons_by_file(uploader) == {held: [said]}
    labels = [label for (label,) in rows(uploader, "label") if label]
    assert labels == [f"café {i}" for i in range(30) if i != 3]


def test_a_manifest_whose_header_is_no_text_is_refused_with_its_line(uploader: Uploader) -> None:
    content = "\n\nfile,caf?,é\n1.png,é,é\n".encode().replace(b"?", b"\xe9")
    (reason,) = uploader.refused(packed({"1.png": picture(), "m.csv": content}))
    assert (reason.code, reason.line) == ("undecodable", 3)
    assert r"the name of column 2 is not UTF-8 text: 'caf\udce9'" in reason.message


@pytest.mark.parametrize(
    "manifest",
    [
        'file,z\n{i}.png,"say ""hi"", {i}"\n',
        'file,z\n{i}.png,"say \\"hi\\", {i}"\n',
        'file, z\n{i}.png, "say ""hi"", {i}"\n',
        "'file','z'\n'{i}.png','say \"hi\", {i}'\n".replace('"', "''"),
        '"file\nof it",z\n{i}.png,"say ""hi"", {i}"\n',
        'Labels\n\nfile,z,y\n{i}.png,"say ""hi"", {i}",7\n',
        'file,z\n{i}.png,"say ""hi"", {i}",\n',
    ],
)
def test_a_manifest_is_divided_like_any_table(uploader: Uploader, manifest: str) -> None:
    *head, last = manifest.splitlines(keepends=True)
    content = "".join(head) + "".join(last.replace("{i}", str(i)) for i in range(9))
    files: dict[str, str | bytes] = {f"{i}.png": picture() for i in range(9)}
    made = uploader.take(packed(files | {"m.csv": content}))
    assert (made.rows, made.quarantined_rows) == (9, 0)
    said = [text.replace("'", '"') for (text,) in rows(uploader, "z")]
    assert said == [f'say "hi", {i}' for i in range(9)]
    assert any("'m.csv': " in each for each in made.warnings) == manifest.startswith("Labels")


def test_a_folder_may_have_any_name(uploader: Uploader) -> None:
    folders = ["NA", "null", "?", "猫", 'o\'brien "x"', "a,b", " spaced ", "1"]
    uploader.take(packed({f"{name}/1.png": picture() for name in folders}))
    assert [label for (label,) in rows(uploader, "label")] == [each.strip() for each in folders]


def test_columns_of_a_manifest_do_not_hide_those_of_files(uploader: Uploader) -> None:
    uploader.take(packed({"m.csv": "name,file\n1.png,x\n", "1.png": picture()}))
    assert rows(uploader, 'file, "file in the manifest"') == [("1.png", "x")]


def test_a_manifest_without_files_is_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused(packed({"m.csv": "who,y\nx.png,2\n", "1.png": picture()}))
    assert reason.message == (
        "the manifest 'm.csv' has no column that names files of the archive, in columns 'who', 'y'"
    )


def test_nothing_but_damage_is_refused_whole(uploader: Uploader) -> None:
    first, *others = uploader.refused(packed({"a.png": picture()[:99], "b.png": picture()[:99]}))
    assert first.message == "'people.csv' holds no PNG or JPEG picture that can be read"
    assert len(others) == 2


def test_limits_are_those_of_the_upload(uploader: Uploader) -> None:
    bomb = picture(Image.new("1", (20_000, 20_000)))
    made = uploader.take(packed({"bomb.png": bomb} | {f"{i}.png": picture() for i in range(9)}))
    assert (made.rows, made.quarantined_rows) == (9, 1)
    assert reasons_by_file(uploader)["bomb.png"] == [
        "'bomb.png' has more than 50,000,000 pixels; make it smaller"
    ]


def test_members_that_lead_out_of_the_archive_are_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused(packed({"../../etc/1.png": picture(), "2.png": picture()}))
    assert reason.code == "odd_member"


def test_several_tables_are_no_collection(uploader: Uploader) -> None:
    (reason,) = uploader.refused(packed({"a.csv": "x\n1\n", "b.csv": "x\n2\n"}))
    assert reason.code == "several_tables"


def test_where_pictures_cannot_be_opened_that_is_said(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evergreen.media.picture_numbers", None)
    (reason,) = uploader.refused(packed({"1.png": picture()}))
    assert reason.message == "'people.csv' holds no table, which is needed here"


def test_a_picture_by_itself_is_a_row_labelled_by_its_folder(tmp_path: Path) -> None:
    source, made = tmp_path / "source", tmp_path / "rows.parquet"
    for content, columns in ((picture(), OF_PICTURES), (recording(), OF_SOUNDS)):
        source.write_bytes(content)
        part = ingest(source, "cat/tom", made)
        assert part.schema.names == ("file", "label", *columns)
        with duckdb.connect() as connection:
            assert connection.execute(f"SELECT file, label FROM '{made}'").fetchall() == [
                ("cat/tom", "cat")
            ]


def test_a_damaged_picture_by_itself_is_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused(picture()[:100])
    assert reason.message.startswith("'people.csv' is a damaged picture: ")


def test_tables_are_read_without_the_libraries_that_open_pictures() -> None:
    probe = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import {collection.__name__}, "
        "evergreen.data.rows; print('PIL' in sys.modules, 'soundfile' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
