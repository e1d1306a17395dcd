"""Where a pruning schedule stands when a training begins, and where it ends."""

import warnings

# Weights can be zero without being pruned; this share of them is no sign.
_SLACK = 0.005


def check_step(step):
    """Checks an `initial_step`, `None` if it is to be found."""
    if step is not None and not (isinstance(step, int) and step >= 0):
        raise ValueError(
            "`initial_step` must be an integer, 0 or more, or None. "
            f"Received: initial_step={step!r}"
        )
    return step


def first_step(members, iterations, epoch, steps_per_epoch):
    """The schedule's step at the beginning of a training.

    A new model starts at 0. A training that goes on, as told by its epoch or
    by the zeros in the weights, starts at the step it had reached. A trained
    dense model starts at 0 too: the schedule counts from this training's
    first step.

    Args:
        members: List of `BoundGroup`s, with their plans.
        iterations: Steps that the optimizer has taken.
        epoch: The epoch that this training begins with.
        steps_per_epoch: Optimizer steps per epoch, `None` if unknown.

    Returns:
        The step, an integer.

    Raises:
        ValueError: If the zeros in the weights fit neither.
    """
    # Weights saved without their optimizer have the epoch to go by.
    reached = iterations or epoch * (steps_per_epoch or 0)
    if reached == 0:
        return 0
    begun = any(m.plan.target(reached) for m in members)
    if (begun or epoch > 0) and all(_stands_at(m, reached) for m in members):
        return reached
    if epoch == 0 and all(_can_start(m) for m in members):
        return 0
    found = ", ".join(f"{m.zeros():.1%}" for m in members)
    wanted = ", ".join(f"{m.plan.target(reached) or 0.0:.1%}" for m in members)
    raise ValueError(
        "The weights' sparsity does not fit the schedule: after "
        f"{reached} optimizer steps it asks for {wanted}, and the weights "
        f"have {found} zeros. Pass `initial_step=0` to start the schedule "
        "with this training, another `initial_step` to go on from there, or "
        "load the weights that belong to this step."
    )


def check_reach(plans, step, steps_left):
    """Raises a ValueError if a training ends before its schedule does.

    Args:
        plans: List of schedules; see `keras_moduli.pruning.schedules.get`.
        step: The schedule's step at the beginning of the training.
        steps_left: How many optimizer steps it will take.
    """
    last = step + steps_left
    for plan in plans:
        if plan.final_step is not None and plan.final_step > last:
            raise ValueError(
                f"The schedule reaches its final sparsity, "
                f"{plan.final_sparsity:.1%}, at step {plan.final_step}, but "
                f"this `fit` ends at step {last} ({steps_left} steps from "
                f"step {step}), where it stands at "
                f"{plan.target(last) or 0.0:.1%}. Train longer, end the "
                "schedule earlier, or pass `allow_partial=True` if another "
                "`fit` follows."
            )


def warn_if_early(pruner):
    """Warns if a training has ended before its schedules did.

    Args:
        pruner: The `Pruner`, at the step that the training ended with.
    """
    for plan in pruner.plans:
        if plan.final_step is not None and pruner.step < plan.final_step:
            warnings.warn(
                f"Training ended at step {pruner.step}, before the "
                f"schedule did at step {plan.final_step}: the sparsity is "
                f"{pruner.sparsity:.1%}, not {plan.final_sparsity:.1%}. A "
                "callback that stops training belongs inside "
                "keras_moduli.OncePruned, so that it waits for the schedule.",
                stacklevel=3,
            )


def _stands_at(member, step):
    """Whether the zeros are those the schedule asks for at a step.

    Or one step before: a checkpoint may have been written after the optimizer
    step and before the pruning that follows it.
    """
    targets = [member.plan.target(s) or 0.0 for s in (step - 1, step)]
    zeros, near = member.zeros(), member.resolution()
    return min(targets) - near <= zeros <= max(targets) + near + _SLACK


def _can_start(member):
    """Whether starting at 0 would bring no pruned weight back to life."""
    first = member.plan.next_action(-1)
    initial = member.plan.target(first) or 0.0
    return member.zeros() <= initial + member.resolution() + _SLACK
