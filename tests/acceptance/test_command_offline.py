"""Commands that need no server: train, evaluate, route; and the demo, which starts its own."""

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command import assert_exit, waybill
from tests.support.comparisons import assert_fields
from workers.demo.data.labelled import LABELLED_PATH

PRICES = "".join(
    f'[[models]]\nname = "{name}"\nlitellm = "openai/{name}"\ninput_price = {price}\noutput_price = {price}\n'
    for name, price in {"sim-nano": 0.1, "sim-coder": 0.5, "sim-writer": 0.6, "sim-large": 2.0}.items()
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    rows = LABELLED_PATH.read_text().splitlines(keepends=True)
    (directory / "train.jsonl").write_text("".join(rows[:150]))
    (directory / "test.jsonl").write_text("".join(rows[150:200]))
    ended = waybill("train", "train.jsonl", "-o", "router", cwd=directory)
    assert_exit(ended, 0)
    assert ended.stdout == "router\n"
    return directory


def test_evaluation_compares_with_the_best_single_model(trained: Path) -> None:
    arguments = ("evaluate", "test.jsonl", "--router", "router", "--report", "report")
    ended = waybill(*arguments, "--json", cwd=trained)
    assert_exit(ended, 0)
    assert ended.stderr.splitlines()[-1].endswith((trained / "report" / "report.html").resolve().as_uri())
    figures = json.loads(ended.stdout)
    ways = figures["ways"]
    assert {"best single", "oracle", "router: saving"} <= set(ways)
    assert ways["best single"]["quality"]["value"] <= ways["oracle"]["quality"]["value"]
    assert json.loads((trained / "report" / "evaluation.json").read_text()) == figures
    assert "best single" in (trained / "report" / "evaluation.md").read_text()
    assert "data:image/png;base64," in (trained / "report" / "report.html").read_text()
    assert (trained / "report" / "model_mix.png").read_bytes().startswith(b"\x89PNG")


def test_prompts_of_the_training_are_refused_or_flagged(trained: Path) -> None:
    arguments = ("evaluate", "train.jsonl", "--router", "router", "--json")
    refused = waybill(*arguments, cwd=trained)
    assert_exit(refused, 1)
    assert "learnt from the prompts of all 150 rows" in refused.stderr
    flagged = waybill(*arguments, "--include-training", cwd=trained)
    assert_exit(flagged, 0)
    assert "NOT HELD OUT" in flagged.stderr
    assert json.loads(flagged.stdout)["held_out"] is False


def test_routing_writes_one_decision_for_each_prompt_without_a_server(trained: Path) -> None:
    ended = waybill("route", "test.jsonl", "--router", "router", "-o", "decisions.jsonl", cwd=trained)
    assert_exit(ended, 0)
    decisions = [json.loads(line) for line in (trained / "decisions.jsonl").open()]
    assert [row["id"] for row in decisions] == [f"demo-{number:04d}" for number in range(150, 200)]
    keys = {"id", "model", "category", "predicted", "gap", "used_fallback", "reason"}
    assert [row for row in decisions if set(row) != keys] == []
    assert not (trained / ".waybill" / "run").exists()


def test_routing_reads_and_writes_files_as_submit_and_results_do(trained: Path) -> None:
    (trained / "a.csv").write_text("question;nr\nWrite a poem.;1\n")
    (trained / "b.csv.gz").write_bytes(gzip.compress(b"question;nr\nSort a list.;2\n"))
    asked = ("route", "[ab].csv*", "--router", "router", "--prompt-column", "question", "--id-column", "nr")
    ended = waybill(*asked, "-o", "routed.jsonl.gz", cwd=trained)
    assert_exit(ended, 0)
    decisions = gzip.decompress((trained / "routed.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line)["id"] for line in decisions] == ["1", "2"]


def test_a_budget_narrows_the_choice_to_what_it_pays_for(trained: Path) -> None:
    arguments = ("route", "test.jsonl", "--router", "router", "--budget-per-1000")
    (trained / "waybill.toml").write_text(PRICES)
    models = [
        {json.loads(line)["model"] for line in waybill(*arguments, budget, cwd=trained).stdout.splitlines()}
        for budget in ("0", "1000")
    ]
    (trained / "waybill.toml").unlink()
    assert models[0] == {"sim-nano"}
    assert models[1] - {"sim-nano"} != set()


def test_a_routing_budget_without_prices_is_refused_and_one_that_cannot_be_kept_is_told(
    trained: Path, tmp_path: Path
) -> None:
    file, router = str(trained / "test.jsonl"), str(trained / "router")
    route = ("route", file, "--router", router, "--budget-per-1000", "0.001")
    refused = waybill(*route, cwd=tmp_path)
    assert_exit(refused, 1)
    assert "needs the price of every model; not known: sim-" in refused.stderr
    (tmp_path / "waybill.toml").write_text(PRICES)
    routed = waybill(*route, cwd=tmp_path)
    assert_exit(routed, 0)
    told = "the routing budget of $0.001 per 1,000 prompts cannot be kept: $"
    assert f"warning: {told}" in routed.stderr
    dry_run = ("submit", file, "--dry-run", "--budget-per-1000", "0.001")
    estimated = waybill(*dry_run, cwd=tmp_path, environment={"WAYBILL_ROUTER__PATH": router})
    assert told in estimated.stdout
    both = waybill(*dry_run, "--json", cwd=tmp_path, environment={"WAYBILL_ROUTER__PATH": router})
    found = json.loads(both.stdout)
    (warning,) = found["warnings"]
    expected = float(warning.partition("kept: $")[2].split()[0])
    mix = found["mix"]
    assert expected == pytest.approx(1000 * mix["cost_usd"] / sum(mix["models"].values()), rel=1e-3)
    as_json = waybill(*dry_run, "--json", cwd=tmp_path)
    assert json.loads(as_json.stdout)["warnings"] == ["the routing budget has no effect without a router"]
    (tmp_path / "waybill.toml").write_text(
        PRICES.replace("input_price = 0.5\noutput_price = 0.5", "allow_unpriced = true")
    )
    unpriced = waybill(*dry_run, cwd=tmp_path)
    assert_exit(unpriced, 1)
    assert "not known: sim-coder" in unpriced.stderr


def test_a_budget_and_a_cost_weight_are_evaluated_and_every_policy_gets_a_verdict(trained: Path) -> None:
    options = ("--budget-per-1000", "0.00001", "--cost-weight", "0.3", "--report", "traded")
    shown = waybill("evaluate", "test.jsonl", "--router", "router", *options, cwd=trained)
    assert_exit(shown, 0)
    pages = [
        shown.stdout,
        *((trained / "traded" / name).read_text() for name in ("evaluation.md", "report.html")),
    ]
    for page in pages:
        for policy in ("quality", "saving", "weighted", "cargo", "budget"):
            assert f"This router (policy {policy}) " in page
        assert "The budget of $1e-05 per 1,000 prompts is exceeded by" in page
        assert "--quality-floor 0.02" in page
        assert "--cost-weight 0.3" in page
    assert shown.stdout.startswith("This router (policy budget) ")
    assert re.search(r"^always sim-\w+, the best of these in hindsight ", shown.stdout, re.MULTILINE)
    assert re.search(r"^\| best single \(in hindsight\): sim-\w+ ", pages[1], re.MULTILINE)


def test_an_explanation_names_labelled_prompts_of_the_training(trained: Path) -> None:
    ended = waybill("route", "test.jsonl", "--router", "router", "--explain", cwd=trained)
    assert_exit(ended, 0)
    decisions = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row for row in decisions if not row["explanation"].startswith(f"{row['model']}: ")] == []
    named = {name for row in decisions for name in row["explanation"].rsplit("most like ", 1)[1].split(", ")}
    assert named <= {f"demo-{number:04d}" for number in range(150)}


def test_routing_keeps_a_model_that_a_request_names_and_reports_bad_lines(trained: Path) -> None:
    body = {"model": "sim-large", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    named = {"custom_id": "n", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (trained / "mixed.jsonl").write_text(json.dumps(named) + "\nnot json\n")
    ended = waybill("route", "mixed.jsonl", "--router", "router", cwd=trained)
    assert_exit(ended, 3)
    assert "mixed.jsonl, line 2" in ended.stderr
    decision = json.loads(ended.stdout)
    assert_fields(decision, model="sim-large", reason="named_model")


def test_a_sample_by_uncertainty_asks_the_router_and_needs_one(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "waybill.toml").write_text(PRICES)
    asked = ("collect", str(trained / "test.jsonl"), "--share", "0.4", "--dry-run", "--json")
    refused = waybill(*asked, "--by", "uncertainty", cwd=tmp_path)
    assert_exit(refused, 1)
    assert "there is none yet" in refused.stderr
    router = {"WAYBILL_ROUTER__PATH": str(trained / "router")}
    for by in ("random", "uncertainty"):
        found = json.loads(waybill(*asked, "--by", by, cwd=tmp_path, environment=router).stdout)
        assert found["prompts"] == 20
        assert len(found["categories"]) > 3, "of every category its share"


def test_a_changed_file_of_a_router_is_refused(trained: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(trained / "router"), str(tmp_path)], check=True)
    file = next(path for path in (tmp_path / "router").iterdir() if path.name != "manifest.json")
    file.write_bytes(file.read_bytes() + b" ")
    ended = waybill("route", str(trained / "test.jsonl"), "--router", "router", cwd=tmp_path)
    assert_exit(ended, 1)
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert file.name in ended.stderr


def test_wrong_labels_are_named_by_file_and_line(trained: Path) -> None:
    (trained / "wrong.jsonl").write_text('{"id": "a", "prompt": "p", "scores": {"m": "high"}}\n')
    ended = waybill("train", "wrong.jsonl", "-o", "other", cwd=trained)
    assert_exit(ended, 1)
    assert "wrong.jsonl, line 1: " in ended.stderr
    assert not (trained / "other").exists()


def test_the_demo_answers_everything_but_the_bad_lines_and_leaves_files_not_processes(tmp_path: Path) -> None:
    # One judge instead of three: a third of the calls.
    one_judge = {"WAYBILL_JUDGE__MODELS": '["sim-nano"]'}
    arguments = ("demo", "--requests", "320", "--judged", "250", "--home", "demo")
    ended = waybill(*arguments, cwd=tmp_path, environment=one_judge)
    assert_exit(ended, 0)
    assert "314 of 314 requests were answered by" in ended.stdout
    assert "page: http://127.0.0.1:" in ended.stderr
    for name in ("errors.jsonl", "results.jsonl", "report.md"):
        assert f"demo/{name}" in ended.stdout
    assert len(ended.stdout.splitlines()) == 6  # three sentences, and where to read on
    results = [json.loads(line) for line in (tmp_path / "demo" / "results.jsonl").open()]
    assert len(results) == 314
    assert len((tmp_path / "demo" / "errors.jsonl").read_text().splitlines()) == 6
    assert len({result["response"]["body"]["model"] for result in results}) > 1
    assert list((tmp_path / "demo" / "run").glob("*.pid")) == []
    looked = waybill("--config", "demo/waybill.toml", "status", "--json", cwd=tmp_path)
    listed = json.loads(looked.stdout)["batches"]
    after, before, tried, batch = (one for one in listed if one["purpose"] == "answer")
    assert batch["succeeded"] == 314
    _check_loop(tmp_path, tried["batch_id"])
    assert after["unfamiliar_share"] <= before["unfamiliar_share"]
    assert "a new kind" in (tmp_path / "demo" / "report.md").read_text()


def _check_loop(folder: Path, newest: str) -> None:
    """The second batch was routed by the router that judges' labels trained, and is better for it."""
    report = (folder / "demo" / "report.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.splitlines()]
    ways = {row[0]: float(row[1]) for row in rows if len(row) == 4 and row[3].startswith("$")}
    start, single, learnt, best = list(ways.values())[-4:]
    assert start < single < learnt < best, ways
    listed = json.loads(waybill("--config", "demo/waybill.toml", "routers", "--json", cwd=folder).stdout)
    promoted = [one["version"] for one in listed["events"] if one["action"] == "promoted"]
    tried = waybill("--config", "demo/waybill.toml", "results", newest, cwd=folder).stdout.splitlines()
    versions = {json.loads(line)["response"]["body"]["waybill"]["router_version"] for line in tried}
    [version] = versions
    assert version in promoted
    assert f"version {version}, trained on" in report


def test_a_dry_run_says_what_is_wrong_with_each_line_and_strict_fails(tmp_path: Path) -> None:
    (tmp_path / "waybill.toml").write_text(PRICES)
    (tmp_path / "b.jsonl").write_text('{"prompt": "fine"}\n{"instruction": "Add", "input": "1+1"}\n')
    ended = waybill("submit", "b.jsonl", "--dry-run", "--json", cwd=tmp_path)
    assert_exit(ended, 0)
    assert json.loads(ended.stdout)["invalid"] == {"missing_messages": 1}
    assert "b.jsonl, line 2: holds neither prompt nor messages" in ended.stderr
    assert "--shape alpaca" in ended.stderr
    assert "url" not in ended.stderr
    assert_exit(waybill("submit", "b.jsonl", "--dry-run", "--strict", cwd=tmp_path), 1)
