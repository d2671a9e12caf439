/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  /** The next of a few colours where it is left out. */
  readonly colour?: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A chart of lines: what it shows, and its axes. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Top of the y axis; what is above is drawn there. */
  readonly yMax: number;
  readonly lines: readonly ChartLine[];
}

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = { left: 60, right: 200, top: 36, bottom: 48 };
const TICKS = 5;
const COLOURS = ['#c0392b', '#e59866', '#1f618d', '#5dade2'];

/** Draws charts below each other as one SVG. */
export function drawCharts(charts: readonly LineChart[]): string {
  const height = HEIGHT * charts.length;
  const parts = charts.map(
    (chart, index) => `<g transform="translate(0 ${index * HEIGHT})">${draw(chart)}</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

function draw({ title, xLabel, yLabel, yMax, lines }: LineChart): string {
  const xMax = Math.max(1, ...lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const placeX = (x: number): number => MARGIN.left + (x / xMax) * width;
  const placeY = (y: number): number => MARGIN.top + (1 - Math.min(1, y / yMax)) * height;
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => index / TICKS).flatMap((share) => [
    `<line x1="${MARGIN.left}" x2="${MARGIN.left + width}" y1="${placeY(share * yMax)}" y2="${placeY(share * yMax)}" stroke="#ddd"/>`,
    text(MARGIN.left - 8, placeY(share * yMax) + 4, tick(share * yMax), 'end'),
    text(placeX(share * xMax), MARGIN.top + height + 18, tick(share * xMax), 'middle'),
  ]);
  const drawn = lines.flatMap(({ name, points, ...line }, index) => {
    const colour = line.colour ?? COLOURS[index % COLOURS.length] ?? 'black';
    const sorted = [...points].sort((one, other) => one.x - other.x);
    const path = sorted.map(({ x, y }) => `${placeX(x).toFixed(1)},${placeY(y).toFixed(1)}`);
    const legendY = MARGIN.top + 10 + 18 * index;
    const legendX = MARGIN.left + width + 16;
    return [
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<line x1="${legendX}" x2="${legendX + 18}" y1="${legendY}" y2="${legendY}" stroke="${colour}" stroke-width="2"/>`,
      text(legendX + 24, legendY + 4, name, 'start'),
    ];
  });
  return [
    text(MARGIN.left, 20, title, 'start'),
    ...ticks,
    text(MARGIN.left + width / 2, HEIGHT - 10, xLabel, 'middle'),
    `<text transform="translate(14 ${MARGIN.top + height / 2}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text>`,
    ...drawn,
  ].join('\n');
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function tick(value: number): string {
  return value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
