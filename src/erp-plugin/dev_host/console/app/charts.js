// @ts-check
// Small charts. Their values are also listed as text, for users who cannot see the charts.
import { html } from "../lib.js";

const COLORS = [
  "var(--series-1)",
  "var(--series-2)",
  "var(--series-3)",
  "var(--series-4)",
  "var(--series-5)",
  "var(--series-6)",
];

export function Chart({ type, points, label }) {
  const most = Math.max(1, ...points.map((point) => point.value));
  const list = html`<ul class="legend">
    ${points.map(
      (point, index) =>
        html`<li key=${point.label}>
          <i style=${`background:${COLORS[index % COLORS.length]}`}></i> <span>${point.label}</span
          ><b>${point.value}</b>
        </li>`,
    )}
  </ul>`;
  if (!points.length) return html`<p class="empty">—</p>`;
  if (type === "bar" || type === "funnel") {
    return html`<div class=${`bars ${type}`}>
      ${points.map((point, index) => {
        const color = COLORS[type === "bar" ? 0 : index % COLORS.length];
        const width = (point.value / most) * 100;
        return html`<div key=${point.label}>
          <span>${point.label}</span>
          <i style=${`width:${width}%;background:${color}`}></i>
          <b>${point.value}</b>
        </div>`;
      })}
    </div>`;
  }
  if (type === "pie") {
    const total = points.reduce((sum, point) => sum + point.value, 0) || 1;
    let at = 0;
    const slices = points.map((point, index) => {
      const from = at;
      at += point.value / total;
      const spot = (share) => `${50 + 45 * Math.sin(share * 2 * Math.PI)} ${50 - 45 * Math.cos(share * 2 * Math.PI)}`;
      return points.length === 1
        ? html`<circle cx="50" cy="50" r="45" fill=${COLORS[0]} />`
        : html`<path
            d=${`M50 50L${spot(from)}A45 45 0 ${at - from > 0.5 ? 1 : 0} 1 ${spot(at)}z`}
            fill=${COLORS[index % COLORS.length]}
          />`;
    });
    return html`<div class="pie">
      <svg viewBox="0 0 100 100" role="img" aria-label=${label}>${slices}</svg>${list}
    </div>`;
  }
  const step = points.length > 1 ? 280 / (points.length - 1) : 0;
  const spots = points.map((point, index) => [10 + index * step, 90 - (point.value / most) * 75]);
  return html`<svg class="line" viewBox="0 0 300 110" role="img" aria-label=${label}>
    <polyline points=${spots.map((spot) => spot.join(",")).join(" ")} />
    ${spots.map(
      ([x, y], index) =>
        html`<g key=${index}
          ><circle cx=${x} cy=${y} r="3" /><title>${points[index].label}: ${points[index].value}</title> ${
            (index === 0 || index === points.length - 1) &&
            html`<text x=${x} y="106" text-anchor=${index ? "end" : "start"}>${points[index].label}</text>`
          }</g
        >`,
    )}
  </svg>`;
}
