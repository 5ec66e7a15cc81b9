"""The report of an evaluation: one HTML page with its pictures inside, and nothing fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult
from router_core.evaluation.tables import format_dollars, format_number

_CAPTIONS = {
    "cost_quality": "Each dot is one weight of the cost; the line is the non-decreasing convex hull."
    " The dashed line is the best single model's quality.",
    "model_mix": "Which models each way of choosing takes.",
    "tau": "Policy cargo: below tau the pairwise classifier decides between the highest two.",
    "gap": "How far apart the two highest predicted scores are. The dotted line is the router's tau.",
    "calibration": "Deciles of what was said against what came out; on the diagonal they agree.",
    "confusion": "Prompts by labelled category and the one that the detector told.",
}
_WIDE = ("cost_quality", "model_mix", "calibration")


def page(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> str:
    """Return the page; `pictures` are PNG by name."""
    subject = evaluation.router
    version = f"router {subject.version}" if subject.version else "cross-validated router"
    return _PAGE.substitute(
        title=escape(f"Evaluation of {version}"),
        subtitle=escape(
            f"{evaluation.data.used:,} prompts, {len(subject.models)} models;"
            f" best single model of the training: {subject.best_single}"
        ),
        notes="".join(_notes(evaluation)),
        cards="".join(_cards(evaluation)),
        ways=_ways(evaluation.strategies),
        curves=_curves(evaluation),
        pictures="".join(_picture(name, pictures[name]) for name in _CAPTIONS if name in pictures),
        categories=_categories(evaluation),
        wins=_wins(evaluation),
    )


def _notes(evaluation: Evaluation) -> Iterable[str]:
    for index, note in enumerate(evaluation.data.notes()):
        kind = "warning" if index == 0 and evaluation.data.flagged else "note"
        yield f'<p class="{kind}">{escape(note)}.</p>'
    if evaluation.router.conservative_policies:
        held = ", ".join(evaluation.router.conservative_policies)
        yield f'<p class="note">{escape(f"The guard holds under: {held}")}.</p>'


def _cards(evaluation: Evaluation) -> Iterable[str]:
    quality, saving = evaluation["router: quality"], evaluation["router: saving"]
    yield _card("Headroom, policy quality", _percent(quality.headroom, signed=True))
    yield _card("Gain, policy saving", _figure(saving.gain, signed=True))
    yield _card("Relative cost, policy saving", _figure(saving.relative_cost, digits=3))
    equal = next((line for line in evaluation.strategies if line.name == "router: equal quality"), None)
    if equal is not None:
        yield _card("Cost at equal quality", _figure(equal.relative_cost, digits=3))
        yield _card("AIQ", _figure(evaluation.curves["router"].aiq))


def _card(name: str, value: str) -> str:
    return f'<div class="card"><div class="value">{value}</div><div>{escape(name)}</div></div>'


def _ways(lines: Sequence[StrategyResult]) -> str:
    head = (
        "",
        "quality",
        "headroom",
        "best-set top-1",
        "strict top-1",
        "$ per 1,000",
        "relative cost",
        "asked",
    )
    rows = [
        (
            line.name,
            _figure(line.quality),
            _percent(line.headroom, signed=True),
            _percent(line.best_set_top1),
            _percent(line.strict_top1),
            escape(format_dollars(line.cost.value)),
            _figure(line.relative_cost, digits=3),
            f"{line.fallback_share:.0%}",
        )
        for line in lines
    ]
    return _table(head, rows)


def _curves(evaluation: Evaluation) -> str:
    rows = [
        (name, _figure(curve.aiq), format_number(curve.reached_at, "never"))
        for name, curve in evaluation.curves.items()
    ]
    tables = [_table(("curve", "AIQ", "cost at equal quality, same prompts"), rows)] if rows else []
    if evaluation.two_models:
        names = next(iter(evaluation.two_models.values()))
        head = ("two models", *(name.upper().replace("_", " ") for name in names))
        ways = evaluation.two_models.items()
        tables.append(_table(head, [(way, *map(_figure, found.values())) for way, found in ways]))
    return "".join(tables)


def _categories(evaluation: Evaluation) -> str:
    head = (
        "category",
        "prompts",
        "best single",
        "gain, quality",
        "gain, saving",
        "relative cost, saving",
        "oracle",
    )
    rows = []
    for name, lines in evaluation.by_category.items():
        by_name = {line.name: line for line in lines}
        quality, saving = by_name["router: quality"], by_name["router: saving"]
        rows.append(
            (
                name,
                f"{by_name['best single'].prompts:,}",
                _figure(by_name["best single"].quality),
                _figure(quality.gain, signed=True),
                _figure(saving.gain, signed=True),
                _figure(saving.relative_cost, digits=3),
                _figure(by_name["oracle"].quality),
            )
        )
    return _table(head, rows)


def _wins(evaluation: Evaluation) -> str:
    ways = [line for line in evaluation.strategies if line.name.startswith("router: ")]
    head = ("against", *(line.name for line in ways))
    rows = [
        (
            model,
            *(
                f"{line.win_rates[model].paper.value:.1%} / {_percent(line.win_rates[model].fair)}"
                for line in ways
            ),
        )
        for model in evaluation.router.models
    ]
    return _table(head, rows)


def _picture(name: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    kind = "wide" if name in _WIDE else ""
    caption = escape(_CAPTIONS[name])
    return (
        f'<figure class="{kind}"><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column of each row is a name, the others are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr{' class=own' if row[0].startswith('router') else ''}><th>{escape(row[0])}</th>"
        + "".join(f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(figure: EstimateWithError, *, signed: bool = False, digits: int = 4) -> str:
    if figure.value != figure.value:
        return "–"
    value = f"{figure.value:+.{digits}f}" if signed else f"{figure.value:.{digits}f}"
    return _with_error(value, f"{figure.error:.{digits}f}", figure)


def _percent(figure: EstimateWithError, *, signed: bool = False) -> str:
    if figure.value != figure.value:
        return "–"
    value = f"{figure.value:+.1%}" if signed else f"{figure.value:.1%}"
    return _with_error(value, f"{figure.error:.1%}", figure)


def _with_error(value: str, error: str, figure: EstimateWithError) -> str:
    return f"{value} <small>± {error}</small>" if figure.error == figure.error else value


_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; margin: 0;
  color: #1f2933; background: #f5f7fa; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 17px; margin: 34px 0 10px; }
p { margin: 6px 0; color: #52606d; }
.warning { background: #c0392b; color: white; font-weight: 600; padding: 12px 16px; border-radius: 8px; }
.note { font-size: 13.5px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px;
  margin: 20px 0; }
.card { background: white; border: 1px solid #e4e7eb; border-radius: 8px; padding: 12px 16px;
  color: #52606d; font-size: 13px; }
.card .value { white-space: nowrap; font-size: 19px; font-weight: 600; color: #1f2933; }
.scroll { overflow-x: auto; background: white; border: 1px solid #e4e7eb; border-radius: 8px;
  margin-bottom: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px; text-align: right; white-space: nowrap; border-top: 1px solid #eef1f4; }
th:first-child { text-align: left; font-weight: 500; }
thead th { border: 0; color: #52606d; font-weight: 600; font-size: 12.5px; background: #fafbfc; }
tr.own { background: #eef5ff; }
small { color: #7b8794; }
.pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; align-items: start; }
figure { margin: 0; background: white; border: 1px solid #e4e7eb; border-radius: 8px; padding: 12px; }
figure.wide { grid-column: 1 / -1; text-align: center; }
figure img { max-width: 100%; height: auto; }
figure.wide img { max-width: 860px; width: 100%; }
figcaption { color: #52606d; font-size: 12.5px; text-align: left; }
@media (max-width: 800px) { .pictures { grid-template-columns: 1fr; } }
</style>
<main>
<h1>$title</h1>
<p>$subtitle</p>
$notes
<div class="cards">$cards</div>
<h2>Ways of choosing</h2>
$ways
<p class="note">± is one standard error by a paired bootstrap over prompts. Headroom is the part of the way
from the best single model to an oracle that knows every score. A choice is right (best-set) when its score
equals the best; strict top-1 looks at prompts with one best model only. Asked: the share that the pairwise
classifier decided. Equal quality: the cost weight is chosen on one half of the prompts and used on the other,
both ways.</p>
$curves
<h2>Pictures</h2>
<div class="pictures">$pictures</div>
<h2>Categories</h2>
$categories
<h2>Win rates against single models</h2>
$wins
<p class="note">Left the paper's count: 0.5 for the same choice, 1 for strictly better, so that a tie of two
models counts nothing. Right the fair one, with every tie at a half.</p>
</main>
</html>
""")
