import type { SpeechScores } from '../../../codec/index.js';
import { BOUNDS, type LevelFigures } from './measure.js';

/** Scores of one sound against what went in, at the depth that is scored. */
export interface ScoredSound {
  readonly scores: SpeechScores | undefined;
  /** STOI of input and output against speech before anything happened to it. */
  readonly cleanStoi: readonly [number, number] | undefined;
  /** At each depth. */
  readonly levels: readonly LevelFigures[];
}

/** All sounds of one condition. */
export interface ConditionFigures {
  readonly name: string;
  readonly kind: 'speech' | 'music' | 'signal';
  readonly sounds: readonly ScoredSound[];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const decibels = (value: number): string => value.toFixed(1).replace('-0.0', '0.0');

function meanScore(sounds: readonly ScoredSound[], key: keyof SpeechScores): string {
  const values = sounds.flatMap(({ scores }) => (scores ? [scores[key]] : []));
  return values.length === 0 ? '' : mean(values).toFixed(3);
}

function levelCells(sounds: readonly ScoredSound[]): string[] {
  const all = sounds.flatMap(({ levels }) => levels);
  const changes = (sounds[0]?.levels ?? []).map((_, depth) =>
    mean(
      sounds
        .flatMap(({ levels }) => levels.slice(depth, depth + 1))
        .map(({ inputDb, outputDb }) => outputDb - inputDb),
    ),
  );
  const bursts = all.flatMap(({ burstDb }) => (burstDb === undefined ? [] : [burstDb]));
  return [
    decibels(mean(all.map(({ inputDb }) => inputDb))),
    changes.map(decibels).join(' / '),
    Math.max(...all.map(({ peak }) => peak)).toFixed(2),
    bursts.length === 0 ? '' : decibels(Math.max(...bursts)),
  ];
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

const LEVEL_HEAD = ['level in, dB', 'change of level, dB', 'largest sample', 'loudest 20 ms in silence, dB'];

function speechTable(conditions: readonly ConditionFigures[]): string {
  return table(
    ['speech', 'STOI', 'ESTOI', 'log-mel', 'correlation', 'STOI to the clean speech: in, out', ...LEVEL_HEAD],
    conditions.map(({ name, sounds }) => {
      const clean = sounds.flatMap(({ cleanStoi }) => (cleanStoi ? [cleanStoi] : []));
      const side = (index: 0 | 1): string => mean(clean.map((pair) => pair[index])).toFixed(3);
      return [
        name,
        meanScore(sounds, 'stoi'),
        meanScore(sounds, 'extendedStoi'),
        meanScore(sounds, 'logMelDistance'),
        meanScore(sounds, 'waveformCorrelation'),
        `${side(0)}, ${side(1)}`,
        ...levelCells(sounds),
      ];
    }),
  );
}

/** The page of the bench. `lines` open it; `broken` lists which bounds did not hold, and where. */
export function robustnessReport(
  conditions: readonly ConditionFigures[],
  lines: readonly string[],
  broken: readonly string[],
): string {
  const of = (kind: ConditionFigures['kind']): readonly ConditionFigures[] =>
    conditions.filter((condition) => condition.kind === kind);
  return `# Robustness

What the codec makes of input that is not a clean recording.

${lines.join('\n\n')}

Scores are means, each against what went in. Levels are of full scale (RMS), -120 dB for digital zero; the change of level is the mean at
each of the depths, the largest sample and the loudest 20 ms are the worst of all. Silence is where the input stays below -75 dB for 100 ms around.

${speechTable(of('speech'))}

${table(
  ['music, synthetic', 'log-mel', 'correlation', ...LEVEL_HEAD],
  of('music').map(({ name, sounds }) => [
    name,
    meanScore(sounds, 'logMelDistance'),
    meanScore(sounds, 'waveformCorrelation'),
    ...levelCells(sounds),
  ]),
)}

${table(
  ['signal', ...LEVEL_HEAD],
  of('signal').map(({ name, sounds }) => [name, ...levelCells(sounds)]),
)}

## Bounds

For every sound at every depth: no sample that is not finite or beyond full scale; the output at most ${BOUNDS.gainDb} dB louder than the input (or than
${BOUNDS.quietDb} dB, where the input is below that); where the input is silent, no 20 ms above ${BOUNDS.burstDb} dB. \`test/unit/codec/robustness.test.ts\`
holds the bundled models to them.

${broken.length === 0 ? 'All of them hold.' : `Broken:\n\n${broken.map((line) => `- ${line}`).join('\n')}`}
`;
}
