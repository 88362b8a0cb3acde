"""Training, from what the user asks for to a generator of events.

`loop` begins a session (`begin`, `plan`, `speed`) and carries its plan out. A session consists of
the learner (`learner`, `step`, `schedule`) and of what is done beside its steps: `validation` with
the `history`, `saving`, `samples` with the `sample_file`, and `rollback` where the run diverges.
"""
