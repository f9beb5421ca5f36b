"""The conversion of Section 3.3: any network, decode(x, z) = model(x + z)."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_brs import make_interactive


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def small(channels=1, classes=1, *more):
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(channels, 8, 5, padding=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, classes, 3, padding=1),
            *more,
        )
    )


class UNet(nn.Module):
    """Two levels; padded as usual, or as in the U-Net paper, not at all."""

    def __init__(self, padding=1):
        super().__init__()
        self.enter = nn.Conv2d(1, 4, 3, padding=padding)
        self.down = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=padding) for _ in range(2))
        self.up = nn.ModuleList(nn.ConvTranspose2d(4, 4, 2, 2) for _ in range(2))
        self.join = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=padding) for _ in range(2))
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        x = F.relu(self.enter(x))
        levels = []
        for down in self.down:
            levels.append(x)
            x = F.relu(down(F.max_pool2d(x, 2)))
        for up, join in zip(self.up, self.join, strict=True):
            x, level = up(x), levels.pop()
            row, column = ((a - b) // 2 for a, b in zip(level.shape[2:], x.shape[2:], strict=True))
            if row or column:
                if self.head.weight.requires_grad and row == 0:
                    raise RuntimeError("sizes differ")
                level = level[..., row : row + x.shape[2], column : column + x.shape[3]]
            x = F.relu(join(torch.cat([level, x], 1)))
        return self.head(x)


class Returning(nn.Module):
    """Runs a model, and does something with its output."""

    def __init__(self, model, what):
        super().__init__()
        self.model = model
        self.what = what

    def forward(self, x):
        return self.what(self.model(x))


def picture(channels=1, rows=40, columns=56):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, channels, rows, columns, generator=generator)


@pytest.mark.parametrize("channels", [1, 3])
def test_figure_6_with_its_concatenated_input_gives_the_output_and_gradient_of_the_sum(channels):
    model = small(channels).double()
    network = make_interactive(model)
    first = model[0]
    doubled = nn.Conv2d(2 * channels, 8, 5, padding=2).double()
    with torch.no_grad():
        doubled.weight.copy_(torch.cat([first.weight, first.weight], 1))
        doubled.bias.copy_(first.bias)
    figure = nn.Sequential(doubled, *model[1:])
    x = picture(channels).double()
    z = 0.3 * picture(channels).flip(-1).double()
    found = []
    for output in (
        lambda maps: figure(torch.cat([x, maps], 1)),
        lambda maps: network.decode(x, maps),
    ):
        maps = z.clone().requires_grad_()
        value = output(maps)
        (gradient,) = torch.autograd.grad(value.square().sum(), maps)
        found.append((value.detach(), gradient))
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)
    assert found[0][1].abs().max() > 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [1, 4])
def test_with_zero_maps_the_output_is_the_models_own_bit_for_bit(channels, classes):
    model = small(channels, classes).eval()
    network = make_interactive(model)
    x = picture(channels)
    own = model(x)
    assert torch.equal(network.decode(x, torch.zeros_like(x)), own)
    assert (network.form.channels, len(network.classes)) == (channels, classes)


def scripted():
    return torch.jit.script(small())


def traced():
    return torch.jit.trace(small().eval(), picture())


def exported():
    side = torch.export.Dim("rows", min=8, max=4096), torch.export.Dim("columns", min=8, max=4096)
    shape = ({2: side[0], 3: side[1]},)
    return torch.export.export(small().eval(), (picture(),), dynamic_shapes=shape)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("make", [scripted, traced, exported])
def test_torchscript_and_exported_programs_are_converted_as_modules_are(make):
    x = picture(1, 33, 47)
    network = make_interactive(make())
    z = torch.zeros_like(x).requires_grad_()
    output = network.decode(x, z)
    torch.testing.assert_close(output, small().eval()(x), rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(output.sum(), z)
    assert gradient.abs().sum() > 0


def test_a_program_exported_for_one_size_pads_smaller_images_and_refuses_larger_ones():
    program = torch.export.export(small().eval(), (torch.zeros(1, 1, 64, 48),))
    network = make_interactive(program)
    assert network.form.size == (64, 48)
    x = picture(1, 40, 30)
    assert network.decode(x, torch.zeros_like(x)).shape == (1, 1, 40, 30)
    with pytest.raises(ValueError, match="the image has 65 × 48 pixels; the model takes 64 × 48"):
        network.decode(torch.zeros(1, 1, 65, 48), torch.zeros(1, 1, 65, 48))


def test_sides_are_padded_to_the_multiple_that_the_model_needs():
    class Strict(UNet):
        def forward(self, x):
            if x.shape[-1] % 4 or x.shape[-2] % 4:
                raise RuntimeError("Sizes of tensors must match")
            return super().forward(x)

    model = seeded(Strict)
    network = make_interactive(model)
    assert (network.form.multiple, network.form.margin) == (4, 0)
    x = picture(1, 41, 54)
    output = network.decode(x, torch.zeros_like(x))
    assert output.shape == (1, 1, 41, 54)
    whole = F.pad(x, (0, 2, 0, 3), mode="replicate")
    assert torch.equal(output, model(whole)[..., :41, :54])


def test_output_that_is_smaller_by_a_margin_is_made_to_cover_the_image():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Conv2d(4, 1, 3)))
    network = make_interactive(model)
    assert network.form.margin == 3
    x = picture()
    output = network.decode(x, torch.zeros_like(x))
    assert output.shape == x.shape
    # Where the model sees image only, nothing is moved.
    torch.testing.assert_close(output[..., 3:-3, 3:-3], model(x))


def test_a_network_without_padding_and_with_pooling_is_given_sides_that_it_takes():
    """As the U-Net of its paper, whose sides are 16 n + 12."""

    class Unpadded(UNet):
        def forward(self, x):
            if (x.shape[-1] - 2) % 4 or (x.shape[-2] - 2) % 4:
                raise RuntimeError("not this size")
            return super().forward(x)

    model = seeded(lambda: Unpadded(padding=0))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    network = make_interactive(model)
    assert network.form.margin > 0
    x = picture(1, 50, 61)
    output = network.decode(x, torch.zeros_like(x))
    assert output.shape == x.shape
    side = network.form.padded(50)
    assert (side - 2) % 4 == 0


def test_output_at_a_stride_is_brought_to_the_size_of_the_image():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 3, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1)))
    network = make_interactive(model, multiple=4)
    assert network.form.stride == 4
    x = picture(1, 42, 57)
    output = network.decode(x, torch.zeros_like(x))
    assert output.shape == (1, 1, 11, 15)
    assert network.log_odds(output, [0], (42, 57)).shape == (1, 1, 42, 57)


@pytest.mark.parametrize(
    ("what", "key"),
    [
        (lambda y: (y, 2 * y), 0),
        (lambda y: {"aux": 3 * y, "out": y}, "out"),
        (lambda y: [y], 0),
        (lambda y: y[:, 0], None),
    ],
)
def test_the_output_is_found_in_tuples_and_dictionaries(what, key):
    model = Returning(small(), what)
    network = make_interactive(model)
    assert network.form.key == key
    x = picture()
    assert torch.equal(network.decode(x, torch.zeros_like(x)), model.model(x))


def test_another_part_of_the_output_can_be_chosen():
    model = Returning(small(), lambda y: {"out": y, "aux": 3 * y})
    network = make_interactive(model, output="aux")
    x = picture()
    assert torch.equal(network.decode(x, torch.zeros_like(x)), 3 * model.model(x))
    with pytest.raises(ValueError, match=r"returns no 'head'; there are \['out', 'aux'\]"):
        make_interactive(model, output="head")


def test_batch_norm_and_dropout_are_taken_out_of_training_mode():
    model = nn.Sequential(small(), nn.Dropout(0.5)).train()
    network = make_interactive(model)
    x = picture()
    before = model[0][1].running_mean.clone()
    first, second = (network.decode(x, torch.zeros_like(x)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(model[0][1].running_mean, before)


def test_operations_in_place_leave_the_image_as_it_was():
    model = Returning(nn.Sequential(nn.ReLU(inplace=True), small()), lambda y: y.mul_(2))
    network = make_interactive(model)
    x = picture()
    before = x.clone()
    z = torch.zeros_like(x).requires_grad_()
    network.decode(x, z).sum().backward()
    assert torch.equal(x, before)
    assert z.grad.abs().sum() > 0


class Spoiling(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = small()

    def forward(self, x):
        y = self.model(x).sigmoid()
        z = y.square()
        y.mul_(0.5)
        return z


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Returning(small(1, 3), lambda y: y.argmax(1)), "returns int64 labels.*argmax"),
        (Returning(small(), lambda y: (y > 0).float()), "threshold or argmax at its end"),
        (Returning(small(), lambda y: y.detach()), "cannot be|can be differentiated"),
        (Returning(small(), lambda y: y.sigmoid().round()), "zero everywhere"),
        (Returning(small(), lambda y: F.dropout(y, 0.5)), "something random, such as dropout"),
        (Spoiling(), "an operation in place destroys"),
        (Returning(small(), lambda y: y.mean((2, 3))), "returns no image"),
        (Returning(small(), str), "returns a str"),
        (nn.Flatten(), "returns no image"),
        (nn.Linear(7, 7), "takes none of the test"),
    ],
)
def test_what_cannot_be_converted_is_said(model, message):
    with pytest.raises(ValueError, match=message):
        make_interactive(model)


def test_something_that_is_no_model_is_named():
    with pytest.raises(ValueError, match="the model is a str; a torch"):
        make_interactive("unet.pt")


@pytest.mark.parametrize(
    ("model", "activation", "exclusive"),
    [
        (small(), "sigmoid", False),
        (small(1, 1, nn.Sigmoid()), "none", False),
        (small(1, 4), "softmax", True),
        (small(1, 4, nn.Softmax(1)), "none", True),
        (small(1, 4, nn.Sigmoid()), "none", False),
        (small(1, 4, nn.LogSoftmax(1)), "softmax", True),
    ],
)
def test_the_activation_is_found_out(model, activation, exclusive):
    network = make_interactive(model)
    assert (network.activation, network.exclusive) == (activation, exclusive)


@pytest.mark.parametrize(
    ("head", "activation"),
    [(nn.Identity(), "sigmoid"), (nn.Identity(), "softmax"), (nn.Softmax(1), "none")],
)
def test_log_odds_are_the_logits_of_the_probabilities(head, activation):
    network = make_interactive(small(1, 3, head), activation=activation)
    output = network.decode(picture(), torch.zeros(1, 1, 40, 56))
    probability = network.probabilities(output, (40, 56))
    odds = network.log_odds(output, [2, 0], (40, 56))
    torch.testing.assert_close(odds.sigmoid(), probability[:, [2, 0]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'; allowed are sigmoid, softmax, none"),
        ({"activation": "softmax"}, "has one output"),
        ({"classes": 3}, "3 classes were given, but the model has 1 outputs"),
        ({"classes": ["background", "cell"]}, "2 classes were given"),
        ({"normalise": "zscore"}, "normalise is 'zscore'; allowed are none, unit"),
        ({"channels": 2}, "none of the test images of 2 channels"),
    ],
)
def test_wrong_options_are_named_with_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        make_interactive(small(), **options)


@pytest.mark.parametrize(
    ("normalise", "low", "high"), [("none", 0, 255), ("unit", 0, 1), ("imagenet", -2.2, 2.7)]
)
def test_images_are_normalised_as_asked(normalise, low, high):
    network = make_interactive(small(3), normalise=normalise)
    image = torch.linspace(0, 255, 48).expand(1, 3, 48, 48)
    x = network.encode(image)
    assert x.min() == pytest.approx(low, abs=0.1)
    assert x.max() == pytest.approx(high, abs=0.1)


def test_standardised_images_have_mean_0_and_deviation_1():
    network = make_interactive(small(1), normalise="standard")
    x = network.encode(torch.rand(1, 3, 32, 32) * 90 + 20)
    assert x.shape == (1, 1, 32, 32)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std().item() == pytest.approx(1, abs=1e-5)
