import type { ControlSettings } from '../../../services/bitrate/index.js';
import { idealRecords } from './ideal.js';
import { LinkModel } from './linkModel.js';
import { AdaptiveSender, FixedSender, type FixedPackets, type PacketRecord, type Sender } from './senders.js';
import { seededRandom } from '../random.js';
import { traceDurationMs, type LinkTrace } from './traces.js';

/** What a trace did to one sender after the other, each alone on the link. */
export interface TraceRun {
  readonly trace: LinkTrace;
  readonly tessera: readonly PacketRecord[];
  readonly fixed: readonly PacketRecord[];
  readonly opus: readonly PacketRecord[];
  readonly ideal: readonly PacketRecord[];
}

/** Runs senders over one link for as long as its trace lasts: whatever happens first comes first. */
export function simulate<Some extends Sender>(
  trace: LinkTrace,
  seed: number,
  make: (link: LinkModel) => readonly Some[],
): readonly Some[] {
  const senders = make(new LinkModel(trace, seededRandom(seed)));
  const endMs = traceDurationMs(trace);
  for (;;) {
    const nextMs = Math.min(...senders.map((sender) => sender.nextMs));
    if (nextMs >= endMs) return senders;
    senders.find((sender) => sender.nextMs === nextMs)?.advance();
  }
}

/** What a sender that is alone on a link did. */
export function simulateAlone(
  trace: LinkTrace,
  seed: number,
  make: (link: LinkModel) => Sender,
): readonly PacketRecord[] {
  return simulate(trace, seed, (link) => [make(link)])[0]?.records ?? [];
}

/** Runs all senders over a trace; `chooseFixed` gives the packets of a fixed bitrate for what Tessera has sent. */
export function runTrace(
  trace: LinkTrace,
  seed: number,
  {
    settings,
    opusPackets,
    chooseFixed,
  }: {
    readonly settings: ControlSettings;
    readonly opusPackets: FixedPackets;
    readonly chooseFixed: (records: readonly PacketRecord[]) => FixedPackets;
  },
): TraceRun {
  const alone = (make: (link: LinkModel) => Sender): readonly PacketRecord[] =>
    simulateAlone(trace, seed, make);
  const tessera = alone((link) => new AdaptiveSender(link, settings));
  const fixed = chooseFixed(tessera);
  return {
    trace,
    tessera,
    fixed: alone((link) => new FixedSender(link, fixed, settings.frameMs)),
    opus: alone((link) => new FixedSender(link, opusPackets, settings.frameMs)),
    ideal: idealRecords(trace, settings),
  };
}
