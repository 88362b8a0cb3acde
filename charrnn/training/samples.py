"""Samples: short texts that show, during training, what the model has learnt so far."""

from charrnn.config import SamplingConfig
from charrnn.errors import CheckpointError
from charrnn.sampling.instant import InstantNetwork
from charrnn.sampling.writing import Writing
from charrnn.training.events import Sampled
from charrnn.training.learner import Learner

SAMPLE = SamplingConfig(length=200, temperature=0.8)


class Sampler:
    """Writes texts with the learner's weights at regular steps."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    @property
    def due(self) -> bool:
        """Whether to sample now: every `sample_every` steps of a plan."""
        progress = self._learner.progress
        return progress.sample_every > 0 and progress.falls_on(progress.sample_every)

    def sample(self) -> Sampled:
        """A text from the weights as they are; the step is its seed."""
        learner, step = self._learner, self._learner.progress.step
        config = learner.config.model
        engine = InstantNetwork(config, learner.trainer.weights())
        backward = config.direction == "backward"
        writing = Writing(engine, learner.vocabulary, SAMPLE, step, backward=backward)
        try:
            return Sampled(step, writing.begin().texts()[0].text)
        except CheckpointError:  # it diverges: the next steps find out, and the run goes back
            return Sampled(step, "")
