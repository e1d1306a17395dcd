"""What a file is compared with its model on, and calibrated with."""

import dataclasses
from collections.abc import Callable

from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.streaming import StreamingProgram
from keras_moduli.export.verification.samples import real
from keras_moduli.export.verification.samples import samples


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one signature of the file is compared on.

    Attributes:
        program: The signature's `Program`.
        run: From what runs the signature, and a batch, to its answers.
        batches: Inputs, a list of dicts.
        references: The model's answers to them.
        typical: How many of the batches, from the first on, are inputs such
            as the model was made for; the others are extreme.
    """

    program: Program
    run: Callable
    batches: list
    references: list
    typical: int

    def settled(self):
        """The same, where roundings have no time to grow, if there is a way.

        Of a stream, every step by itself, from the states that the model has
        there; else the sample as it is.
        """
        if not isinstance(self.program, StreamingProgram):
            return self
        steps = self.program.steps(self.batches[: self.typical])
        return dataclasses.replace(
            self,
            run=lambda runner, feed: runner(**feed),
            batches=[feed for feed, _ in steps],
            references=[answer for _, answer in steps],
            typical=len(steps),
        )


def samples_of(program, batch_size, sequence_length, inputs, quantization):
    """What each signature is compared on."""
    found = {}
    for name, one in program.signatures.items():
        if quantization == "full_int8":
            # Made inputs lie outside of the ranges learnt.
            typical, extreme = real(one, batch_size, inputs)[:16], []
        else:
            typical, extreme = samples(one, batch_size, sequence_length, inputs)
        batches = typical + extreme
        found[name] = Sample(
            one, one.run, batches, one.reference(batches), len(typical)
        )
    return found


def calibration_of(program, batch_size, inputs, quantization):
    """What the ranges of integers are learnt from, by signature."""
    if quantization != "full_int8":
        return None
    return {
        name: one.calibration(real(one, batch_size, inputs))
        for name, one in program.signatures.items()
    }
