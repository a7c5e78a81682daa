"""The style of the page; colours are told apart without red and green, in light and dark."""

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f5f6f8; --text: #1d2330; --soft: #5b6473; --rule: #d5d9e0;
  --right: #0b6e4f; --wrong: #b42318; --undecided: #7a5b00;
  --own: #d9480f; --derived: #1c5fb8;
  --in0: #eef3f9; --in1: #c5d9ee; --in2: #85aed6;
  --out1: #f8cf7a; --out2: #f0993a; --out3: #d9541e; --out4: #99200f;
  --bad: #1d2330; --none: #dddddd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171d; --card: #1d222b; --text: #e6e9ef; --soft: #9aa4b5; --rule: #343b48;
    --right: #4fc59a; --wrong: #ff8a7a; --undecided: #e3b341;
    --own: #ff9a5c; --derived: #7cb4ff;
    --in0: #20262f; --in1: #2b415c; --in2: #4a79ab;
    --out1: #8a6414; --out2: #c67a1c; --out3: #f08a3c; --out4: #ffc9a8;
    --bad: #ffffff; --none: #3a3f48;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
h1 .right, dd.right { color: var(--right); }
h1 .wrong, dd.wrong { color: var(--wrong); }
h1 .undecided { color: var(--undecided); }
code, pre, td.number { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .875rem; }
pre { overflow-x: auto; padding: .8rem; background: var(--page); border: 1px solid var(--rule);
  border-radius: 6px; }
.soft { color: var(--soft); }
.card { background: var(--card); border-radius: 8px; padding: 1rem; margin: .8rem 0; }
.card p { margin: .3rem 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; }
td.number { text-align: right; white-space: nowrap; }
summary { cursor: pointer; color: var(--soft); }
.figures { display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; align-items: flex-start; }
figure { margin: 0; max-width: 100%; overflow-x: auto; }
.charts figure { width: 33rem; } .charts svg { max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 36rem; }
.legend { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .2rem .8rem; }
.swatch { white-space: nowrap; } .swatch svg { vertical-align: -2px; }
svg text { fill: var(--text); font: 12px system-ui, sans-serif; }
svg .axis, svg .tick { fill: var(--soft); font-size: 11px; }
svg .name, svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
.grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
.own { stroke: var(--own); } .derived { stroke: var(--derived); stroke-dasharray: 6 4; }
.key { display: inline-block; width: 1.6rem; border-top: 3px solid; vertical-align: middle; }
.key.own { border-color: var(--own); }
.key.derived { border-color: var(--derived); border-top-style: dashed; }
.in0 { fill: var(--in0); } .in1 { fill: var(--in1); } .in2 { fill: var(--in2); }
.out1 { fill: var(--out1); } .out2 { fill: var(--out2); } .out3 { fill: var(--out3); }
.out4 { fill: var(--out4); } .bad { fill: var(--bad); } .none { fill: var(--none); }
rect { stroke: var(--rule); stroke-width: .5; }
"""
