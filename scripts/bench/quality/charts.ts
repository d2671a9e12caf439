import { Resvg } from '@resvg/resvg-js';
import { drawCharts } from '../lineChart.js';
import type { SetFigures } from './figures.js';
import { SCORES } from './scores.js';

/** Rate against every score, a chart each, as one SVG: a line for each codec, a point for each of its settings. */
export function drawRateDistortion(set: SetFigures): string {
  const families = [...new Set(set.rows.map(({ family }) => family))];
  const charts = SCORES.map(({ key, title, isHigherBetter, range: [yMin, yMax] }) => ({
    title: `${title}, ${isHigherBetter ? 'higher' : 'lower'} is better: ${set.name}`,
    xLabel: 'kbit/s of the coded speech, without headers',
    yLabel: title,
    yMin,
    yMax,
    isXLogarithmic: true,
    lines: families.map((family) => ({
      name: family,
      points: set.rows
        .filter((row) => row.family === family)
        .map((row) => ({ x: row.kbps, y: row.scores[key] })),
    })),
  }));
  return drawCharts(charts, 2);
}

/** The picture of an SVG as PNG. Texts need a sans-serif font on the machine. */
export function renderPng(svg: string): Uint8Array {
  return new Resvg(svg, { font: { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans' } })
    .render()
    .asPng();
}
