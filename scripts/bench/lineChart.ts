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
  /** Ends of the y axis, 0 below when left out; what is beyond is drawn there. */
  readonly yMin?: number;
  readonly yMax: number;
  /** Whether the x axis doubles from one line of the grid to the next; it then begins at the power of 2 below the least x. */
  readonly isXLogarithmic?: boolean;
  readonly lines: readonly ChartLine[];
}

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = { left: 60, right: 200, top: 36, bottom: 48 };
const TICKS = 5;
/** Points of a line of more are not marked. */
const MARKED_POINTS = 30;
const COLOURS = [
  ...['#c0392b', '#e59866', '#1f618d', '#5dade2', '#117a65'],
  ...['#7d3c98', '#7f8c8d', '#b7950b', '#2c3e50', '#d98880'],
];

/** Draws charts as one SVG: row by row, in so many columns. */
export function drawCharts(charts: readonly LineChart[], columns = 1): string {
  const width = WIDTH * columns;
  const height = HEIGHT * Math.ceil(charts.length / columns);
  const parts = charts.map((chart, index) => {
    const place = `${WIDTH * (index % columns)} ${HEIGHT * Math.floor(index / columns)}`;
    return `<g transform="translate(${place})">${draw(chart)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

function draw({ title, xLabel, yLabel, yMin = 0, yMax, isXLogarithmic = false, lines }: LineChart): string {
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const xs = lines.flatMap(({ points }) => points.map(({ x }) => x));
  const xTicks = isXLogarithmic ? powersOfTwo(xs) : shares(0, Math.max(1, ...xs));
  const scaleX = isXLogarithmic ? Math.log2 : (x: number): number => x;
  const [left = 0, right = 1] = [xTicks[0], xTicks.at(-1)].map((x) => x && scaleX(x));
  const placeX = (x: number): number => MARGIN.left + ((scaleX(x) - left) / (right - left)) * width;
  const placeY = (y: number): number =>
    MARGIN.top + (1 - Math.min(1, Math.max(0, (y - yMin) / (yMax - yMin)))) * height;
  const ticks = [
    ...shares(yMin, yMax).flatMap((y) => [
      `<line x1="${MARGIN.left}" x2="${MARGIN.left + width}" y1="${placeY(y)}" y2="${placeY(y)}" stroke="#ddd"/>`,
      text(MARGIN.left - 8, placeY(y) + 4, tick(y, yMax - yMin), 'end'),
    ]),
    ...xTicks.map((x) => text(placeX(x), MARGIN.top + height + 18, tick(x, x), 'middle')),
  ];
  const drawn = lines.flatMap(({ name, points, ...line }, index) => {
    const colour = line.colour ?? COLOURS[index % COLOURS.length] ?? 'black';
    const sorted = [...points].sort((one, other) => one.x - other.x);
    const path = sorted.map(({ x, y }) => `${placeX(x).toFixed(1)},${placeY(y).toFixed(1)}`);
    const legendY = MARGIN.top + 10 + 18 * index;
    const legendX = MARGIN.left + width + 16;
    return [
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...(path.length > MARKED_POINTS ? [] : path).map(
        (place) => `<circle cx="${place.replace(',', '" cy="')}" r="3" fill="${colour}"/>`,
      ),
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

/** The ends and what lies between, in equal steps. */
function shares(low: number, high: number): number[] {
  return Array.from({ length: TICKS + 1 }, (_, index) => low + ((high - low) * index) / TICKS);
}

/** From the one below the least value to the one above the greatest. */
function powersOfTwo(values: readonly number[]): number[] {
  const low = Math.floor(Math.log2(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log2(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, index) => 2 ** (low + index));
}

/** As short as a grid over so wide a span allows. */
function tick(value: number, span: number): string {
  return String(Number(value.toFixed(span >= 10 ? 0 : span > 1 ? 1 : 2)));
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
