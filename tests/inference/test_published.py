"""What is published on the hub: names of repositories, files that are needed, FP8 weights."""

import pytest

from mlx_hypernet.format.published import hub_place, is_fp8, is_repository, is_wanted


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("mistralai/Ministral-3-3B", ("mistralai/Ministral-3-3B", "", None)),
        ("SakanaAI/doc-to-lora/gemma_2b/step-9", ("SakanaAI/doc-to-lora", "gemma_2b/step-9", None)),
        ("owner/name/folder@refs/pr/1", ("owner/name", "folder", "refs/pr/1")),
        ("owner", None),
        ("../base", None),
        ("./models/base", None),
        ("/models/base", None),
        ("~/base", None),
        ("owner/name with a space", None),
    ],
)
def test_places_on_the_hub(name, place):
    assert hub_place(name) == place
    assert is_repository(name) == (place is not None and place[1:] == ("", None))


def test_files_that_are_needed():
    wanted = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "tokenizer.model",
        "run/args.yaml",
        "pytorch_model.bin",
    ]
    unwanted = [
        "consolidated.safetensors",
        "original/model.safetensors",
        "training_args.bin",
        "README.md",
        "onnx/m.json",
    ]
    assert [file for file in wanted + unwanted if is_wanted(file)] == wanted


@pytest.mark.parametrize(
    ("config", "fp8"),
    [
        ({"quantization_config": {"quant_method": "fp8"}}, True),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, True),
        ({"quantization_config": {"quant_method": "gptq"}}, False),
        ({"quantization_config": None, "text_config": None}, False),
        ({}, False),
    ],
)
def test_fp8_weights_are_recognised(config, fp8):
    assert is_fp8(config) == fp8
