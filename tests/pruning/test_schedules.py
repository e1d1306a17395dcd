"""Schedules against TF-MOT's own, step by step."""

import math

import pytest
import tensorflow_model_optimization as tfmot
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_moduli.pruning import schedules

PolynomialDecay = tfmot.sparsity.keras.PolynomialDecay
ConstantSparsity = tfmot.sparsity.keras.ConstantSparsity


def follow(schedule, steps):
    """The sparsity after each step, by asking TF-MOT at every step."""
    current, history = None, []
    for step in range(steps):
        should_prune, sparsity = schedule(step)
        if bool(should_prune):
            current = float(sparsity)
        history.append(current)
    return history


@settings(max_examples=15, deadline=None)
@given(
    initial=st.floats(0, 0.99),
    final=st.floats(0, 0.99),
    begin=st.integers(0, 20),
    length=st.integers(1, 30),
    frequency=st.integers(1, 12),
    power=st.sampled_from([1, 2, 3]),
)
def test_polynomial_decay_is_tfmots(
    initial, final, begin, length, frequency, power
):
    schedule = PolynomialDecay(
        initial, final, begin, begin + length, power, frequency
    )
    plan = schedules.get(schedule)
    theirs = follow(schedule, begin + length)
    for step, expected in enumerate(theirs):
        if expected is None:
            assert plan.target(step) is None
        else:
            assert plan.target(step) == pytest.approx(expected, abs=2e-6)
    # TF-MOT stops at the last multiple of its frequency; here the end counts.
    assert plan.target(begin + length) == final
    assert plan.target(begin + length + 7) == final


@pytest.mark.parametrize("end_step", [-1, 17])
def test_constant_sparsity_is_tfmots(end_step):
    schedule = ConstantSparsity(0.5, 5, end_step, frequency=4)
    plan = schedules.get(schedule)
    assert [plan.target(step) for step in range(40)] == follow(schedule, 40)


@given(
    begin=st.integers(0, 20),
    length=st.integers(0, 40),
    frequency=st.integers(1, 15),
)
def test_the_target_changes_only_at_next_action(begin, length, frequency):
    plan = schedules.get(
        PolynomialDecay(0.1, 0.9, begin, begin + length or 1, 3, frequency)
    )
    step = 0
    while (action := plan.next_action(step)) is not None:
        assert step < action <= max(begin + length, 1)
        between = {plan.target(s) for s in range(step, action)}
        assert len(between) == 1
        step = action
    assert plan.target(step) == 0.9


def test_a_callable_is_asked_at_every_step():
    asked = []

    def schedule(step):
        asked.append(step)
        return step % 5 == 0, step / 100

    plan = schedules.get(schedule)
    assert plan.target(7) == 0.05
    assert asked == list(range(8))
    assert plan.target(10) == 0.10
    assert asked == list(range(11))


def test_a_subclass_is_not_taken_for_its_parent():
    class Half(PolynomialDecay):
        def __call__(self, step):
            return True, 0.5

    assert schedules.get(Half(0.0, 0.9, 0, 10)).target(0) == 0.5


def test_a_configuration_does_as_well():
    schedule = PolynomialDecay(0.0, 0.9, 0, 100, frequency=30)
    ours, theirs = map(schedules.get, [schedule.get_config(), schedule])
    assert ours == theirs


@pytest.mark.parametrize("begin,end,steps", [(0.1, 0.7, 1000), (0, 1, 3)])
def test_the_ramp_over_a_fraction_of_the_training(begin, end, steps):
    ramp = schedules.polynomial_decay(0.9, begin, end, steps)
    assert PolynomialDecay(**ramp["config"]).get_config() == ramp
    plan = schedules.get(ramp)
    assert plan.begin_step == round(begin * steps)
    assert plan.target(math.ceil(end * steps)) == 0.9


@pytest.mark.parametrize(
    "config",
    [
        dict(target_sparsity=1.0, begin_step=0, end_step=9, frequency=1),
        dict(target_sparsity=0.5, begin_step=0, end_step=9, frequency=0),
        dict(target_sparsity=0.5, begin_step=9, end_step=5, frequency=1),
        dict(target_sparsity=0.5),
    ],
)
def test_a_bad_configuration(config):
    with pytest.raises(ValueError, match="Received: "):
        schedules.get({"class_name": "ConstantSparsity", "config": config})


def test_not_a_schedule():
    with pytest.raises(TypeError, match="Received: schedule=0.9"):
        schedules.get(0.9)


def test_a_callable_that_prunes_everything():
    with pytest.raises(ValueError, match=r"1.0 at step 0"):
        schedules.get(lambda step: (True, 1.0)).target(0)
