import { OPENING_BYTES, type FairnessFigures } from './fairness.js';
import type { FanOutFigures } from './fanOut.js';
import type { Figures } from './figures.js';
import { SENDERS, type LinkBenchFigures, type LinkFigures, type SenderName } from './linkBench.js';
import type { OpusPackets } from './opusPackets.js';
import type { RealFigures } from './realLinks.js';

const NAMES: Readonly<Record<SenderName, string>> = {
  tessera: 'Tessera',
  fixed: 'fixed bitrate',
  opus: 'Opus',
  ideal: 'knows the trace',
};

/** The part of the report on simulated links; `chartOf` names the chart of a link. */
export function linkSection(
  { links, step }: LinkBenchFigures,
  opus: OpusPackets,
  chartOf: (link: LinkFigures) => string,
): string {
  return `## Links, simulated

The service's own rate control in front of a model of a link, packet by packet, and a client that acknowledges as the SDK does; what TCP adds to acknowledge that (52 bytes
where no packet goes within 40 ms, as Linux does it) takes the link too. There are 40 ms of delay each way and a queue
that loses nothing, as TCP has it; a packet that is lost comes 280 ms later, and all behind it. All bytes count: WebSocket, TCP and IP
headers too. The same traces for all:

- *fixed bitrate*: the best packets that take at most the rate that Tessera has sent on the mean, all given to TCP;
- *Opus*: at ${kilobits(opus.bitsPerSecond)} kbit/s (${opus.source}), 120 ms a message, which costs least headers;
- *knows the trace*: the most codebooks that get through at once or 60 ms later, packet by packet; nothing is lost on its link.

A frame is late when it comes more than 400 ms after it was made. A dropped one is named in a gap: ${links.reduce((total, { unmarkedFrames }) => total + unmarkedFrames, 0)} frames of Tessera's are in
neither a packet nor a gap. Waits are those behind other bytes, in the process and on the link; the 95th percentile is of frames.

| link | traces | | quantizers | wait, 95% | late | dropped | sent, wire | frames a packet |
|---|---|---|---|---|---|---|---|---|
${links.map(linkRows).join('\n')}

${COMPARISON_HEAD}
${links.map(comparisonRow).join('\n')}

When the link falls to a third (payload of 3 to 1 kbit/s): the longest wait is ${step.mostWaitMs.toFixed(0)} ms, the last above 150 ms begins ${(step.settledMs / 1000).toFixed(1)} s
after the step, and ${step.lateWaits} come later.

${links.map((link) => `![${link.name}: rates, delay and codebooks over time](${chartOf(link)})`).join('\n\n')}
`;
}

function linkRows({ name, traces, figures }: LinkFigures): string {
  return SENDERS.map((sender, at) => {
    const head = at === 0 ? `${name} | ${traces}` : ' | ';
    return `| ${head} | ${NAMES[sender]} | ${cells(figures[sender], sender).join(' | ')} |`;
  }).join('\n');
}

function cells(figures: Figures, sender: SenderName): string[] {
  const { meanQuantizers, queueing95Ms, lateShare, droppedShare, wireBitsPerSecond, framesPerPacket } =
    figures;
  return [
    sender === 'opus' ? '' : meanQuantizers.toFixed(2),
    `${queueing95Ms.toFixed(0)} ms`,
    percent(lateShare),
    percent(droppedShare),
    `${kilobits(wireBitsPerSecond)} kbit/s`,
    framesPerPacket.toFixed(1),
  ];
}

const COMPARISON_HEAD = `| link | quantizers of the ideal's (worst trace) | wait 95%, worst trace | late at a fixed bitrate : late | : late or dropped |
|---|---|---|---|---|`;

function comparisonRow(
  link: Pick<LinkFigures, 'name' | 'usedShare' | 'leastUsedShare' | 'mostQueueing95Ms'> & {
    readonly figures: Pick<LinkFigures['figures'], 'tessera' | 'fixed'>;
  },
): string {
  const { tessera, fixed } = link.figures;
  return `| ${[
    link.name,
    `${(100 * link.usedShare).toFixed(0)}% (${(100 * link.leastUsedShare).toFixed(0)}%)`,
    `${link.mostQueueing95Ms.toFixed(0)} ms`,
    (fixed.lateShare / tessera.lateShare).toFixed(1),
    (fixed.lateShare / (tessera.lateShare + tessera.droppedShare)).toFixed(1),
  ].join(' | ')} |`;
}

/** The part on links of the kernel. */
export function realSection(links: readonly RealFigures[]): string {
  const rows = links.flatMap(({ name, traces, tessera, fixed, simulated, ideal }) => [
    `| ${name} | ${traces} | Tessera | ${cells(tessera, 'tessera').join(' | ')} |`,
    `| | | Tessera, simulated | ${cells(simulated, 'tessera').join(' | ')} |`,
    `| | | fixed bitrate | ${cells(fixed, 'fixed').join(' | ')} |`,
    `| | | knows the trace, simulated | ${cells(ideal, 'ideal').join(' | ')} |`,
  ]);
  const comparisons = links.map((link) =>
    comparisonRow({
      ...link,
      figures: link,
      usedShare: link.tessera.meanQuantizers / link.ideal.meanQuantizers,
    }),
  );
  const unmarked = links.reduce((total, { unmarkedFrames }) => total + unmarkedFrames, 0);
  return `## Links, real TCP

A real server and real sockets in a network namespace. What the server sends goes through a queue behind the loopback that \`tc\` shapes to the same traces (HTB,
a value each 100 ms; no delay of its own, no loss). HTB passes a packet as the link begins with it; the client takes it when the link has carried it. One subscriber
for each trace is under rate control, one gets the fixed packets of the simulation. All links run at once, in real time. ${unmarked} frames of Tessera's are in neither a packet nor a gap.

| link | traces | | quantizers | wait, 95% | late | dropped | sent, wire | frames a packet |
|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

${COMPARISON_HEAD}
${comparisons.join('\n')}

By root. In an outage HTB passes some packets that the client takes when it is over. Some of a client's messages TCP acknowledges in a
packet of its own, which takes the link too, as packets do that TCP sends again after an outage though they were not lost.
`;
}

/** The part on two sessions that share a link, simulated or over real TCP, which loses nothing. */
export function fairnessSection(
  { links, unfair, medianRatio, ratio95, worstRatio, usedShare }: FairnessFigures,
  over: 'simulated' | 'real TCP',
): string {
  const worst = [...links].sort((one, other) => other.rateRatio - one.rateRatio).slice(0, 5);
  const loss =
    over === 'simulated'
      ? `; a third\nof the links lose 1% of the packets, and the second session begins behind ${OPENING_BYTES} bytes of its own opening`
      : ', by root, without loss, all links at once';
  return `## Fairness, ${over}

Two sessions on one bottleneck of 12 to 40 kbit/s, the second up to 5 s after the first, over 60 s from 10 s after the second's begin${loss}. The ratio is that of the rates on the wire, the larger to the smaller.

| links | above 1.2 | median | 95% | worst | both use of the link |
|---|---|---|---|---|---|
| ${[links.length, unfair, medianRatio.toFixed(2), ratio95.toFixed(2), worstRatio.toFixed(2), percent(usedShare)].join(' | ')} |

The worst of them:

| seed | link | loss | ratio of rates | of quantizers |
|---|---|---|---|---|
${worst.map(({ seed, bitsPerSecond, lossShare, rateRatio, quantizersRatio }) => `| ${[seed, `${kilobits(bitsPerSecond)} kbit/s`, percent(lossShare), rateRatio.toFixed(2), quantizersRatio.toFixed(2)].join(' | ')} |`).join('\n')}
`;
}

/** The part on subscribers, with tokens at their full width and entropy-coded. */
export function fanOutSection({
  packed,
  coded,
}: {
  readonly packed: FanOutFigures;
  readonly coded: FanOutFigures;
}): string {
  const row = (name: string, figures: FanOutFigures): string => {
    const { subscribers, publishedFrames, encodedFrames, deliveredShare, ...shares } = figures;
    const { packetsPerSecond, aloneShare, allShare, eachShare } = shares;
    return `| ${[
      name,
      subscribers,
      publishedFrames,
      encodedFrames,
      percent(deliveredShare),
      packetsPerSecond.toFixed(1),
      percent(aloneShare),
      percent(allShare),
      `${(100 * eachShare).toFixed(3)}%`,
    ].join(' | ')} |`;
  };
  return `## Fan-out, real gateway and sockets

One session publishes live speech; the others subscribe, each acknowledging as the SDK does, under rate control, with at most 1 to all codebooks. CPU time is that of
the server's process, of one core. What a subscriber costs follows the packets that it gets, which rate control makes fewer and longer
where the machine is short of time: figures of equal packets a second compare.

| tokens | subscribers | frames published | frames encoded | delivered | packets a second, each | CPU, publisher alone | with all | a subscriber |
|---|---|---|---|---|---|---|---|---|
${row('packed', packed)}
${row('entropy-coded', coded)}
`;
}

function kilobits(bitsPerSecond: number): string {
  return (bitsPerSecond / 1000).toFixed(1);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
