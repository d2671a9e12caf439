import { TesseraError } from '../../protocol/errors.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import { decodeBatch } from '../../codec/runtime/decoder.js';
import { encodeBatch, type EncodedBlock } from '../../codec/runtime/encoder.js';
import type { CodecModel } from '../../codec/runtime/model.js';
import { encodePcm } from '../../protocol/pcm.js';
import { CodecSession } from './codecSession.js';
import { PcmConverter } from './pcmConverter.js';
import type { SessionReport, WorkerReport, WorkerRequest } from './threadMessages.js';
import { planTurn, type RunBounds, type Share } from './turnPlanner.js';
import type { RunFigures } from './types.js';

/** Between looks whether company has come for a frame that waits for it. */
const GATHER_STEP_MS = 1;
/** What the worker did so long ago says little of how busy it is. */
const BUSY_WINDOW_MS = 200;

interface EncodeJob {
  readonly session: CodecSession;
  readonly samples: Float32Array;
}

/** Frames to decode, or to conceal where there is no `block`. */
interface DecodeJob {
  readonly session: CodecSession;
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly block: TokenBlock | undefined;
}

/**
 * The loop of a worker. Each turn takes one piece of input of the sessions that {@link planTurn} chose, encodes and then
 * decodes those of equal length together, and reports. A session that was served goes to the end of the line, so nobody
 * starves; one that has nothing to do costs nothing.
 */
export class Scheduler {
  readonly #model: CodecModel;
  readonly #bounds: RunBounds;
  readonly #report: (report: WorkerReport) => void;
  /** In the order in which they are served. */
  readonly #sessions = new Map<number, CodecSession>();
  #reports: SessionReport[] = [];
  #runs: RunFigures[] = [];
  #waitsMs: number[] = [];
  #isRunning = false;
  /** Share of the recent time that went into turns, when the last one ended. */
  #busyShare = 0;
  #lastTurnEndMs = 0;
  #onStopped: (() => void) | undefined;

  constructor(model: CodecModel, bounds: RunBounds, report: (report: WorkerReport) => void) {
    this.#model = model;
    this.#bounds = bounds;
    this.#report = report;
  }

  /** Takes a request of the engine, posted at `arrivalMs` of `performance.now()`: runs keep it waiting. */
  handle(request: Exclude<WorkerRequest, { type: 'measure' | 'stop' }>, arrivalMs: number): void {
    if (request.type === 'open') {
      this.#open(request);
      return;
    }
    const session = this.#sessions.get(request.session);
    // A session that failed here may still be sent something.
    if (session === undefined) return;
    session.arrivalMs = arrivalMs;
    switch (request.type) {
      case 'pcm':
        session.addPcm(request.samples, 0);
        break;
      case 'bytes':
        session.converter?.push(request.bytes);
        return;
      case 'tokens':
        session.input.addTokens(request.block);
        break;
      case 'skip':
        session.input.addSkip(request.frameCount);
        break;
      case 'flush':
        if (session.converter) session.converter.end();
        else this.#endStretch(session);
        return;
      case 'export':
        session.input.addMark('export');
        break;
      case 'quantizers':
        session.setQuantizers(request.quantizers, request.adaptiveMinimum);
        this.#reports.push({
          type: 'quantizers',
          session: session.number,
          quantizers: request.quantizers,
          fromFrameIndex: session.nextFrameIndex,
        });
        this.#sendReports();
        return;
      case 'close':
        this.#drop(session);
        return;
    }
    this.#noteInput(session);
  }

  /** Drops all sessions. @returns when no run is under way. */
  async stop(): Promise<void> {
    for (const session of [...this.#sessions.values()]) this.#drop(session);
    if (!this.#isRunning) return;
    await new Promise<void>((resolve) => (this.#onStopped = resolve));
  }

  #open(request: Extract<WorkerRequest, { type: 'open' }>): void {
    const { session: number, mode, quantizers, adaptiveMinimum, state, input, output } = request;
    try {
      const session = new CodecSession(this.#model, {
        number,
        mode,
        quantizers,
        adaptiveMinimum,
        state,
        output,
      });
      if (input) session.converter = this.#createConverter(session, input);
      this.#sessions.set(number, session);
      this.#reports.push({ type: 'opened', session: number });
    } catch (error) {
      this.#reports.push(failure(number, error));
    }
    this.#sendReports();
  }

  #createConverter(session: CodecSession, format: RawPcmFormat): PcmConverter {
    return new PcmConverter(format, this.#model.manifest.sampleRate, {
      onSamples: (samples, byteCount) => {
        session.addPcm(samples, byteCount);
        this.#noteInput(session);
      },
      onEnd: () => this.#endStretch(session),
      onError: (error) => {
        this.#fail(session, error);
        this.#sendReports();
      },
    });
  }

  /** What has come so far is a stretch of sound, to be flushed. */
  #endStretch(session: CodecSession): void {
    if (session.encoder) this.#pushHeard(session, true);
    session.input.addMark('flush');
    this.#noteInput(session);
  }

  #noteInput(session: CodecSession): void {
    session.updateWaiting(session.arrivalMs, false);
    if (session.waitingSinceMs !== undefined) this.#wake();
  }

  #wake(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // What else has arrived by now joins the first turn.
    setImmediate(() => void this.#loop());
  }

  async #loop(): Promise<void> {
    for (;;) {
      const startMs = performance.now();
      const plan = planTurn(this.#sessions.values(), this.#bounds, startMs, this.#busyShareAt(startMs));
      if (plan.kind === 'idle') break;
      if (plan.kind === 'gather') {
        await new Promise((resolve) => setTimeout(resolve, GATHER_STEP_MS));
        continue;
      }
      await this.#turn(plan.shares);
      this.#countTurn(startMs);
      // Runs block the thread; between them requests get in.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
    this.#onStopped?.();
  }

  #busyShareAt(nowMs: number): number {
    return this.#busyShare * Math.exp((this.#lastTurnEndMs - nowMs) / BUSY_WINDOW_MS);
  }

  #countTurn(startMs: number): void {
    const endMs = performance.now();
    const kept = Math.exp((startMs - endMs) / BUSY_WINDOW_MS);
    this.#busyShare = 1 + kept * (this.#busyShareAt(startMs) - 1);
    this.#lastTurnEndMs = endMs;
  }

  async #turn(shares: readonly Share<CodecSession>[]): Promise<void> {
    const encodeJobs: EncodeJob[] = [];
    const decodeJobs: DecodeJob[] = [];
    const marked: CodecSession[] = [];
    const arrivalsMs: number[] = [];
    const nowMs = performance.now();
    for (const { session, frames } of shares) {
      // To the end of the line.
      this.#sessions.delete(session.number);
      this.#sessions.set(session.number, session);
      this.#pushHeard(session, false);
      const piece = session.input.take(frames);
      // Who sends faster than real time waits for the others, and that is not the machine's fault.
      if (!session.pace.isAhead(nowMs)) arrivalsMs.push(session.waitingSinceMs ?? nowMs);
      session.pace.spend(frames);
      session.updateWaiting(nowMs, true);
      switch (piece.kind) {
        case 'pcm':
          encodeJobs.push({ session, samples: piece.samples });
          this.#taken(session, piece.samples.length);
          break;
        case 'tokens':
          decodeJobs.push(decodeJob(session, piece.block));
          this.#taken(session, piece.block.frameCount);
          break;
        case 'skip':
          decodeJobs.push(concealJob(session, piece.frameCount));
          this.#taken(session, piece.frameCount);
          break;
        case 'mark':
          if (piece.mark === 'export') this.#exportState(session);
          else marked.push(session);
      }
    }
    for (const jobs of byLength(encodeJobs, ({ samples }) => samples.length)) {
      decodeJobs.push(...(await this.#encode(jobs)));
    }
    for (const session of marked) {
      decodeJobs.push(...(await this.#flush(session)));
    }
    // Tokens leave before the decoder's runs.
    this.#sendReports();
    for (const round of inRounds(decodeJobs)) {
      for (const jobs of byLength(round, ({ frameCount }) => frameCount)) await this.#decode(jobs);
    }
    for (const session of marked) {
      this.#push(session, { type: 'flushed', session: session.number, frames: session.nextFrameIndex });
    }
    const endMs = performance.now();
    this.#waitsMs = arrivalsMs.map((arrivalMs) => endMs - arrivalMs);
    this.#sendReports();
  }

  async #encode(planned: readonly EncodeJob[]): Promise<DecodeJob[]> {
    const jobs = planned.filter(isOpen);
    const items = jobs.map(({ session, samples }) => ({ encoder: session.encoder!, pcm: samples }));
    const frames = Math.floor((jobs[0]?.samples.length ?? 0) / this.#model.manifest.hop);
    const blocks = await this.#run('encoder', jobs, frames, () => encodeBatch(items));
    return jobs.flatMap(({ session }, index) => {
      const block = blocks?.[index];
      return block ? this.#encoded(session, block) : [];
    });
  }

  async #flush(session: CodecSession): Promise<DecodeJob[]> {
    const { encoder } = session;
    if (!encoder || session.isClosed) return [];
    const block = await this.#run('encoder', [{ session }], 1, () => encoder.flush());
    return block ? this.#encoded(session, block) : [];
  }

  /** Reports the tokens, or gives the decoder its share. */
  #encoded(session: CodecSession, block: EncodedBlock): DecodeJob[] {
    const blocks = session.cut(block);
    if (session.decoder) return blocks.map((cut) => decodeJob(session, cut));
    for (const cut of blocks) this.#push(session, { type: 'tokens', session: session.number, block: cut });
    return [];
  }

  async #decode(planned: readonly DecodeJob[]): Promise<void> {
    const jobs = planned.filter(isOpen);
    const items = jobs.map(({ session, frameCount, block }) =>
      block ? { decoder: session.decoder!, block } : { decoder: session.decoder!, lostFrames: frameCount },
    );
    const frames = jobs[0]?.frameCount ?? 0;
    const outputs = await this.#run('decoder', jobs, frames, () => decodeBatch(items));
    jobs.forEach(({ session, firstFrameIndex, frameCount }, index) => {
      const samples = outputs?.[index];
      if (!samples) return;
      const bytes = encodePcm(samples, session.output);
      this.#push(session, { type: 'pcm', session: session.number, firstFrameIndex, frameCount, bytes });
    });
  }

  #exportState(session: CodecSession): void {
    try {
      this.#push(session, { type: 'state', session: session.number, state: session.exportState() });
    } catch (error) {
      this.#fail(session, error);
    }
  }

  /** Runs, measures, and ends the sessions of a run that failed. */
  async #run<Result>(
    graph: RunFigures['graph'],
    jobs: readonly { readonly session: CodecSession }[],
    frames: number,
    run: () => Promise<Result>,
  ): Promise<Result | undefined> {
    if (jobs.length === 0) return undefined;
    const start = performance.now();
    try {
      const result = await run();
      if (frames > 0) {
        this.#runs.push({ graph, sessions: jobs.length, frames, durationMs: performance.now() - start });
      }
      return result;
    } catch (error) {
      for (const { session } of jobs) this.#fail(session, error);
      return undefined;
    }
  }

  #pushHeard(session: CodecSession, endsStretch: boolean): void {
    const heard = session.takeHeard(endsStretch);
    if (heard) this.#push(session, heard);
  }

  #taken(session: CodecSession, amount: number): void {
    this.#push(session, { type: 'taken', session: session.number, amount });
  }

  #fail(session: CodecSession, error: unknown): void {
    if (session.isClosed) return;
    this.#drop(session);
    this.#reports.push(failure(session.number, error));
  }

  #drop(session: CodecSession): void {
    session.close();
    this.#sessions.delete(session.number);
  }

  #push(session: CodecSession, report: SessionReport): void {
    if (!session.isClosed) this.#reports.push(report);
  }

  #sendReports(): void {
    if (this.#reports.length === 0 && this.#runs.length === 0) return;
    const report: WorkerReport = {
      type: 'turn',
      reports: this.#reports,
      runs: this.#runs,
      waitsMs: this.#waitsMs,
    };
    this.#reports = [];
    this.#runs = [];
    this.#waitsMs = [];
    this.#report(report);
  }
}

/** Requests get in between runs: a session may have been closed since its turn began. */
function isOpen({ session }: { readonly session: CodecSession }): boolean {
  return !session.isClosed;
}

/** Jobs such that no session has two in a round, each session's in their order. */
function inRounds(jobs: readonly DecodeJob[]): DecodeJob[][] {
  const rounds: DecodeJob[][] = [];
  const counts = new Map<CodecSession, number>();
  for (const job of jobs) {
    const round = counts.get(job.session) ?? 0;
    counts.set(job.session, round + 1);
    (rounds[round] ??= []).push(job);
  }
  return rounds;
}

function decodeJob(session: CodecSession, block: TokenBlock): DecodeJob {
  return { session, firstFrameIndex: block.firstFrameIndex, frameCount: block.frameCount, block };
}

function concealJob(session: CodecSession, frameCount: number): DecodeJob {
  return { session, firstFrameIndex: session.decoder!.frameIndex, frameCount, block: undefined };
}

function failure(session: number, error: unknown): SessionReport {
  const { code, message } = TesseraError.from(error);
  return { type: 'failed', session, error: { code, message } };
}

function byLength<Job>(jobs: readonly Job[], lengthOf: (job: Job) => number): Job[][] {
  const groups = new Map<number, Job[]>();
  for (const job of jobs) {
    const group = groups.get(lengthOf(job));
    if (group) group.push(job);
    else groups.set(lengthOf(job), [job]);
  }
  return [...groups.values()];
}
