"""Results as files: a short JSON and, beside it, the numbers of single materials."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vanhove.results import LONG, json_text, read_result, write_result

NUMBER = st.none() | st.integers(-999, 999).map(lambda n: n / 1000)
SHORT = st.lists(st.text() | st.booleans() | st.integers() | NUMBER, max_size=3)
LONG_LIST = st.tuples(
    st.lists(NUMBER, min_size=1, max_size=3) | st.lists(st.text("ab1-", min_size=1), min_size=1),
    st.integers(LONG + 1, LONG + 3),
).map(lambda drawn: (drawn[0] * drawn[1])[: drawn[1]])


INNER = st.dictionaries(st.text(), SHORT | LONG_LIST, max_size=3)


@given(st.dictionaries(st.text(), SHORT | LONG_LIST | INNER | st.lists(INNER, max_size=2)))
def test_what_is_written_is_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("result") / "result.json"
    write_result(content, path)
    assert read_result(path) == content
    assert json.loads(json_text(content)) == content


def test_the_json_is_short_and_the_same_result_makes_the_same_files(tmp_path):
    content = {
        "ids": [f"material-{number}" for number in range(200)],
        "rows": [
            {"label": str(row), "errors": [0.5 / (1 + n) for n in range(200)]} for row in "ab"
        ],
        "mean": {"mae": 0.25},
    }
    paths = [tmp_path / name / "result.json" for name in ("first", "second")]
    for path in paths:
        write_result(content, path)
    assert len(paths[0].read_text().splitlines()) == 8
    assert len(paths[0].read_bytes()) < 500
    for first, second in zip(*(sorted(path.parent.iterdir()) for path in paths), strict=True):
        assert first.read_bytes() == second.read_bytes()
    (a, *_) = read_result(paths[0])["rows"]
    assert a["errors"][2] == 0.166667  # six digits


def test_nothing_beside_where_all_lists_are_short(tmp_path):
    write_result({"seeds": [0, 1]}, tmp_path / "result.json")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
