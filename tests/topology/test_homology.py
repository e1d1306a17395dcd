"""Holes of clouds whose topology is known, and of those without any."""

import clouds
import matplotlib
import numpy as np
import pytest

from keras_moduli import spaces
from keras_moduli import topology
from keras_moduli.topology.homology import Homology

pytest.importorskip("ripser")
matplotlib.use("agg")

KNOWN = {
    "circle": ((1, 1, 0), (1, 1, 0)),
    "sphere": ((1, 0, 1), (1, 0, 1)),
    "torus": ((1, 2, 1), (1, 2, 1)),
    "klein_bottle": ((1, 2, 1), (1, 1, 0)),
    "projective_plane": ((1, 1, 1), (1, 0, 0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_known_spaces(name):
    expected = dict(zip((2, 3), KNOWN[name], strict=True))
    named = 0
    for seed in range(4):
        found = topology.homology(clouds.states(getattr(clouds, name), seed))
        # An unlucky sample may hide a hole, but not pass for another space.
        assert found.spaces == () or found.betti == expected
        named += name in found.spaces
    assert named >= 3


def test_a_klein_bottle_is_told_from_a_torus():
    found = topology.homology(clouds.states(clouds.klein_bottle, 5))
    assert found.spaces == ("klein_bottle",)
    assert "as many holes as: klein_bottle" in str(found)


def test_modulo_2_alone_does_not_tell_them_apart():
    found = topology.homology(
        clouds.states(clouds.klein_bottle, 5), primes=(2,)
    )
    assert {"torus", "klein_bottle"} <= set(found.spaces)


def test_gaussian_noise_has_no_clear_answer():
    found = topology.homology(clouds.states(clouds.gaussian(6), 6))
    assert found.spaces == ()
    assert found.betti[2] == (1, 0, 0)
    assert "no clear answer" in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [clouds.gaussian, clouds.cube])
@pytest.mark.parametrize("dim", [2, 3, 4, 6, 12, 20])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_counts_in_noise(draw, dim, seed):
    found = topology.homology(clouds.states(draw(dim), seed), primes=(2,))
    assert found.betti[2] == (1, 0, 0)
    assert found.spaces == ()


def test_clusters_are_not_taken_for_a_space():
    cloud = clouds.states(clouds.circle, 0, n=400)
    found = topology.homology(np.concatenate([cloud, cloud + 40]))
    assert found.betti[2][0] == 2
    assert found.spaces == ()
    assert "2 separate clusters" in found.doubts


def test_a_hole_between_the_bounds_is_a_doubt():
    empty = np.zeros((0, 2))
    parts = np.array([[0, 1.0]] * 8 + [[0, np.inf]])
    for ratio, doubtful in ((1.5, True), (1.85, True), (1.95, False)):
        found = Homology({2: (parts, np.array([[1.0, ratio]]), empty)})
        assert bool(found.doubts) is doubtful
        assert ("ratio 1.85" in str(found)) is (ratio == 1.85)


@pytest.mark.parametrize("name", [*KNOWN, "moebius_strip", "hexagonal_torus"])
def test_euler_characteristics_agree_over_both_fields(name):
    # Betti numbers depend on the field, their alternating sum does not.
    sums = {
        sum((-1) ** k * n for k, n in enumerate(numbers))
        for numbers in (topology.betti_numbers(name, p) for p in (2, 3))
    }
    assert len(sums) == 1
    if name in KNOWN:
        for prime, numbers in zip((2, 3), KNOWN[name], strict=True):
            found = topology.betti_numbers(name, prime)
            assert (*found, 0, 0)[:3] == numbers


def test_betti_numbers_of_products():
    assert topology.betti_numbers("torus6") == (1, 6, 15, 20, 15, 6, 1)
    product = spaces.Product(["circle"] * 3)
    assert topology.betti_numbers(product) == topology.betti_numbers("torus3")
    assert topology.betti_numbers("mixed_curvature") == (1, 2, 2, 2, 1)
    assert topology.betti_numbers("euclidean3") == (1, 0, 0, 0)


def test_a_space_of_ones_own_is_refused():
    class Mine(spaces.ModuliSpace):
        pass

    with pytest.raises(ValueError, match="`space`.*Received"):
        topology.betti_numbers(Mine(1, 1))


def test_bad_arguments():
    cloud = clouds.states(clouds.circle, 0, n=100)
    with pytest.raises(ValueError, match="`primes`.*Received"):
        topology.homology(cloud, primes=(4,))
    with pytest.raises(ValueError, match="`states`.*at least 20"):
        topology.homology(cloud[:10])
    with pytest.raises(ValueError, match="`states` must be finite"):
        topology.homology(np.full((30, 3), np.nan))
    with pytest.raises(ValueError, match="`outliers`"):
        topology.reduce_states(cloud, outliers=1)


def test_reducing_keeps_distances_and_drops_outliers():
    cloud = clouds.states(clouds.circle, 0, n=500, noise=0)
    cloud[0] = 1e3
    kept = topology.reduce_states(
        cloud, components=64, landmarks=50, outliers=0.01
    )
    assert kept.shape == (50, 64)
    radius = np.linalg.norm(kept - kept.mean(0), axis=1)
    np.testing.assert_allclose(radius, 1, atol=0.05)


def test_the_diagram():
    cloud = clouds.states(clouds.circle, 0, n=300)
    found = topology.homology(cloud, landmarks=80)
    ax = topology.plot_diagram(found)
    for drawn, diagram in zip(ax.collections, found.diagrams[2], strict=True):
        finite = diagram[np.isfinite(diagram[:, 1])]
        np.testing.assert_allclose(drawn.get_offsets(), finite, rtol=1e-6)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["components", "loops", "voids"]
    with pytest.raises(ValueError, match="`prime`.*Received"):
        topology.plot_diagram(found, prime=5)
    matplotlib.pyplot.close(ax.figure)
