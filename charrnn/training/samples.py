"""Samples: short texts that show, during training, what the model has learnt so far."""

from charrnn.config import SamplingConfig
from charrnn.errors import CheckpointError
from charrnn.network.instant import InstantNetwork
from charrnn.runs import sample_file
from charrnn.runs.events import Sampled
from charrnn.runs.run import Run
from charrnn.sampling.writing import Writing
from charrnn.training.interrupts import held_back
from charrnn.training.learner import Learner

SAMPLE = SamplingConfig(length=200, temperature=0.8)


class Sampler:
    """Writes texts with the learner's weights at regular steps, and keeps them in the run."""

    def __init__(self, run: Run, learner: Learner) -> None:
        self._run, self._learner = run, learner

    @property
    def due(self) -> bool:
        """Whether to sample now: every `sample_every` steps of a plan, and each step once."""
        progress = self._learner.progress
        on_time = progress.sample_every > 0 and progress.falls_on(progress.sample_every)
        # A run is saved before it samples: where it resumes, its last sample may be of this step.
        return on_time and sample_file.last_step(self._run.samples) != progress.step

    def sample(self) -> Sampled:
        """Write a text, and a line of the run's samples."""
        sampled = self._sampled()
        with held_back():
            line = sample_file.sample_of(sampled, self._learner.progress)
            sample_file.append(self._run.samples, line)
        return sampled

    def _sampled(self) -> Sampled:
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
