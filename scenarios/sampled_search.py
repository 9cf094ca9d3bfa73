"""Points to try next by Optuna's tree-structured Parzen estimator, seeded for every trial.

For spaces too large for one knob at a time. The sampler is seeded anew from (seed, number
of the trial), so that a search that was cut off and goes on from its kept scores asks for
the same points as one that was not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

Ask = Callable[[dict[str, Any]], float]


def sampled_search(
    space: dict[str, list[Any]], tell: Ask, *, trials: int, seed: int, startup: int = 8
) -> None:
    """Ask for `trials` settings of `space`, each told its score by `tell`; less is better.

    Parameters
    ----------
    space : parameter -> values to choose among
    tell : takes a setting, returns its score
    startup : int, settings drawn by chance before the estimator knows enough
    """
    import optuna  # noqa: PLC0415  (a second to load, and few commands search)

    logging.getLogger("optuna").setLevel(logging.WARNING)
    study = optuna.create_study(direction="minimize")
    for number in range(trials):
        word = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=word, n_startup_trials=startup)
        trial = study.ask()
        # Chosen by place: a value may be of any kind, and equal ones of two kinds stay two.
        setting = {
            name: values[trial.suggest_categorical(name, list(range(len(values))))]
            for name, values in space.items()
        }
        study.tell(trial, tell(setting))
