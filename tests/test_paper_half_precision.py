from __future__ import annotations

import torch
from torch import nn

from paper.half_precision import HalfPrecision


def test_convolutions_are_rounded_and_what_comes_out_is_float32():
    torch.manual_seed(0)
    seen = []
    convolution = nn.Conv2d(3, 4, 3)
    convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x = torch.randn(1, 3, 16, 16, requires_grad=True)
    y = HalfPrecision(convolution)(x)
    assert seen == [torch.bfloat16]
    assert y.dtype == torch.float32
    exact = convolution(x)
    assert not torch.equal(y, exact)
    torch.testing.assert_close(y, exact, rtol=0.02, atol=0.02)


def test_the_gradient_comes_back_in_float32():
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 4, 3)
    x = torch.randn(1, 3, 16, 16, requires_grad=True)
    (half,) = torch.autograd.grad(HalfPrecision(convolution)(x).square().sum(), x)
    (exact,) = torch.autograd.grad(convolution(x).square().sum(), x)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.05, atol=0.1)
