"""A run in training: its learner, its plan, and what is done beside the steps."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext

from charrnn.config import Config, Plan, TrainingConfig
from charrnn.runs.events import Evaluated, Note, RolledBack, Started, Stepped
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.text.corpus import Corpus
from charrnn.training.duties import PATIENCE, Sampler, Saver, Validator, roll_back
from charrnn.training.learner import Learner
from charrnn.training.machine import operations_per_second
from charrnn.training.notes import (
    describe_part,
    describe_plan,
    describe_settled,
    describe_start,
)
from charrnn.training.plan import (
    DEFAULT_EPOCHS,
    Budget,
    Workload,
    evaluation_characters,
    evaluations_in,
    move_end,
    plan_steps,
    seconds_of,
)
from charrnn.training.recipe import characters_per_second, refuse_short_plan

Advise = Callable[[int], Config]

SAMPLES = 4
"""Samples shown in a plan, where the user asks for no other number."""
FALLEN_SHORT = 2
"""A plan that has so many times fewer steps than foreseen says so."""
SETTLED = 0.05
"""Rates that differ by less from those for the steps as they were foreseen are kept."""
WORTH_COMPILING = 5
"""A step is compiled anew where so many times as long is left."""
LAST_INTERVAL = 0.5
"""A plan by time ends so far from its last evaluation but one, in intervals of the others: where
the machine becomes a little faster or slower, the two do not meet."""


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
        self.advise: Advise | None = None
        """Choose anew, for another number of steps, what the user has left open and what can still
        be changed; None in a run that is resumed."""
        self.foreseen_steps = 0
        """How many steps the plan was last said to have."""

    @property
    def progress(self) -> Progress:
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
        self.config = self.learner.config = self.config.changed({"eval_chars": characters})
        self.validator.limit(characters)

    def step(self) -> Stepped | RolledBack:
        """Learn from the next window; if the run has diverged by then, roll it back."""
        with self.budget.step() if self.budget else nullcontext():
            stepped = self.learner.step()
        if self.progress.skipped_in_a_row >= PATIENCE:
            return roll_back(self.run, self.learner, self.saver)
        return stepped

    def review(self) -> Iterator[Note]:
        """Review a plan by time where rank 0's budget says that it is due."""
        if self.ranks.agreed(self.budget is not None and self.budget.due):
            notes = list(self._review(self.budget)) if self.budget and self.ranks.first else []
            self.share_progress()
            yield from notes
            self.config = self.ranks.broadcast(lambda: self.config)
            if self.config.rates != self.learner.config.rates:
                self.learner.change(self.config)

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
            spent_seconds=0.0 if self.budget is None else self.budget.spent_seconds,
        )

    def set_plan(self, plan: Plan, begin: float) -> Iterator[Note]:
        """Set how many steps the session is to take, counted from the present one.

        A plan by time begins with a guess, which `review` replaces once steps have been timed.
        """
        progress, workload = self.progress, self.workload
        progress.start, progress.windows = progress.step, workload.windows
        progress.rate_scale, progress.rollbacks = plan.warm_restart or 1.0, 0
        progress.decay_from, progress.decayed, progress.stale_evaluations = None, 0.0, 0
        if plan.needs_speed:
            self.budget = Budget(seconds_of(plan), begin)
            self.most_steps = round(DEFAULT_EPOCHS * workload.windows) if plan.empty else None
            size, rate = self.corpus.vocabulary.size, operations_per_second() * progress.ranks
            refuse_short_plan(plan, self.config, size, rate, self.budget.left)
            characters = characters_per_second(self.config, size, rate) * self.budget.left
            steps = max(1, round(characters / workload.step_characters))
            steps = self.foreseen_steps = min(steps, self.most_steps or steps)
        else:
            steps = plan_steps(plan, workload.windows)
            yield from describe_plan(steps, workload.windows)
        progress.end = progress.step + steps
        self.set_cadence(-(-steps // workload.evaluations(steps)))

    def set_cadence(self, eval_every: int | None = None) -> None:
        """Set how often to evaluate, sample and save: as the settings say, or evenly over the plan.

        Without a number of steps, evaluations stay as far apart as they are.
        """
        options, progress = self.config.training, self.progress
        steps = progress.end - progress.start
        progress.eval_every = options.eval_every or eval_every or progress.eval_every
        every = options.sample_every
        progress.sample_every = max(1, -(-steps // SAMPLES)) if every is None else every
        progress.checkpoint_every = options.checkpoint_every or progress.eval_every

    def _review(self, budget: Budget) -> Iterator[Note]:
        """Move the end of a plan by time to where its time is over, if it is not there.

        The first review also decides how often to evaluate: that stays.
        """
        progress, first = self.progress, not budget.step_seconds
        budget.review()
        if first:
            yield from self._prepare_evaluations(budget)
        taken = progress.step - progress.start
        steps = max(0 if taken else 1, budget.steps_to_the_end(taken, progress.eval_every))
        if self.most_steps is not None:
            steps = min(steps, self.most_steps - taken)
        end = progress.step + steps
        if first or budget.is_off(end - progress.end):
            with self.learner.changing():
                move_end(self.config.training, progress, end)
                self.set_cadence()
        steps = progress.end - progress.start
        if first:
            yield from describe_plan(steps, progress.windows, "about ")
            yield from describe_start(budget)
        if first or FALLEN_SHORT * steps < self.foreseen_steps:
            yield from self._settle(budget, steps, first)

    def _settle(self, budget: Budget, steps: int, first: bool) -> Iterator[Note]:
        """Choose for the steps that the plan has, if they are other than foreseen.

        That costs another compilation, and is done where the time that is left is worth it.
        """
        before, foreseen, self.foreseen_steps = self.config, self.foreseen_steps, steps
        if self.advise and first and budget.left > WORTH_COMPILING * budget.compiled_seconds:
            rates = self.advise(steps).rates
            if max(abs(rates[name] - old) for name, old in before.rates.items()) > SETTLED:
                self.config = self.config.changed(rates)
                budget.restart()
        if FALLEN_SHORT * steps < foreseen or self.config != before:
            yield from describe_settled(steps, foreseen, self.progress.windows, before, self.config)

    def _prepare_evaluations(self, budget: Budget) -> Iterator[Note]:
        """Set how often a plan by time evaluates, and how many characters.

        A run that has been evaluated keeps its characters, so that its losses can be compared; a
        number that the user asked for stays too.
        """
        progress = self.progress
        each = budget.step_seconds / self.workload.step_characters  # it is less
        if budget.left > 0:
            with budget.aside():
                each = self.validator.seconds_each()
        asked_for = self.config.training.eval_chars != TrainingConfig.eval_chars
        if not asked_for and not progress.evaluated_step:
            characters = len(self.validator.ids)
            part = evaluation_characters(characters, each, budget.left)
            if part < characters:
                self.validate_on(part)
                yield from describe_part(part, characters)
        budget.evaluation_seconds = each * len(self.validator.ids)
        evaluations = evaluations_in(budget.left, budget.evaluation_seconds)
        steps = progress.step - progress.start + budget.steps_left(evaluations)
        with self.learner.changing():
            self.set_cadence(math.ceil(steps / (evaluations - LAST_INTERVAL)))

    def stop_early(self) -> Iterator[Note]:
        """End the plan here where the user's patience is over."""
        progress, patience = self.progress, self.config.training.patience
        if patience is None or progress.finished or progress.stale_evaluations < patience:
            return
        with self.learner.changing():
            progress.end = progress.step
        yield Note(
            f"stopped early: the last {patience} evaluations were not below the lowest validation"
            f" loss, that of step {progress.best_step:,} (`patience`)"
        )
