"""Time steps that some sequences of a batch leave out, as padding does.

    state_t = m_t ⊙ step(z_t, state_{t-1}) + (1 - m_t) ⊙ state_{t-1}        m_t = 0 where masked

So a masked step leaves the state alone, and all of its gradient goes to the state before.
"""

from charrnn.tf.backend import tf
from charrnn.tf.steps import Parts, Step
from charrnn.types import State, Tensor


class Masked(Step):
    """Another step, taken only where the mask says so.

    Args:
        step: The step.
        mask: bool [T, B], true where the step is taken.
    """

    def __init__(self, step: Step, mask: Tensor) -> None:
        super().__init__(step.cell, step.z, step.weights)
        self.step, self.mask = step, step.transpose(mask[..., None])

    def transpose(self, tensor: Tensor) -> Tensor:  # type: ignore[override]
        return self.step.transpose(tensor)

    def zero_sums(self, state: State) -> Parts:
        return self.step.zero_sums(state)

    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        after, saved = self.step.forward(t, state)
        return self.choose(t, after, state), saved

    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        zeros = tuple(map(tf.zeros_like, d_after))
        d_taken, d_kept = self.choose(t, d_after, zeros), self.choose(t, zeros, d_after)
        d_before, own, summed = self.step.backward(t, saved, before, after, d_taken, summed)
        return tuple(a + b for a, b in zip(d_before, d_kept, strict=True)), own, summed

    def gradients(
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.step.gradients(history, step_gradients, summed)

    def choose(self, t: Tensor, taken: State, kept: State) -> State:
        """Each part where the step is taken at time t, and where it is not."""
        pairs = zip(taken, kept, strict=True)
        return tuple(tf.where(self.mask[t], one, other) for one, other in pairs)
