"""Rows: every source read right, malformed ones named, nothing twice, nothing held out in train."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from torch_train.data.__main__ import main
from torch_train.data.compact import check_split, compact, hold_out
from torch_train.data.reading import read
from torch_train.data.row import SCHEMA, ContextRow, RowError, context_id, read_rows, write_rows
from torch_train.data.storage import write_table
from torch_train.errors import DataError

ROPES = Path(__file__).parents[3] / "shared" / "data" / "ropes"

SQUAD = {
    "data": [
        {
            "title": "Harbours",
            "paragraphs": [
                {
                    "context": "The harbour froze in 1929.",
                    "qas": [
                        {"id": "1", "question": "When?", "answers": [{"text": "1929"}, {"text": "1929"}]},
                        {"id": "2", "question": "What froze?", "answers": [{"text": "The harbour"}]},
                        {"id": "3", "question": "Who knows?"},  # a published test set keeps its answers back
                    ],
                }
            ],
        }
    ]
}
NOTHING = {"number": "", "spans": [], "date": {"day": "", "month": "", "year": ""}}
DROP = {
    "nfl_1": {
        "passage": "Two ships left on 3 May 1881.",
        "qa_pairs": [
            {"question": "How many ships?", "answer": NOTHING | {"number": "2"}, "validated_answers": []},
            {"question": "When?", "answer": NOTHING | {"date": {"day": "3", "month": "May", "year": "1881"}}},
            {
                "question": "Who?",
                "answer": NOTHING | {"spans": ["Ann", "Bo"]},
                "validated_answers": [NOTHING | {"spans": ["Bo"]}, NOTHING],
            },
        ],
    }
}


def _save(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), "utf-8")
    return path


def _lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def _row(context: str, *questions: str, source: str = "own") -> ContextRow:
    return ContextRow(context, questions, ((),) * len(questions), source)


def _prepare(*arguments: object) -> None:
    main(["prepare", *map(str, arguments)])


@pytest.mark.skipif(not ROPES.exists(), reason="needs ../shared: the published ROPES is not committed")
def test_real_ropes(tmp_path: Path) -> None:
    train = read(f"ropes={ROPES / 'train-v1.0.json'}", "train")
    dev = read(f"ropes={ROPES / 'dev-v1.0.json'}", "dev")
    assert (train.total, len(train.rows), train.bad) == (1412, 1412, [])
    assert (dev.total, len(dev.rows), dev.bad) == (203, 203, [])
    assert sum(len(row.questions) for row in train.rows) == 10924
    assert sum(len(row.questions) for row in dev.rows) == 1688
    first = train.rows[0]
    assert first.questions[0] == "Which cup has a higher concentration of sugar?"
    assert first.answers[0] == ("cup B",)
    assert first.context.startswith("Passive transport occurs")
    assert "A man put two cups" in first.context
    contexts = compact(train.rows)
    assert len(contexts) == 1404  # eight situations are there twice, but for white space and letter case
    check_split(contexts, dev.rows)
    write_rows(tmp_path / "rows.parquet", contexts)
    assert read_rows(tmp_path / "rows.parquet") == contexts


def test_published_squad_and_its_hub_columns_give_the_same_row(tmp_path: Path) -> None:
    published = read(f"squad={_save(tmp_path / 'dev.json', SQUAD)}", "dev").rows
    paragraph = SQUAD["data"][0]["paragraphs"][0]
    flat = [
        {
            "context": paragraph["context"],
            "question": qa["question"],
            "answers": {"text": [answer["text"] for answer in qa.get("answers", ())], "answer_start": [21]},
        }
        for qa in paragraph["qas"]
    ]
    assert compact(read(f"squad={_lines(tmp_path / 'dev.jsonl', *flat)}", "dev").rows) == published
    assert published == [
        ContextRow(
            "The harbour froze in 1929.",
            ("When?", "What froze?", "Who knows?"),
            (("1929",), ("The harbour",), ()),
            "squad",
        )
    ]


def test_drop_has_numbers_dates_and_several_spans(tmp_path: Path) -> None:
    (row,) = read(f"drop={_save(tmp_path / 'drop.json', DROP)}", "dev").rows
    assert row.answers == (("2",), ("3 May 1881",), ("Ann, Bo", "Bo"))
    flat = {"passage": "Two ships.", "question": "How many?", "answers_spans": {"spans": ["2", "two", "2"]}}
    assert read(f"drop={_lines(tmp_path / 'drop.jsonl', flat)}", "dev").rows[0].answers == (("2", "two"),)


def test_pwc_fineweb_and_documents(tmp_path: Path) -> None:
    path = _lines(tmp_path / "pwc.jsonl", {"input": "A text.", "prompt": "Summarise.", "answer": "Text."})
    assert read(f"pwc={path}", "train").rows == [ContextRow("A text.", ("Summarise.",), (("Text.",),), "pwc")]
    path = _lines(tmp_path / "web.jsonl", {"text": "A page.", "score": 3.1})
    assert read(f"fineweb={path}", "train").rows == [ContextRow("A page.", (), (), "fineweb")]
    assert read(f"documents={path}", "train").rows == [ContextRow("A page.", (), (), "documents")]


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"question": "When?", "answer": "1929"}, (("1929",),)),
        ({"question": "When?", "answers": ["1929", "in 1929"]}, (("1929", "in 1929"),)),
        ({"question": "When?"}, ((),)),
        ({"questions": ["When?", "Where?"], "answers": ["1929", "here"]}, (("1929",), ("here",))),
        ({"questions": ["When?", "Where?"], "answers": [["1929", "then"], None]}, (("1929", "then"), ())),
        ({"questions": ["When?", "Where?"]}, ((), ())),
    ],
)
def test_own_rows_may_be_written_in_many_ways(tmp_path: Path, record: dict, answers: tuple) -> None:
    rows = read(f"own={_lines(tmp_path / 'own.jsonl', {'context': 'It froze.'} | record)}", "train").rows
    assert rows[0].answers == answers


def test_own_rows_from_a_folder_of_parquet(tmp_path: Path) -> None:
    rows = [_row("One.", "What?"), _row("Two.", "Why?", source="niah/64/0.50")]
    for index, row in enumerate(rows):
        write_rows(tmp_path / f"shard-{index}.parquet", [row])
    assert read(f"own={tmp_path}", "train").rows == rows


def test_malformed_rows_are_named_by_line(tmp_path: Path) -> None:
    good = [{"context": f"Text {i}.", "question": "What?"} for i in range(297)]
    path = _lines(tmp_path / "own.jsonl", *good[:10], {"question": "Of what?"}, *good[10:])
    with path.open("ab") as file:
        file.write(b'{"context": "cut\n\n{"context": "\xff", "question": "?"}\n')
    reading = read(f"own={path}", "train")
    assert len(reading.rows) == 297
    assert reading.total == 300
    assert [line.split(": ")[0] for line in reading.bad] == ["own.jsonl:11", "own.jsonl:299", "own.jsonl:301"]
    assert reading.bad[0] == "own.jsonl:11: no text under 'context'"


def test_more_than_one_percent_malformed_is_refused(tmp_path: Path) -> None:
    path = _lines(tmp_path / "own.jsonl", *[{"context": "A.", "question": "B?"}] * 98, {}, {"context": "A."}, 7)
    with pytest.raises(DataError, match=r"2 of 101 rows are malformed.*own\.jsonl:99: .*own\.jsonl:101: "):
        read(f"own={path}", "train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("triviaqa", "no source is called 'triviaqa': choose from squad, drop"),
        ("own", "own needs a file: write own=FILE"),
        ("squad=missing.json", "missing.json does not exist"),
        ("own={}/data.json", "own is read from JSONL or parquet"),
        ("own={}/data.jsonl", "nothing to read"),
        ("own={}/data.parquet", "not a complete parquet file"),
        ("squad={}/data.json", "is not squad in its published format: no list under 'data'"),
        ("drop={}/data.json", "is not drop in its published format: no object with passages"),
        ("own={}", "data.parquet is not a complete parquet file"),
    ],
)
def test_a_source_that_cannot_be_read(tmp_path: Path, arguments: str, message: str) -> None:
    (tmp_path / "data.json").write_text("[1]")
    (tmp_path / "data.jsonl").write_text("\n")
    (tmp_path / "data.parquet").write_text("PAR1")
    with pytest.raises(DataError, match=message):
        read(arguments.format(tmp_path), "train")


def test_the_hub_is_asked_for_an_exact_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments, **options):
        asked.append((arguments, options))
        return [{"background": "B.", "situation": "S.", "question": "Q?", "answers": {"text": ["A"]}}] * 5

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    reading = read("ropes", "dev", limit=2)
    assert reading.rows == [ContextRow("B.\n\nS.", ("Q?",), (("A",),), "ropes")] * 2
    ((arguments, options),) = asked
    assert arguments == ("allenai/ropes", None)
    assert options["split"] == "validation"
    assert len(options["revision"]) == 40
    assert "trust_remote_code" not in options
    with pytest.raises(DataError, match="sggetao/PwC has no dev split, only train, test"):
        read("pwc", "dev")


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*arguments, **options):
        raise ConnectionError("no route")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(DataError, match=r"no route.*go online, or pass squad=FILE"):
        read("squad", "train")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("  ", ("Q?",), ((),)), "an empty context"),
        (("C", ("Q?", " "), ((), ())), "an empty question"),
        (("C", ("Q?",), ()), "1 questions, answers to 0"),
        ((None, (), ()), "NoneType instead of text"),
    ],
)
def test_a_row_that_is_none(parts: tuple, message: str) -> None:
    with pytest.raises(RowError, match=message):
        ContextRow(*parts, "own")
    with pytest.raises(RowError, match="int instead of text"):
        ContextRow("C", (), (), 7)
    with pytest.raises(RowError, match="niah/TOKENS/DEPTH is kept for needles"):
        ContextRow("C", (), (), "niah/abc")


def test_half_a_character_does_not_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"context": "A \\ud800 b", "question": "C?"}')
    rows = read(f"own={path}", "train").rows
    write_rows(tmp_path / "rows.parquet", rows)
    assert read_rows(tmp_path / "rows.parquet") == rows


def test_context_id_ignores_form_not_content() -> None:
    assert context_id("The  Harbour\nfroze") == context_id("the harbour froze ") == context_id("\uff54he harbour froze")
    assert context_id("the harbour froze") != context_id("the harbour froze.")


def test_compact_joins_questions_and_answers_across_sources() -> None:
    rows = [
        ContextRow("A text.", ("One?", "Two?"), (("1",), ("2",)), "squad"),
        _row("Other.", "One?"),
        ContextRow("a  text.", ("Two?", "Three?"), (("two", "2"), ()), "pwc"),
    ]
    assert compact(rows) == [
        ContextRow("A text.", ("One?", "Two?", "Three?"), (("1",), ("2", "two"), ()), "squad"),
        rows[1],
    ]


def test_hold_out_goes_by_context_alone() -> None:
    rows = [_row(f"Text {i}.", "What?") for i in range(1000)]
    kept, held = hold_out(rows, 0.1)
    assert 60 < len(held) < 140
    assert sorted(row.id for row in kept + held) == sorted(row.id for row in rows)
    assert hold_out(rows[::-1], 0.1)[1] == held[::-1]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["prepare", "{}"], "nothing to prepare: name a source after --train"),
        (["prepare", "{}", "--train", "own={}/own.jsonl", "--dev-share", "1"], "the share to hold out must be"),
        (["niah", "{}/n.parquet", "--tokenizer", "{}/words", "--shortest", "300"], "needles of 300 to 256 tokens"),
        (["niah", "{}/n.parquet", "--tokenizer", "{}"], "has no usable tokenizer: "),
        (
            ["questions", "{}/none.parquet", "{}/q", "--model", "{}"],
            "none.parquet is missing or not a complete",
        ),
    ],
)
def test_a_command_that_cannot_run_says_why_in_one_line(
    words_folder: Path, tmp_path: Path, command: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _lines(tmp_path / "own.jsonl", {"context": "A.", "question": "B?"})
    (tmp_path / "words").symlink_to(words_folder)
    with pytest.raises(SystemExit) as stopped:
        main([part.format(tmp_path) for part in command])
    assert stopped.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("command", ["prepare", "niah", "questions"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: python -m torch_train.data" in capsys.readouterr().out


def test_held_out_contexts_in_train_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = _lines(tmp_path / "train.jsonl", *({"context": f"Text {i}.", "question": "Q?"} for i in range(3)))
    dev = _lines(tmp_path / "dev.jsonl", {"context": "text 1.", "question": "R?"})
    arguments = (tmp_path / "rows", "--train", f"own={train}", "--dev", f"own={dev}")
    with pytest.raises(SystemExit) as stopped:
        _prepare(*arguments)
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "1 contexts of dev or test are also in train, such as own" in told
    assert "'Text 1.'" in told
    assert not (tmp_path / "rows").exists()
    _prepare(*arguments, "--drop-leaks")
    assert [row.context for row in read_rows(tmp_path / "rows" / "train.parquet")] == ["Text 0.", "Text 2."]
    assert [row.questions for row in read_rows(tmp_path / "rows" / "dev.parquet")] == [("R?",)]


def test_prepare_reports_what_it_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squad = _save(tmp_path / "squad.json", SQUAD)
    own = _lines(tmp_path / "own.jsonl", *({"context": f"Text {i}.", "question": "Q?"} for i in range(100)))
    _prepare(tmp_path / "rows", "--train", f"squad={squad}", f"own={own}", "--dev-share", 0.2)
    out = capsys.readouterr().out
    assert f"train own={own}: 100 of 100 rows" in out
    splits = [read_rows(tmp_path / "rows" / f"{name}.parquet") for name in ("train", "dev", "test")]
    assert len(splits[0]) + len(splits[1]) == 101
    assert len(splits[1]) > 5
    assert splits[2] == []


def test_rows_of_something_else_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="has the columns a, not id, context"):
        read_rows(tmp_path / "x.parquet")


def test_a_table_with_nothing_in_a_column(tmp_path: Path) -> None:
    record = {"id": "1", "context": "A.", "questions": None, "answers": [["a"]], "source": "own"}
    write_table(tmp_path / "a.parquet", pa.Table.from_pylist([record], schema=SCHEMA))
    with pytest.raises(DataError, match="holds a row that cannot be used"):
        read_rows(tmp_path / "a.parquet")
