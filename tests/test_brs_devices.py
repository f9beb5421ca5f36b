import pytest
import torch

from napari_brs.brs.devices import choose_device, has_bfloat16


def test_an_unknown_or_missing_device_is_refused_with_those_allowed():
    with pytest.raises(ValueError, match=r"no device 'tpu' here; allowed are auto, .*cpu"):
        choose_device("tpu")
    assert choose_device("auto").type in {"cuda", "mps", "cpu"}


@pytest.mark.parametrize(
    ("device", "abilities", "expected"),
    [
        ("cpu", {"amx_bf16": True}, True),
        ("cpu", {"avx512_bf16": True, "amx_bf16": False}, True),
        ("cpu", {"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ("cpu", {}, False),
        ("mps", {"amx_bf16": True}, False),
    ],
)
def test_only_units_for_it_count_as_bfloat16_of_a_cpu(monkeypatch, device, abilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert has_bfloat16(device) is expected


@pytest.mark.parametrize("supported", [True, False])
def test_a_gpu_is_asked_itself(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert has_bfloat16("cuda") is supported
