"""The HTML and CSS of the report page, with a placeholder for each of its parts."""

from string import Template

PAGE = Template("""<!doctype html>
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
.verdict { font-weight: 600; color: #1f2933; }
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
$strategies
<p class="note">± is one standard error by a paired bootstrap over prompts. Headroom is the part of the way
from the best single model to an oracle that knows every score. A choice is right (best-set) when its score
equals the best; strict top-1 looks at prompts with one best model only. Asked: the share that the pairwise
classifier decided. Equal quality: the cost weight is chosen on one half of the prompts and used on the other,
both ways.</p>
$trades
$curves
<h2>Pictures</h2>
<div class="pictures">$plots</div>
<h2>Categories</h2>
$categories
<h2>Win rates against single models</h2>
$wins
<p class="note">Left the paper's count: 0.5 for the same choice, 1 for strictly better, so that a tie of two
models counts nothing. Right the fair one, with every tie at a half.</p>
</main>
</html>
""")
