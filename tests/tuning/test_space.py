import pytest
import yaml

from tests.tuning.conftest import space_content
from vanhove.errors import ConfigError
from vanhove.tuning.space import SearchSpace, shipped_spaces


def parse(**changes) -> SearchSpace:
    return SearchSpace.parse(space_content(**changes)).resolved()


@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces_are_whole_and_hold_their_base(name):
    space = SearchSpace.load(name)
    assert space.name == name
    assert space.about
    assert space.base_parameters() is not None
    assert space.config({}).training.epochs == space.epochs


def test_ranges_around_the_published_dostransformer():
    space = SearchSpace.load("dostransformer")
    assert {key: range_.ends for key, range_ in space.space.items()} == {
        "model.encoder.n_layers": (2, 3, 4),
        "model.decoder.n_layers": (2, 3, 4),
        "model.encoder.hidden_dim": (64, 128, 256),
        "training.learning_rate": (1e-4, 5e-4, 1e-3),
        "training.batch_size": (1, 4, 8),
        "training.beta": (0.25, 0.5, 1.0, 2.0, 4.0),
    }


def test_values_reach_the_run_and_what_goes_with_them():
    space = parse()
    config = space.config({"model.encoder.hidden_dim": 8, "training.learning_rate": 1e-4}, "mine")
    assert config.name == "mine"
    assert config.model.encoder.hidden_dim == config.model.decoder.hidden_dim == 8
    assert config.training.learning_rate == 1e-4
    assert config.training.epochs == 2
    assert config.training.select_by == "rmse"


def test_another_encoder_leaves_the_settings_of_the_first():
    kind = {"type": "choice", "values": ["graph_network", "atom_mlp"]}
    space = parse(space={"model.encoder.name": kind})
    config = space.config({"model.encoder.name": "atom_mlp"})
    assert config.model.encoder.name == "atom_mlp"
    assert config.model.encoder.hidden_dim == 256  # its own default
    assert space.config({"model.encoder.name": "graph_network"}).model.encoder.hidden_dim == 16


def test_lists_are_stored_as_text_and_come_back():
    features = [["one_hot"], ["one_hot", "matscholar"]]
    space = parse(space={"model.encoder.atom_features": {"type": "choice", "values": features}})
    stored = space.base_parameters()
    assert stored == {"model.encoder.atom_features": '["one_hot", "matscholar"]'}
    assert space.values(stored) == {"model.encoder.atom_features": features[1]}
    with pytest.raises(ConfigError, match="no value of the space"):
        space.values({"model.encoder.atom_features": "[]"})


def test_base_outside_its_ranges_is_no_trial():
    rate = {"type": "log", "low": 1e-6, "high": 1e-5}
    assert parse(space={"training.learning_rate": rate}).base_parameters() is None


def test_base_may_be_a_run_file_beside_the_space(tmp_path):
    (tmp_path / "run.yaml").write_text("training: {batch_size: 3}\n")
    content = space_content(base="run.yaml", set={"training.beta": 2})
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(content))
    space = SearchSpace.load(tmp_path / "space.yaml")
    assert space.config({}).training.batch_size == 3
    assert space.config({}).training.beta == 2
    (tmp_path / "again.yaml").write_text(space.to_yaml())
    assert SearchSpace.load(tmp_path / "again.yaml") == space


def rate(**range_):
    return {"space": {"training.learning_rate": range_}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (rate(type="log", low=0, high=1), "low > 0"),
        (rate(type="float", low=2, high=1), "low < high"),
        (rate(type="logg", low=1, high=2), "logg"),
        (rate(type="float", low=1, high=2, mid=1), "mid"),
        (rate(type="float", low=-1, high=1), "training.learning_rate: .* greater than 0"),
        (rate(type="choice", values=[1e-3]), "at least 2"),
        ({"space": {}}, "space"),
        ({"space": {"model.encoder.widht": {"type": "int", "low": 1, "high": 2}}}, "widht"),
        (
            {"space": {"model.encoder.n_layers": {"type": "int", "low": 1, "high": 4, "step": 2}}},
            "whole number of steps",
        ),
        ({"space": {"seed": {"type": "int", "low": 0, "high": 9}}}, "luck"),
        ({"space": {"data.split": {"type": "choice", "values": [None, "random"]}}}, "compared"),
        ({"space": {"training.epochs": {"type": "int", "low": 1, "high": 9}}}, "budget"),
        ({"set": {"training.learning_rate": 1}}, "also in set"),
        ({"metric": "r2"}, "metric"),
        ({"epochs": 0}, "epochs"),
        ({"base": "no-such-model"}, "no-such-model"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_wrong_space_is_one_line_that_names_the_place(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- 1", "a: [", ""])
def test_file_that_is_no_space(tmp_path, text):
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"space\.yaml"):
        SearchSpace.load(tmp_path / "space.yaml")


def test_missing_file_lists_the_shipped_ones(tmp_path):
    with pytest.raises(ConfigError, match="graph-network-short"):
        SearchSpace.load(tmp_path / "none.yaml")
