"""How a worker is started: queues, threads and Celery options of each role."""

import pytest

from tasks.errors import SettingsError
from tasks.settings import ModelSettings, Settings
from workers.worker.run import Role, WorkerOptions, celery_arguments, environment_of, queues_of


def settings(*names: str) -> Settings:
    models = [
        ModelSettings(name=name, litellm=f"openai/{name}", input_price=1, output_price=1) for name in names
    ]
    return Settings(models=tuple(models))


def test_embedding_processes_share_the_cores_and_the_others_use_one_thread() -> None:
    assert environment_of(Role.EMBED, 2, cores=8)["OMP_NUM_THREADS"] == "4"
    assert environment_of(Role.EMBED, 16, cores=8)["OMP_NUM_THREADS"] == "1"
    assert environment_of(Role.ROUTE, 1, cores=8)["OMP_NUM_THREADS"] == "1"
    assert environment_of(Role.DISPATCH, 1, cores=8)["MKL_NUM_THREADS"] == "1"


def test_only_dispatching_whose_threads_take_turns_shares_its_heaps() -> None:
    assert environment_of(Role.DISPATCH, 1, cores=8)["MALLOC_ARENA_MAX"] == "2"
    assert "MALLOC_ARENA_MAX" not in environment_of(Role.EMBED, 1, cores=8)


def test_a_dispatch_worker_consumes_the_queues_of_all_models_or_of_those_named() -> None:
    assert queues_of(settings("a", "b"), Role.DISPATCH) == ["dispatch.a", "dispatch.b"]
    assert queues_of(settings("a", "b"), Role.DISPATCH, ("b",)) == ["dispatch.b"]
    assert queues_of(settings(), Role.EMBED) == ["embed"]


def test_a_dispatch_worker_refuses_an_unknown_model_and_no_models_at_all() -> None:
    with pytest.raises(SettingsError, match="no model 'c'"):
        queues_of(settings("a"), Role.DISPATCH, ("c",))
    with pytest.raises(SettingsError, match=r"no models: add \[\[models\]\]"):
        queues_of(settings(), Role.DISPATCH)


def test_workers_send_events_and_do_not_talk_to_each_other() -> None:
    options = WorkerOptions(role=Role.ROUTE, concurrency=3)
    arguments = celery_arguments(options, ["route"], node="route@here-1")
    assert {"--task-events", "--without-mingle", "--without-gossip"} <= set(arguments)
    assert arguments[arguments.index("--concurrency") + 1] == "3"
    assert arguments[arguments.index("--queues") + 1] == "route"
    assert arguments[arguments.index("--hostname") + 1] == "route@here-1"
