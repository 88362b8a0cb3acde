"""A run in training, put together from its parts."""

from contextlib import nullcontext

from charrnn.config import Config
from charrnn.runs.events import Evaluated, Finished, RolledBack, Started, Stepped
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.text.corpus import Corpus
from charrnn.training.budget import Budget
from charrnn.training.learner import Learner
from charrnn.training.plan import Workload
from charrnn.training.rollback import diverged, roll_back
from charrnn.training.samples import Sampler
from charrnn.training.saving import Saver
from charrnn.training.validation import Validator


class Session:
    """The learner of a run, and the parts that evaluate, save and sample beside its steps.

    The learner holds all that training changes. The other parts tell from its progress whether
    they are due, and act on what it has learnt by then.
    """

    def __init__(self, run: Run, corpus: Corpus, config: Config, learner: Learner) -> None:
        self.run, self.corpus, self.config, self.learner = run, corpus, config, learner
        self.ranks = learner.ranks
        self.saver = Saver(run, self.learner)
        self.validator = Validator(run, corpus, self.learner, self.saver)
        self.sampler = Sampler(run, self.learner)
        self.evaluations: list[Evaluated] = []
        """All evaluations of the session."""
        self.budget: Budget | None = None
        """The time that the plan may take, where it is one by time and began in this session."""
        self.most_steps: int | None = None
        """The plan is not longer than this, however much time there is."""

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.learner.progress

    @property
    def workload(self) -> Workload:
        """What the number of steps in a plan depends on."""
        options = self.config.training
        return Workload(
            windows=self.learner.streams.windows,
            step_characters=options.batch_size * options.seq_length,
            evaluation_characters=len(self.validator.ids),
            eval_every=options.eval_every,
        )

    def validate_on(self, characters: int) -> None:
        """Validate on the first characters alone, in this run for good."""
        self.config = self.learner.config = self.config.changed({"eval_chars": characters})
        self.validator.limit(characters)

    def step(self) -> Stepped | RolledBack:
        """Learn from the next window; if the run has diverged by then, roll it back."""
        with self.budget.step() if self.budget else nullcontext():
            stepped = self.learner.step()
        if diverged(self.progress):
            return roll_back(self.run, self.learner, self.saver)
        return stepped

    def evaluate(self) -> Evaluated:
        """Score the validation text; see `Validator`."""
        with self.budget.evaluation() if self.budget else nullcontext():
            evaluated = self.ranks.broadcast(self.validator.evaluate)
        self.share_progress()
        self.evaluations.append(evaluated)
        return evaluated

    def share_progress(self) -> None:
        """Take over what rank 0 has decided."""
        self.learner.progress = self.ranks.broadcast(lambda: self.learner.progress)

    def started(self) -> Started:
        """What is about to be trained."""
        return Started(
            run=self.run.folder,
            parameters=self.learner.trainer.model.count_params(),
            vocabulary_size=self.corpus.vocabulary.size,
            train_characters=len(self.corpus.train),
            step=self.progress.step,
            end=self.progress.end,
            seconds=None if self.budget is None else self.budget.seconds,
        )

    def finished(self) -> Finished:
        """The step and the best loss with which the plan ends."""
        return Finished(self.run.folder, self.progress.step, self.progress.best_loss_nats)
