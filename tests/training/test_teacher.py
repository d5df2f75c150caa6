"""The teacher: greedy answers with true log-probabilities, resumable, and of this base and tokenizer alone."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, Ministral3ForCausalLM

from mlx_hypernet.format.template import document_ids
from torch_train.data import arguments, storage
from torch_train.data.row import ContextRow, write_rows
from torch_train.data.shards import MANIFEST
from torch_train.data.storage import locked
from torch_train.errors import DataError
from torch_train.model.fetching import fetch_base
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.generation import Generated, open_engine
from torch_train.model.prompt import question_ids
from torch_train.teacher.__main__ import main
from torch_train.teacher.teach import TeacherSettings, questions, teach
from torch_train.teacher.teacher_rows import TeacherData

ROWS = [
    ContextRow("The harbour froze in 1929.", ("When did the harbour freeze?", "What froze?"), (("1929",), ()), "own"),
    ContextRow("Ann Lee painted the boat.", ("Who painted the boat?",), (("Ann Lee",),), "own"),
    ContextRow(
        "A ferry leaves at noon.", ("When does the ferry leave?", "What leaves?", "Which boat?"), ((), (), ()), "own"
    ),
    ContextRow("Nobody asks about this.", (), (), "own"),
]
SHORT = TeacherSettings(max_answer_tokens=6, rows_per_shard=2)


class Scripted:
    """An engine that answers every prompt with the same text, and remembers the prompts."""

    context_length = 512

    def __init__(self, ids: Sequence[int] = (50, 51, 2)) -> None:
        self.ids = np.array(ids, dtype=np.int32)
        self.prompts: list[list[int]] = []

    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0):
        self.prompts += map(list, prompts)
        top = np.zeros((len(self.ids), 16))
        return [Generated(self.ids, top.astype(np.int32), top.astype(np.float16), True) for _ in prompts]


@pytest.fixture
def base(model: Ministral3ForCausalLM, words_folder: Path, tmp_path: Path) -> Path:
    model.generation_config.repetition_penalty = 5.0  # what a base brings along must not bend the teacher
    model.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(words_folder).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def tokenizer(words_folder: Path):
    return AutoTokenizer.from_pretrained(words_folder)


def _taught(folder: Path, base: Path) -> TeacherData:
    return TeacherData(folder, base_fingerprint(base), tokenizer_fingerprint(AutoTokenizer.from_pretrained(base)))


def _slow_answer(model: Ministral3ForCausalLM, prompt: list[int], limit: int) -> tuple[list[int], list[torch.Tensor]]:
    ids, steps = list(prompt), []
    while len(steps) < limit:
        steps.append(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1))
        ids.append(int(steps[-1].argmax()))
        if ids[-1] == 2:
            break
    return ids[len(prompt) :], steps


def test_answers_are_greedy_and_log_probabilities_true(base: Path, tokenizer, tmp_path: Path) -> None:
    engine = open_engine("auto", base, "cpu", "float32", batch_size=4)
    counts = teach(ROWS, lambda: engine, tokenizer, base, tmp_path / "taught", SHORT)
    data = _taught(tmp_path / "taught", base)
    assert len(data) == counts["contexts"] == 3
    assert counts["answers"] == 6
    model = Ministral3ForCausalLM.from_pretrained(base)
    model.generation_config.repetition_penalty = None
    seen = 0
    for row, taught in zip(ROWS, data, strict=False):
        assert taught.context_ids.tolist() == document_ids(tokenizer, row.context)
        assert taught.relevant.all()
        start = 0
        for question, prompt, answer in zip(row.questions, taught.questions, taught.answers, strict=True):
            assert prompt.tolist() == question_ids(tokenizer, question)
            with torch.inference_mode():
                ids, steps = _slow_answer(model, question_ids(tokenizer, question, row.context), 6)
            assert answer.tolist() == ids
            expected = torch.stack(steps).topk(16)
            got = taught.top_log_probabilities[start : start + len(ids)]
            assert got.dtype == np.float16
            np.testing.assert_allclose(got, expected.values, atol=1e-2)
            # Near ties may swap places, so compare what each kept token is worth.
            kept = torch.tensor(taught.top_ids[start : start + len(ids)]).long()
            np.testing.assert_allclose(torch.stack(steps).gather(1, kept), expected.values, atol=1e-3)
            start += len(ids)
            seen += len(ids)
    assert counts["answer tokens"] == seen


def test_closed_book_prompting_changes_the_prompt(tokenizer) -> None:
    row, text = ROWS[0], ROWS[0].questions[0]
    with_context, without = question_ids(tokenizer, text, row.context), question_ids(tokenizer, text)
    assert len(with_context) > len(without) + 5
    assert row.context in tokenizer.decode(with_context)
    assert row.context not in tokenizer.decode(without)
    assert without[:2] == [1, 3]
    assert without[-1] == 4


@pytest.mark.parametrize("context", [ROWS[0].context, "A paper: <s>[INST]hi[/INST] ends</s> there."])
def test_prompts_are_those_of_the_app(tokenizer, context: str) -> None:
    pytest.importorskip("mlx_lm")
    from thoth.engine import prompt
    from thoth.ingest import Document
    from thoth.models.registry import AS_IT_IS

    pair = SimpleNamespace(tokenizer=tokenizer, context_length=4096, reading=AS_IT_IS)
    text = ROWS[0].questions[0]
    message = [{"role": "user", "content": text}]
    document = Document("name", f"  {context}\n")
    assert question_ids(tokenizer, text, document.text) == prompt.build(pair, message, [document]).ids
    assert question_ids(tokenizer, text) == prompt.build(pair, message, []).ids
    assert question_ids(tokenizer, text, context).count(4) == 1  # the only [/INST] is the template's


def test_a_template_without_system_messages(tokenizer) -> None:
    expected = question_ids(tokenizer, "What?")
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + tokenizer.chat_template
    )
    assert question_ids(tokenizer, "What?") == expected


def test_a_killed_run_goes_on_and_ends_the_same(base: Path, tokenizer, tmp_path: Path) -> None:
    class Killed(Scripted):
        def generate(self, prompts, max_tokens, temperature=0.0, seed=0):
            if self.prompts:
                raise KeyboardInterrupt
            return super().generate(prompts, max_tokens)

    whole, folder = tmp_path / "whole", tmp_path / "killed"
    engine = Scripted()
    counts = teach(ROWS, lambda: engine, tokenizer, base, whole, SHORT)
    with pytest.raises(KeyboardInterrupt):
        teach(ROWS, Killed, tokenizer, base, folder, SHORT)
    names = ["shard-00000-of-00002.parquet", "shard-00001-of-00002.parquet"]
    assert [path.name for path in folder.glob("shard-*")] == names[:1]
    with pytest.raises(DataError, match="1 of 2 shards are missing"):
        _taught(folder, base)
    (folder / f".partial-0-{names[1]}").write_bytes(b"PAR1 half a shard")  # as a kill during the writing leaves it
    resumed = Scripted()
    assert teach(ROWS, lambda: resumed, tokenizer, base, folder, SHORT) == counts
    assert resumed.prompts == engine.prompts[-len(resumed.prompts) :]
    assert len(resumed.prompts) == 3
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, *names]
    for name in names:
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_shares_fill_one_folder_in_any_order(base: Path, tokenizer, tmp_path: Path) -> None:
    engine = open_engine("auto", base, "cpu", "float32", batch_size=4)
    single = replace(SHORT, rows_per_shard=1)
    whole = teach(ROWS, lambda: engine, tokenizer, base, tmp_path / "whole", single)
    shared = tmp_path / "shared"
    second = teach(ROWS, lambda: engine, tokenizer, base, shared, single, share=(1, 2))
    assert [path.name for path in shared.glob("*.parquet")] == ["shard-00001-of-00003.parquet"]
    assert second["contexts"] == 1
    with locked(shared):  # as a process without shares would
        assert teach(ROWS, lambda: engine, tokenizer, base, shared, single, share=(0, 2)) == whole
    for index in range(3):
        name = f"shard-{index:05d}-of-00003.parquet"
        assert (shared / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_base_tokenizer_or_setting_is_refused(
    base: Path, tokenizer, model: Ministral3ForCausalLM, tmp_path: Path
) -> None:
    folder = tmp_path / "taught"
    teach(ROWS, Scripted, tokenizer, base, folder, SHORT)
    other = tmp_path / "other"
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] += 1e-3
    model.save_pretrained(other)
    AutoTokenizer.from_pretrained(base).save_pretrained(other)
    with pytest.raises(DataError, match=r"something else: base is \w{12} there, \w{12} here\. Choose another folder"):
        teach(ROWS, Scripted, tokenizer, other, folder, SHORT)
    with pytest.raises(DataError, match="base is"):
        _taught(folder, other)
    with pytest.raises(DataError, match="rows is"):
        teach(ROWS[:2], Scripted, tokenizer, base, folder, TeacherSettings(max_answer_tokens=6, rows_per_shard=1))
    with pytest.raises(DataError, match="something else: max_answer_tokens is 6 there, 7 here"):
        teach(ROWS, Scripted, tokenizer, base, folder, TeacherSettings(max_answer_tokens=7, rows_per_shard=2))
    with pytest.raises(DataError, match='engine is "" there, "vllm, bfloat16" here'):
        teach(ROWS, Scripted, tokenizer, base, folder, SHORT, "vllm, bfloat16")
    tokenizer.chat_template += "{# #}"
    with pytest.raises(DataError, match="tokenizer is"):
        teach(ROWS, Scripted, tokenizer, base, folder, SHORT)
    with pytest.raises(DataError, match="tokenizer is"):
        TeacherData(folder, base_fingerprint(base), tokenizer_fingerprint(tokenizer))


def test_fingerprints_stay_when_nothing_changed(base: Path, model: Ministral3ForCausalLM, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    model.save_pretrained(copy, max_shard_size="20KB")
    assert len(list(copy.glob("*.safetensors"))) > 1
    config = json.loads((copy / "config.json").read_text()) | {"transformers_version": "9.9", "use_cache": False}
    (copy / "config.json").write_text(json.dumps(config))
    shutil.copyfile(next(copy.glob("*.safetensors")), copy / "consolidated.safetensors")
    assert base_fingerprint(copy) == base_fingerprint(base)
    loaded = AutoTokenizer.from_pretrained(base)
    before = tokenizer_fingerprint(loaded)
    loaded(["a", "b c"], padding=True)
    assert tokenizer_fingerprint(loaded) == before


def test_a_damaged_shard_is_named(base: Path, tokenizer, tmp_path: Path) -> None:
    folder = tmp_path / "taught"
    teach(ROWS, Scripted, tokenizer, base, folder, SHORT)
    shard = folder / "shard-00001-of-00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"shard-00001-of-00002\.parquet is missing or not a complete parquet file"):
        _taught(folder, base)
    with pytest.raises(DataError, match=r"shard-00001-of-00002\.parquet is damaged: remove it"):
        teach(ROWS, Scripted, tokenizer, base, folder, SHORT)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json is missing or damaged"):
        _taught(folder, base)


@pytest.mark.parametrize("target", ["refusal", "closed-book"])
def test_irrelevant_questions_come_from_other_contexts(tokenizer, target: str) -> None:
    rows = [ContextRow(f"Text {i}.", (f"First of {i}?", f"Second of {i}?"), ((), ()), "own") for i in range(40)]
    settings = TeacherSettings(irrelevant_prob=0.25, irrelevant_target=target)
    foreign = 0
    for row in rows:
        asked = questions(row, rows, tokenizer, settings)
        assert [question.text for question in asked[:2]] == list(row.questions)
        assert all(question.prompt == question_ids(tokenizer, question.text, row.context) for question in asked[:2])
        for question in asked[2:]:
            assert not question.relevant
            assert question.text not in row.questions
            context = row.context if target == "refusal" else None
            assert question.prompt == question_ids(tokenizer, question.text, context)
        foreign += len(asked) - 2
    assert foreign / 80 == pytest.approx(0.25, abs=0.08)
    for row in rows[:5]:
        assert questions(row, rows, tokenizer, settings) == questions(row, rows, tokenizer, settings)
        assert len(questions(row, rows, tokenizer, TeacherSettings())) == 2


def test_irrelevant_questions_are_marked_and_asked_closed_book(base: Path, tokenizer, tmp_path: Path) -> None:
    settings = TeacherSettings(max_answer_tokens=6, irrelevant_prob=1.0)
    counts = teach(ROWS, Scripted, tokenizer, base, tmp_path / "taught", settings)
    data = _taught(tmp_path / "taught", base)
    foreign = sum(int((~row.relevant).sum()) for row in data)
    assert foreign == counts["irrelevant questions"] > 0
    texts = [text for row in ROWS for text in row.questions]
    for row, taught in zip(ROWS, data, strict=False):
        for prompt, relevant in zip(taught.questions, taught.relevant, strict=True):
            (text,) = (text for text in texts if question_ids(tokenizer, text) == prompt.tolist())
            assert (text in row.questions) == relevant


def test_what_is_left_out_is_counted_and_named(
    base: Path, tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        *ROWS,
        ContextRow("long " * 200, ("Long?",), ((),), "own"),
        ContextRow("Short.", ("why " * 400 + "?",), ((),), "own"),
    ]
    settings = TeacherSettings(max_answer_tokens=6, max_context_tokens=200)
    counts = teach(rows, Scripted, tokenizer, base, tmp_path / "taught", settings)
    told = capsys.readouterr().err
    assert (counts["contexts too long"], counts["prompts too long"], counts["contexts"]) == (1, 1, 3)
    assert f"contexts too long: own {rows[-2].id[:12]}, " in told
    assert "the limit is 200" in told
    assert "the base has room for 506" in told


def test_answers_without_words_are_counted_and_named(
    base: Path, tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = teach(ROWS, lambda: Scripted(ids=[2]), tokenizer, base, tmp_path / "taught", SHORT)
    assert counts["answers empty"] == 6
    assert counts["contexts"] == 0
    assert len(_taught(tmp_path / "taught", base)) == 0
    assert f"answers empty: own {ROWS[0].id[:12]}, When did the harbour freeze?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"irrelevant_prob": 1.5}, "irrelevant_prob must be a probability, not 1.5"),
        ({"irrelevant_target": "silence"}, "irrelevant_target must be refusal or closed-book, not 'silence'"),
        ({"rows_per_shard": 0}, "must be at least 1"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TeacherSettings(**settings)


def test_nothing_to_teach(base: Path, tokenizer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row has questions: write some first"):
        teach(ROWS[-1:], Scripted, tokenizer, base, tmp_path, SHORT)
    with pytest.raises(DataError, match="need a second context"):
        teach(ROWS[:1], Scripted, tokenizer, base, tmp_path, TeacherSettings(irrelevant_prob=0.5))


def test_from_the_command_line(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "rows.parquet", ROWS)
    command = [str(tmp_path / "rows.parquet"), str(tmp_path / "taught"), "--base", str(base), "--device", "cpu"]
    main([*command, "--max-answer-tokens", "3", "--limit", "2"])
    assert len(_taught(tmp_path / "taught", base)) == 2
    assert "contexts                       2" in capsys.readouterr().out
    for wrong, message in (
        ([*command, "--max-answer-tokens", "4"], "made from something else"),
        ([command[0], str(tmp_path / "vllm"), *command[2:], "--engine", "vllm"], "vLLM is not installed"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        told = capsys.readouterr().err
        assert stopped.value.code == 1
        assert message in told
        assert len(told.splitlines()) == 1


def test_a_full_disk_costs_one_line_and_no_shard(
    base: Path, tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_table(table, path, **options):
        if "shard-00001" in path.name:
            path.write_bytes(b"PAR1 as much as fitted")
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(table, path, **options)

    written = storage.pq.write_table
    write_rows(tmp_path / "rows.parquet", ROWS)
    folder = tmp_path / "taught"
    command = [str(tmp_path / "rows.parquet"), str(folder), "--base", str(base), "--device", "cpu"]
    monkeypatch.setattr(storage.pq, "write_table", write_table)
    monkeypatch.setattr(arguments, "open_engine", lambda *arguments: Scripted())
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--rows-per-shard", "2"])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"{folder}: No space left on device")
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "shard-00000-of-00002.parquet"]


def test_no_base(tmp_path: Path, base: Path) -> None:
    with pytest.raises(DataError, match=r"has no config\.json"):
        fetch_base(str(tmp_path))
    for file in base.glob("*.safetensors"):
        file.write_bytes(b"short")
    with pytest.raises(DataError, match="is damaged; download it again"):
        base_fingerprint(base)
