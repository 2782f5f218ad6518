// How a report's page looks.
#pragma once

namespace gladius::train {

inline constexpr const char* kHtmlStyle = R"(
:root { color-scheme: light dark; --page: #ffffff; --panel: #f5f6f9; --text: #1b2230; --soft: #5a6475;
        --edge: #dde1e8; --s0: #3b55c4; --s1: #c4551b; --s2: #1f7a4d; --bar: #3b55c4; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171d; --panel: #1d222b; --text: #e4e8ef; --soft: #98a3b5; --edge: #313846;
          --s0: #8ea4ff; --s1: #f0a063; --s2: #6fd3a0; --bar: #8ea4ff; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--text);
       font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.page { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 3rem; max-width: 74rem;
        margin: 0 auto; padding: 0 1.5rem 4rem; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto;
      padding: 2.6rem 0 1rem; font-size: 13.5px; }
nav a { display: block; padding: .22rem .7rem; color: var(--soft); text-decoration: none;
        border-left: 2px solid var(--edge); }
nav a:hover { color: var(--text); border-color: var(--bar); }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 2.4rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.22rem; margin: 2.6rem 0 .8rem; padding-top: .9rem;
     border-top: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
p { margin: .5rem 0 .9rem; max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .5rem 0 1.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: .34rem 1.4rem .34rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--edge); }
th { color: var(--soft); font-weight: 600; font-size: 13px; white-space: nowrap; }
td { overflow-wrap: break-word; max-width: 34rem; }
time { white-space: nowrap; }
.n { text-align: right; white-space: nowrap; padding: .34rem 0 .34rem 1.4rem; }
pre { background: var(--panel); border-radius: 6px; padding: .8rem 1rem; margin: .5rem 0 1.2rem;
      overflow: auto; max-height: 26rem; font-size: 13px; line-height: 1.45; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .7rem;
     margin: .6rem 0 1.2rem; }
dl div { background: var(--panel); border-radius: 6px; padding: .6rem .85rem; }
dt { color: var(--soft); font-size: 12.5px; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
details { border: 1px solid var(--edge); border-radius: 6px; margin: .6rem 0 1rem; }
summary { cursor: pointer; padding: .5rem .85rem; color: var(--soft); }
details > .scroll, details > pre { margin: 0 .85rem .85rem; max-height: 34rem; overflow: auto; }
figure { display: inline-block; vertical-align: bottom; width: calc(50% - .4rem); margin: 0 0 1.2rem;
         padding: 0 1rem 0 4rem; overflow: hidden; }
figcaption { margin: 0 0 .2rem; font-size: 14px; white-space: nowrap; }
.key { fill: var(--ink); }
.s0 { --ink: var(--s0); }
.s1 { --ink: var(--s1); }
.s2 { --ink: var(--s2); }
svg { display: block; width: 100%; }
svg.plot, svg.plot svg { overflow: visible; }
svg text { font-size: 11.5px; fill: var(--soft); font-variant-numeric: tabular-nums; }
text.y { text-anchor: end; }
text.x { text-anchor: middle; }
line.grid { stroke: var(--edge); }
line.mark { stroke: var(--soft); stroke-dasharray: 3 4; }
path.line { fill: none; stroke: var(--ink); stroke-width: 1.8; stroke-linejoin: round;
            stroke-linecap: round; vector-effect: non-scaling-stroke; }
path.band { fill: var(--ink); opacity: .18; }
.at rect { fill: transparent; }
.at line { stroke: var(--soft); }
.at circle { fill: var(--ink); stroke: var(--page); stroke-width: 1.5; }
.at text { fill: var(--text); }
svg.plot:has(.at:hover) .last { visibility: hidden; }
.at > :not(rect) { visibility: hidden; pointer-events: none; }
.at:hover > * { visibility: visible; }
.tokens { line-height: 1.3; margin: .8rem 0 1.4rem; }
.column { display: inline-flex; flex-direction: column; vertical-align: top; margin: 0 .15rem .5rem 0;
          border-left: 1px solid var(--edge); }
.row { display: flex; min-height: 1.45rem; }
.row + .row { color: var(--soft); font-size: 12.5px; }
.token { padding: .08rem .2rem; border-right: 1px dotted var(--edge); white-space: pre;
         background: color-mix(in srgb, var(--s1) var(--heat, 0%), transparent); }
.b1 { --heat: 9%; }
.b2 { --heat: 18%; }
.b3 { --heat: 27%; }
.b4 { --heat: 36%; }
.b5 { --heat: 45%; }
.b6 { --heat: 54%; }
.b7 { --heat: 63%; }
.b8 { --heat: 72%; }
.b9 { --heat: 81%; }
@media (max-width: 52rem) {
  .page { display: block; padding: 0 1rem 3rem; }
  nav { position: static; max-height: none; padding: 1rem 0 .4rem; white-space: nowrap;
        overflow: auto hidden; }
  nav a { display: inline-block; border-left: 0; padding: .15rem .8rem .15rem 0; }
  h1 { margin-top: 1.4rem; font-size: 1.45rem; }
  table { font-size: 13px; }
  th, td { padding-right: .7rem; }
  .n { padding: .34rem 0 .34rem .7rem; }
  dl { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  figure { width: 100%; padding-right: .4rem; }
}
@media print {
  nav { display: none; }
  .page { display: block; }
  pre { max-height: none; }
}
)";

}  // namespace gladius::train
