"""Layers, origins, refusals."""

import os
import re
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.resources import config_dir
from service.settings import known_paths, load, recorded


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("ANNALS_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)


def refusal(**overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load({path.replace("__", "."): value for path, value in overrides.items()})
    return f"{caught.value.message} {caught.value.hint}"


def test_development_is_the_default_environment() -> None:
    settings = load()
    assert settings.environment == "development"
    assert settings.api.development_key == "test-key"
    assert settings.database.url is None


def test_production_has_no_key_that_everybody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_ENV", "production")
    settings = load()
    assert settings.api.development_key is None
    assert settings.webhooks.allow_http_localhost is False


def test_each_layer_wins_over_the_one_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def look(overrides: dict[str, object] | None = None) -> None:
        settings = load({"environment": "test", **(overrides or {})})
        seen.append((settings.worker.grace_seconds, settings.origin("worker.grace_seconds")))

    look()
    user_file = tmp_path / "mine.toml"
    user_file.write_text("[worker]\ngrace_seconds = 3\n")
    monkeypatch.setenv("ANNALS_CONFIG", str(user_file))
    look()
    monkeypatch.setenv("ANNALS_WORKER__GRACE_SECONDS", "4")
    look()
    look({"worker.grace_seconds": 5})
    assert seen == [
        (2, "environments/test.toml"),
        (3, str(user_file)),
        (4, "ANNALS_WORKER__GRACE_SECONDS"),
        (5, "command line"),
    ]


def test_a_layer_changes_only_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_WORKER__THREADS", "3")
    settings = load()
    assert (settings.worker.threads, settings.worker.concurrency) == (3, 10)
    assert settings.origin("worker.concurrency") == "default.toml"


def test_database_url_is_honoured_and_the_own_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://one")
    assert load().database.url == "postgresql://one"
    assert load().origin("database.url") == "DATABASE_URL"
    monkeypatch.setenv("ANNALS_DATABASE__URL", "postgresql://two")
    assert load().database.url == "postgresql://two"
    monkeypatch.setenv("ANNALS_DATABASE__URL", "null")
    assert load().database.url is None


@pytest.mark.parametrize("text", ["a,b", " a , b ,", '["a", "b"]'])
def test_a_list_in_a_variable_is_words_or_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ANNALS_WORKER__QUEUES", text)
    assert load().worker.queues == ["a", "b"]


def test_task_types_are_overridden_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_TASK_TYPES__COVERAGE_REFRESH__PRIORITY", "3")
    policy = load().task_types["coverage_refresh"]
    assert (policy.priority, policy.queue) == (3, None)


def test_home_is_absolute_wherever_it_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNALS_HOME", "data")
    assert load().home == tmp_path / "data"
    assert load().origin("home") == "ANNALS_HOME"


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_WORKER__CONCURENCY", "5")
    assert "Did you mean ANNALS_WORKER__CONCURRENCY?" in refusal()


def test_an_unknown_name_in_a_file_is_refused_with_file_and_nearest_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user_file = tmp_path / "mine.toml"
    user_file.write_text("[api]\nprot = 9000\n")
    monkeypatch.setenv("ANNALS_CONFIG", str(user_file))
    assert refusal() == f"Unknown setting api.prot (from {user_file}). Did you mean api.port?"


def test_an_unknown_environment_names_those_there_are() -> None:
    assert "development, production, test" in refusal(environment="prod")


def test_a_value_of_the_wrong_kind_names_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_API__PORT", "many")
    assert "Setting api.port (from ANNALS_API__PORT)" in refusal()


def test_a_list_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_WORKER__QUEUES", "[a")
    assert "worker.queues (from ANNALS_WORKER__QUEUES)" in refusal()


def test_a_worker_must_fence_itself_before_it_is_given_up() -> None:
    text = refusal(worker__self_fence_seconds=40)
    assert "heartbeat_seconds < self_fence_seconds < lost_after_seconds" in text
    assert "from command line" in text


def test_a_pool_larger_than_its_limit_is_refused() -> None:
    assert "pool_min (20) is above pool_max (10)" in refusal(database__pool_min=20)


def test_progress_at_least_less_often_than_at_most_is_refused() -> None:
    assert "progress_min_seconds" in refusal(worker__progress_min_seconds=11)


@pytest.mark.parametrize("content", [None, "[api"])
def test_a_user_file_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_text(content)
    monkeypatch.setenv("ANNALS_CONFIG", str(path))
    assert str(path) in refusal()


def test_settings_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().api.port = 1


def test_every_setting_is_documented_in_the_default_file() -> None:
    text = (config_dir() / "default.toml").read_text()
    for path in known_paths():
        name = path.split(".")[-1]
        assert path == "environment" or re.search(rf"(?m)^(# )?(\[{name}\]|{name} = )", text), path


def test_a_password_does_not_show_in_the_settings_text() -> None:
    settings = load({"database.url": "postgresql://u:verborgen@host/name", "api.development_key": "hidden"})
    assert "verborgen" not in repr(settings) and "hidden" not in repr(settings)


def test_recorded_settings_come_from_the_record_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://here/now")
    monkeypatch.setenv("ANNALS_API__PORT", "1234")
    there = load({"database.url": None, "api.port": 4321}).model_dump(mode="json")
    there["coverage"] = {"default_target": 3, "of_a_later_release": True}
    settings = recorded(there)
    assert (settings.database.url, settings.api.port) == (None, 4321)
    assert (settings.coverage.default_target, settings.coverage.chunk_chars) == (3, 1000)
    assert settings.origin("api.port") == "record"


def test_recorded_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"api\.port \(from record\)"):
        recorded({"api": {"port": "many"}})
