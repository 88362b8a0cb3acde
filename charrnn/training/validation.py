"""Validation: how well the model predicts text that it does not learn from."""

from charrnn.runs import history
from charrnn.runs.events import Evaluated
from charrnn.runs.run import Run
from charrnn.text.batches import directed
from charrnn.text.corpus import Corpus
from charrnn.tf.evaluation import Evaluator
from charrnn.training.best import improves
from charrnn.training.learner import Learner
from charrnn.training.saving import Saver


class Validator:
    """Evaluates the learner regularly, and saves the weights with the lowest validation loss."""

    def __init__(self, run: Run, corpus: Corpus, learner: Learner, saver: Saver) -> None:
        config = learner.config
        self._validation, self._direction = corpus.validation, config.model.direction
        self.limit(config.training.eval_chars)
        self.evaluator = Evaluator(learner.trainer.model, config.model, corpus.vocabulary.size)
        self._run, self._learner, self._saver = run, learner, saver

    def limit(self, characters: int) -> None:
        """Validate on the first characters alone; 0: on all of them."""
        ids = self._validation[: characters or None]
        self.ids = directed(ids, self._direction)
        """Ids [N], the same characters in both directions; fewer than two validate nothing."""

    @property
    def due(self) -> bool:
        """Whether to evaluate now: every `eval_every` steps and at the plan's end, once."""
        progress = self._learner.progress
        on_time = progress.finished or progress.falls_on(progress.eval_every)
        return on_time and progress.step != progress.evaluated_step

    def evaluate(self) -> Evaluated:
        """Score the validation text, write a row of the history, and save the weights if best."""
        evaluated = self._evaluated()
        with self._learner.changing():
            self._record(evaluated)
        return evaluated

    def _record(self, evaluated: Evaluated) -> None:
        self._learner.count_time()
        history.append(self._run.history, history.row(evaluated, self._learner.progress))
        self._learner.reset_sums()
        progress = self._learner.progress
        progress.evaluated_step = evaluated.step
        progress.stale_evaluations = 0 if evaluated.is_best else progress.stale_evaluations + 1
        if evaluated.is_best:
            self._keep_best(evaluated)

    def loss_nats(self) -> float | None:
        """Validation loss in nats per character; None where there is nothing to validate on."""
        return self.evaluator.score(self.ids).nats_per_char if len(self.ids) > 1 else None

    def _evaluated(self) -> Evaluated:
        progress, loss = self._learner.progress, self.loss_nats()
        return Evaluated(
            step=progress.step,
            epoch=progress.epoch,
            train_loss_nats=progress.train_loss_nats,
            val_loss_nats=loss,
            learning_rate=self._learner.learning_rate,
            is_best=improves(loss, progress),
            gradient_norm=progress.gradient_norm,
        )

    def _keep_best(self, evaluated: Evaluated) -> None:
        progress = self._learner.progress
        progress.best_loss_nats, progress.best_step = evaluated.val_loss_nats, evaluated.step
        self._saver.save_best()
