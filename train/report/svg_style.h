// How a plot looks that is a file of its own.
#pragma once

namespace gladius::train {

/// The page's colours (html_style.h), without variables, which few readers but browsers know.
inline constexpr const char* kSvgStyle = R"(
svg { overflow: visible; }
.page { fill: #ffffff; }
text { font: 11.5px system-ui, "DejaVu Sans", sans-serif; fill: #5a6475; }
text.title { font-size: 14px; font-weight: 700; fill: #1b2230; }
text.y { text-anchor: end; }
text.x { text-anchor: middle; }
line.grid { stroke: #dde1e8; }
line.mark { stroke: #5a6475; stroke-dasharray: 3 4; }
.key.s0, .band.s0 { fill: #3b55c4; }
.key.s1, .band.s1 { fill: #c4551b; }
.key.s2, .band.s2 { fill: #1f7a4d; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round;
        vector-effect: non-scaling-stroke; }
.line.s0 { stroke: #3b55c4; }
.line.s1 { stroke: #c4551b; }
.line.s2 { stroke: #1f7a4d; }
.band { opacity: .18; }
@media (prefers-color-scheme: dark) {
  .page { fill: #14171d; }
  text { fill: #98a3b5; }
  text.title { fill: #e4e8ef; }
  line.grid { stroke: #313846; }
  line.mark { stroke: #98a3b5; }
  .key.s0, .band.s0 { fill: #8ea4ff; }
  .key.s1, .band.s1 { fill: #f0a063; }
  .key.s2, .band.s2 { fill: #6fd3a0; }
  .line.s0 { stroke: #8ea4ff; }
  .line.s1 { stroke: #f0a063; }
  .line.s2 { stroke: #6fd3a0; }
}
)";

}  // namespace gladius::train
