import type { Figures, SetFigures } from './figures.js';
import { SCORES, type MeanScores } from './scores.js';
import type { Verdict } from './verdict.js';

/** What a report says besides its figures. */
export interface ReportNotes {
  /** Machine, command, date, model. */
  readonly heading: readonly string[];
  /** Codecs that were not run, each with the reason. */
  readonly absent: readonly string[];
  /** Name of the picture. */
  readonly chart: string;
}

/** The report of a run, in Markdown. */
export function qualityReport(
  sets: readonly SetFigures[],
  verdicts: readonly Verdict[],
  notes: ReportNotes,
): string {
  const absent = notes.absent.length === 0 ? [] : [`- not run here: ${notes.absent.join('; ')}`];
  return `# Quality by bitrate, beside other codecs

${[...notes.heading.map((line) => `- ${line}`), ...absent].join('\n')}

Every codec gets the same recordings, whole; figures are means over them. Bitrates are those that were really sent, of the coded speech
alone: without the headers of files and packets. Scores are taken at 16 kHz, after alignment by cross-correlation; Codec 2, which
keeps no waveform, is aligned by its constant delay.

| score | better | what it is |
|---|---|---|
${SCORES.map(({ title, isHigherBetter, meaning }) => `| ${title} | ${isHigherBetter ? 'higher' : 'lower'} | ${meaning} |`).join('\n')}

Times real time: seconds of sound in a second of encoding and decoding on one thread, or in programs with the time that they take to start.

![Rate against every score](${notes.chart})

## Against the bars

At each rate the setting of Tessera with the best STOI among those within it. Ahead and behind are in the digits shown; **bold**: the bar
names this score.

${verdicts.map(verdictTables).join('\n')}
${sets.map(setTables).join('\n')}`;
}

function verdictTables({ kbps, tessera, absolute, rivals }: Verdict): string {
  const held = absolute.map(({ score, bar, isMet }) => {
    const side = score.isHigherBetter ? 'at least' : 'at most';
    return `- ${score.title} ${side} ${bar}: ${tessera.scores[score.key].toFixed(score.digits)}, ${isMet ? 'met' : '**missed**'}`;
  });
  const lines = [tessera, ...rivals.map(({ rival }) => rival)].map(
    (row) => `| ${rowCells(row, row.scores)} |`,
  );
  const against = rivals.map(({ rival, scores }) => {
    const cells = scores.map(({ isInBar, isAhead }) => {
      const word = isAhead === undefined ? 'tie' : isAhead ? 'ahead' : 'behind';
      return isInBar ? `**${word}**` : word;
    });
    return `| against ${rival.name} | | ${cells.join(' | ')} | |`;
  });
  return `### ${kbps} kbit/s

${held.length > 0 ? `${held.join('\n')}\n\n` : ''}${tableHead('codec')}
${[...lines, ...against].join('\n')}
`;
}

function setTables({ name, description, recordings, seconds, rows, inputScores }: SetFigures): string {
  const heading = `## ${name[0]?.toUpperCase()}${name.slice(1)}

${recordings} recordings, ${seconds.toFixed(0)} s. ${description}
`;
  const table = (scoresOf: (row: Figures) => MeanScores | undefined): string =>
    `${tableHead('codec')}\n${rows.map((row) => `| ${rowCells(row, scoresOf(row))} |`).join('\n')}\n`;
  if (!inputScores) return `${heading}\n${table(({ scores }) => scores)}`;
  const input = SCORES.map(({ key, digits }) => inputScores[key].toFixed(digits));
  return `${heading}
Held against what the codecs got, noise included:

${table(({ scores }) => scores)}
Held against the speech before the noise was added:

${table(({ cleanScores }) => cleanScores)}| what the codecs got | | ${input.join(' | ')} | |
`;
}

function tableHead(first: string): string {
  return `| ${first} | kbit/s | ${SCORES.map(({ title }) => title).join(' | ')} | times real time |\n|${'---|'.repeat(SCORES.length + 3)}`;
}

function rowCells({ name, kbps, timesRealTime }: Figures, scores: MeanScores | undefined): string {
  const cells = SCORES.map(({ key, digits }) => scores?.[key].toFixed(digits) ?? '');
  return [name, kbps.toFixed(2), ...cells, timesRealTime.toFixed(0)].join(' | ');
}
