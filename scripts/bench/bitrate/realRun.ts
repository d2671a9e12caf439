/**
 * The child of `realLinks.ts`, in a network namespace of its own, whose loopback it shapes with `tc`: one publisher on 127.0.0.1,
 * and the subscribers of each {@link RealLink} on another address, whose packets from the server go through a class of their
 * own (HTB, which may lend a packet of any size). The queue stands behind the loopback, on a device between (`ifb`), as in a
 * router: TCP does not see it. HTB passes a packet as the link begins with it; the client takes it when the link has carried
 * it, by the model of the simulation.
 * Reads a {@link RealRequest} from standard input, prints what came, both as JSON.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { readAudio } from '../../../codec/index.js';
import { wireBytesOf } from '../../../services/bitrate/index.js';
import { ServerProcess } from '../serverProcess.js';
import { publishing, RateClient, wallMs } from './rateClient.js';
import { LinkModel, type Delivery } from './linkModel.js';
import type { PacketRecord } from './senders.js';
import { TRACE_STEP_MS } from './traces.js';

/** A link, and who shares it. */
export interface RealLink {
  /** What it carries, in bits a second, one value for each step. */
  readonly bitsPerSecond: readonly number[];
  readonly subscribers: readonly RealSubscriber[];
}

/** One who gets packets over a link. */
export interface RealSubscriber {
  /** Undefined for rate control. */
  readonly fixed?: { readonly quantizers: number; readonly framesPerPacket: number } | undefined;
  /** After the begin of the trace; before it where this is left out. */
  readonly joinsMs?: number;
}

/** What the child is asked for. */
export interface RealRequest {
  readonly model: string;
  /** A recording's file, and the model's rate in Hz. */
  readonly speech: string;
  readonly sampleRate: number;
  readonly stepMs: number;
  readonly links: readonly RealLink[];
}

const STREAM = 'bench';
/** As good as no link; while sessions open, and after the traces. */
const OPEN_BITS_PER_SECOND = 10_000_000;
/** What carries less is an outage. A class needs some rate: the longest packets then take what is left of the outage. */
const LEAST_BITS_PER_SECOND = 1000;
const LONGEST_PACKET_BYTES = 180;
/** On a link that carries the first value of its trace. */
const WARM_UP_MS = 3000;
const DRAIN_MS = 2000;
/** The kernel counts an Ethernet header on these devices too. */
const ETHERNET_HEADER_BYTES = 14;

const QUEUE_DEVICE = 'ifb0';

const request = JSON.parse(await text(process.stdin)) as RealRequest;
const steps = Math.max(...request.links.map(({ bitsPerSecond }) => bitsPerSecond.length));
const addressOf = (link: number): string => `127.0.0.${link + 2}`;
const classOf = (link: number): string => `1:${(link + 16).toString(16)}`;

/** A command of `tc` that sets what a link carries. */
function rateCommand(verb: 'add' | 'change', link: number, bitsPerSecond: number): string {
  const rate = `${Math.round(bitsPerSecond)}bit`;
  return `class ${verb} dev ${QUEUE_DEVICE} parent 1: classid ${classOf(link)} htb rate ${rate} ceil ${rate} burst 1 cburst 1 quantum 1600`;
}

async function run(line: string): Promise<void> {
  const [program = '', ...words] = line.split(' ');
  await promisify(execFile)(program, words);
}

async function shape(): Promise<void> {
  await run('ip link set lo up');
  await run(`ip link add ${QUEUE_DEVICE} type ifb`);
  await run(`ip link set ${QUEUE_DEVICE} up`);
  await run('tc qdisc add dev lo handle ffff: ingress');
  await run(`tc qdisc add dev ${QUEUE_DEVICE} root handle 1: stab overhead -${ETHERNET_HEADER_BYTES} htb`);
  for (const link of request.links.keys()) {
    await run(`tc ${rateCommand('add', link, OPEN_BITS_PER_SECOND)}`);
    const match = `protocol ip u32 match ip src ${addressOf(link)}/32`;
    await run(`tc filter add dev lo parent ffff: ${match} action mirred egress redirect dev ${QUEUE_DEVICE}`);
    await run(`tc filter add dev ${QUEUE_DEVICE} parent 1: ${match} flowid ${classOf(link)}`);
  }
}

/** What `tc` is told that a link carries in a step. */
function shapedBitsPerSecond({ bitsPerSecond }: RealLink, step: number): number {
  const isOut = (at: number): boolean => (bitsPerSecond[at] ?? Infinity) < LEAST_BITS_PER_SECOND;
  let end = step;
  while (isOut(end)) end += 1;
  if (end > step) return (8000 * LONGEST_PACKET_BYTES) / ((end - step) * request.stepMs);
  return bitsPerSecond[step] ?? OPEN_BITS_PER_SECOND;
}

/** Has all links follow their traces until the last value. */
async function follow(): Promise<void> {
  const { links, stepMs } = request;
  const tc = spawn('tc', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  for (let step = 0; step <= steps; step += 1) {
    const waitMs = followedMs + step * stepMs - wallMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const lines = links.map((trace, link) => rateCommand('change', link, shapedBitsPerSecond(trace, step)));
    tc.stdin.write(`${lines.join('\n')}\n`);
  }
  tc.stdin.end();
  await once(tc, 'exit');
}

/** When the traces began. */
let followedMs = Infinity;

/** The end of a link: tells when it has carried a packet that comes out of the queue now. */
function linkEnd({ bitsPerSecond }: RealLink): (wireBytes: number) => Delivery {
  const values = request.stepMs / TRACE_STEP_MS;
  const fine = Float64Array.from(
    { length: values * bitsPerSecond.length },
    (_, at) => bitsPerSecond[Math.floor(at / values)] ?? 0,
  );
  const link = new LinkModel({ name: '', bitsPerSecond: fine, lossShare: 0 }, () => 1);
  return (wireBytes) => {
    const nowMs = wallMs();
    if (nowMs < followedMs) return { startMs: nowMs, arrivalMs: nowMs };
    const { startMs, endMs } = link.occupy(nowMs - followedMs, wireBytes);
    return { startMs: followedMs + startMs, arrivalMs: followedMs + endMs };
  };
}

/** What came of the frames within the trace, with times from the first of them on. */
function recordsOf(
  { packets }: RateClient,
  { bitsPerSecond }: RealLink,
  sentMs: readonly number[],
  first: number,
): PacketRecord[] {
  const startMs = sentMs[first] ?? 0;
  return packets.flatMap((packet): PacketRecord[] => {
    const { firstFrameIndex, frameCount, quantizers, frameBytes } = packet;
    const endFrameIndex = firstFrameIndex + frameCount;
    const lastSentMs = sentMs[endFrameIndex - 1];
    if (endFrameIndex <= first || lastSentMs === undefined) return [];
    const madeMs = lastSentMs - startMs;
    if (madeMs >= bitsPerSecond.length * request.stepMs) return [];
    const wireBytes = wireBytesOf(frameBytes);
    // Of the packet that the trace begins in, the frames from there on.
    const from = Math.max(firstFrameIndex, first);
    const frames = { firstFrameIndex: from - first, frameCount: endFrameIndex - from };
    const record = { ...frames, quantizers, wireBytes, madeMs };
    if (quantizers === 0) return [{ ...record, delivery: undefined }];
    const delivery = { startMs: packet.startMs - startMs, arrivalMs: packet.arrivalMs - startMs };
    return [{ ...record, delivery }];
  });
}

await shape();
const { model, links, sampleRate, stepMs } = request;
const server = await ServerProcess.start(['--model', model, '--host', '0.0.0.0', '--max-sessions', '128']);
const urlAt = (address: string): string => server.url.replace('0.0.0.0', address);
try {
  const speech = await readAudio(request.speech, { sampleRate });
  const publisher = await RateClient.open(urlAt('127.0.0.1'), publishing(STREAM, sampleRate));
  const subscribe = async (
    { fixed, joinsMs }: RealSubscriber,
    link: number,
    end: ReturnType<typeof linkEnd>,
  ): Promise<RateClient> => {
    if (joinsMs !== undefined) await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS + joinsMs));
    const range = fixed
      ? { maxQuantizers: fixed.quantizers }
      : { control: 'adaptive' as const, maxQuantizers: publisher.opened.model.quantizers };
    const packets = fixed ? { framesPerPacket: fixed.framesPerPacket } : {};
    const open = { mode: 'subscribe', stream: STREAM, bitrate: range } as const;
    const output = { format: 'tokens', ...packets } as const;
    return RateClient.open(urlAt(addressOf(link)), { ...open, output }, end);
  };
  const early: Promise<RateClient>[] = [];
  const subscribing = links.flatMap((trace, link) => {
    const end = linkEnd(trace);
    return trace.subscribers.map((subscriber) => {
      const client = subscribe(subscriber, link, end);
      if (subscriber.joinsMs === undefined) early.push(client);
      return { trace, client };
    });
  });
  await Promise.all(early);
  for (const [link, trace] of links.entries()) {
    await run(`tc ${rateCommand('change', link, shapedBitsPerSecond(trace, 0))}`);
  }
  await publisher.speak(speech, WARM_UP_MS);
  const first = publisher.sentMs.length;
  followedMs = wallMs();
  const followed = follow();
  await publisher.speak(speech, steps * stepMs);
  await followed;
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  const records: PacketRecord[][] = [];
  for (const { trace, client } of subscribing) {
    const listener = await client;
    records.push(recordsOf(listener, trace, publisher.sentMs, first));
    listener.terminate();
  }
  publisher.terminate();
  process.stdout.write(JSON.stringify(records));
} finally {
  await server.stop();
}
