import numpy as np
import pytest

from keras_moduli.tasks import navigation


def save(folder, t, pos):
    np.savez(folder / "rat.npz", t=t, pos=pos)
    return folder / "rat.npz"


def test_a_circle_is_cut_into_arcs_of_the_same_speed(tmp_path):
    t = np.arange(0, 20, 1 / 30)  # another rate than the walks'
    pos = 5.0 + 0.5 * np.stack([np.cos(t), np.sin(t)], axis=1)
    inputs, y = navigation.recorded(save(tmp_path, t, pos), 20, box=2.0)
    # 19.97 s hold 49 walks of 0.4 s; the circle now has a radius of 1 m.
    assert inputs["start"].shape == (49, 2)
    assert inputs["displacement"].shape == y.shape == (49, 20, 2)
    assert y.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1.0, atol=2e-3)
    at = 0.4 * np.arange(49)
    np.testing.assert_allclose(
        inputs["start"], np.stack([np.cos(at), np.sin(at)], 1), atol=2e-3
    )
    path = inputs["start"][:, None] + inputs["displacement"].cumsum(1)
    np.testing.assert_allclose(path, y, atol=1e-5)


def test_no_walk_crosses_a_gap(tmp_path):
    t = np.concatenate([np.arange(100), 1000 + np.arange(100)]) * 0.02
    pos = np.stack([t > 10, np.arange(200) % 7], axis=1).astype(float)
    inputs, y = navigation.recorded(save(tmp_path, t, pos), 10)
    assert len(y) == 2 * 9
    np.testing.assert_array_equal(inputs["displacement"][..., 0], 0)


def test_the_longer_side_fills_the_box(tmp_path):
    pos = np.random.default_rng(0).uniform([0, 0], [3.5, 2.5], (5000, 2))
    file = save(tmp_path, 0.02 * np.arange(5000), pos)
    _, y = navigation.recorded(file, 1, box=2.2)
    assert np.abs(y[..., 0]).max() == pytest.approx(1.1, abs=0.01)
    assert np.abs(y[..., 1]).max() == pytest.approx(1.1 / 1.4, abs=0.01)


@pytest.mark.parametrize(
    ("t", "pos"),
    [
        ([0.0, 1.0], [[0.0, 0.0]]),
        ([1.0, 0.0], [[0.0, 0.0], [1.0, 1.0]]),
        ([0.0, 1.0], [[0.0, 0.0], [np.nan, 1.0]]),
        ([0.0, 1.0], [[2.0, 2.0], [2.0, 2.0]]),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, t, pos):
    with pytest.raises(ValueError, match="`file`"):
        navigation.recorded(save(tmp_path, t, pos), 1)


def test_other_arrays_and_short_recordings_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=[1])
    with pytest.raises(ValueError, match=r"`t` and `pos`.*'x'"):
        navigation.recorded(tmp_path / "other.npz", 1)
    file = save(tmp_path, [0.0, 0.02], [[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="`sequence_length`"):
        navigation.recorded(file, 2)
