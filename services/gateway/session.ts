import { randomUUID } from 'node:crypto';
import type { BitrateRange, ClientMessage, OpenMessage, SessionMode } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import type { ClientFrame } from '../../protocol/frames.js';
import { bitsPerSecond, checkRateControl } from '../../protocol/options.js';
import type { ModelSummary, ServerMessageOf, SessionTotals } from '../../protocol/serverMessages.js';
import type { EngineResult, EngineSession } from '../engine/index.js';
import type { Logger } from '../log.js';
import { createClientInput } from './clientInput.js';
import { sessionLimits } from './limits.js';
import { OutputQueue } from './outputQueue.js';
import type { SoundRange } from './packetizer.js';
import { PacketOutput } from './packetOutput.js';
import {
  adaptiveMinimum,
  engineFormats,
  isSameSession,
  newToken,
  type SessionClient,
  type SessionContext,
  sessionRange,
  type SessionRange,
} from './sessionContext.js';
import type { SessionInput } from './sessionInput.js';
import { SoundTimeline } from './soundTimeline.js';
import type { PublishedStream } from './streamHub.js';
import { StreamInput } from './streamInput.js';

/** One session: input, codec and output. It outlives its connection for as long as it may be resumed. */
export class Session {
  readonly id = randomUUID();
  readonly mode: SessionMode;
  readonly #open: OpenMessage;
  readonly #context: SessionContext;
  readonly #model: ModelSummary;
  readonly #log: Logger;
  readonly #output: OutputQueue;
  readonly #packets: PacketOutput;
  #engine: EngineSession | undefined;
  #input: SessionInput | undefined;
  /** What it publishes. */
  #stream: PublishedStream | undefined;
  /** What it is subscribed to, and whether the publisher has ended. */
  #subscribed: StreamInput | undefined;
  #isStreamEnded = false;
  #client: SessionClient | undefined;
  #resumeToken = newToken();
  #range: SessionRange;
  #quantizers: number;
  /** Ranges that the engine has not answered yet. */
  #nextRanges: SessionRange[] = [];
  /** Of audio input. */
  readonly #sound: SoundTimeline;
  /** For each flush under way, whom to answer; undefined where that connection is gone. */
  #flushes: (SessionClient | (() => void) | undefined)[] = [];
  #isEnded = false;

  private constructor(open: OpenMessage, context: SessionContext) {
    this.mode = open.mode;
    this.#open = open;
    this.#context = context;
    this.#model = context.engine.model.summary;
    this.#log = context.log.child({ sessionId: this.id });
    this.#range = sessionRange(open.bitrate, this.#model);
    this.#quantizers = this.#range.maxQuantizers;
    this.#sound = new SoundTimeline(this.#model);
    this.#output = new OutputQueue(context.limits, (frames) => {
      context.metrics.droppedFrames.inc(frames);
      this.#packets.onDropped();
    });
    this.#packets = new PacketOutput(open, {
      queue: this.#output,
      model: this.#model,
      entropyTables: context.entropyTables,
      range: this.#range,
      maxFramesPerPacket: context.limits.maxFramesPerPacket,
      log: this.#log,
      sound: () => this.#soundRange(),
      shared: () => this.#subscribed?.sharedPackets,
    });
  }

  /**
   * Opens a session, and one of the engine where the codec has to work, for a client's `open`, which must have passed
   * `checkOpenOptions`.
   * @throws TesseraError `bad_options`, `unsupported_audio`, `stream_taken`, `no_such_stream`, `at_capacity`, or
   * `internal` where the engine is not ready.
   */
  static async create(open: OpenMessage, context: SessionContext): Promise<Session> {
    const session = new Session(open, context);
    try {
      // The name is taken first: two who want it must not both get an engine's session.
      if (open.publish) session.#stream = context.hub.publish(open.publish.stream);
      const engine = await session.#openEngine();
      session.#engine = engine;
      session.#input = session.#createInput(engine);
    } catch (error) {
      session.end();
      throw error;
    }
    return session;
  }

  /** Secret: whoever has it can take the session over. */
  get resumeToken(): string {
    return this.#resumeToken;
  }

  /** Whether a connection is attached. */
  get isAttached(): boolean {
    return this.#client !== undefined;
  }

  /** Memory that waits for the network to take it. */
  get pendingOutputBytes(): number {
    return this.#output.pendingBytes;
  }

  /** The session's figures so far. */
  get totals(): SessionTotals {
    const { decoderDelaySamples, hop } = this.#model;
    const frames = this.#output.nextFrameIndex;
    return {
      inputBytes: this.#input?.inputBytes ?? 0,
      samples: this.#isTokenInput
        ? Math.max(0, frames * hop - decoderDelaySamples)
        : this.#sound.endSampleIndex,
      frames,
      gapFrames: this.#output.gapFrames,
      outputBytes: this.#output.outputBytes,
    };
  }

  /** Attaches the first connection: sends `opened`, then what comes. */
  start(client: SessionClient): void {
    this.#attach(client);
    this.#output.message(() => this.#opened());
    this.#log.info({ mode: this.mode, quantizers: this.#quantizers }, 'session opened');
  }

  /**
   * Checks that a connection may go on with this session.
   * @throws TesseraError `bad_options` when `open` does not ask for the same, or for frames that do not exist yet.
   */
  checkResume(open: OpenMessage, nextFrameIndex: number): void {
    if (!isSameSession(open, this.#open)) {
      throw new TesseraError('bad_options', 'To resume, send the same mode, input and output as before');
    }
    if (nextFrameIndex > this.#output.nextFrameIndex) {
      throw new TesseraError(
        'bad_options',
        `resume.nextFrameIndex is ${nextFrameIndex}, but only ${this.#output.nextFrameIndex} frames were made`,
      );
    }
  }

  /** Goes on with another connection, after {@link checkResume}. */
  resume(client: SessionClient, nextFrameIndex: number): void {
    this.#resumeToken = newToken();
    this.#attach(client);
    const resumed = {
      inputByteOffset: this.#input?.nextByteOffset ?? 0,
      nextFrameIndex: this.#output.resendableFrom(nextFrameIndex),
    };
    this.#output.message(() => ({ ...this.#opened(), resumed }));
    if (this.mode !== 'relay') this.#output.resend(nextFrameIndex);
    this.#log.info({ ...resumed }, 'session resumed');
    if (this.#isStreamEnded) client.onStreamEnd();
  }

  /** The connection is gone; the session waits for another. */
  detach(): void {
    this.#client = undefined;
    this.#packets.restart();
    this.#output.detach();
    this.#flushes = this.#flushes.map((each) => (typeof each === 'function' ? each : undefined));
    this.#log.info({ totals: this.totals }, 'session waits for its client');
  }

  /** Takes a binary frame of so many bytes. @throws TesseraError for a frame that is not allowed. */
  takeFrame(frame: ClientFrame, wireBytes: number): void {
    this.#input?.add(frame, wireBytes);
  }

  /** Takes a control message other than `open` and `close`. @throws TesseraError `bad_options` */
  takeMessage(message: Exclude<ClientMessage, { type: 'open' | 'close' }>): void {
    switch (message.type) {
      case 'bitrate':
        this.#setBitrate(message.bitrate);
        return;
      case 'ack':
        this.#packets.acknowledge({ ...message, receivedMs: performance.now() });
        return;
      case 'flush':
        this.#flushes.push(this.#client);
        this.#input?.flush();
    }
  }

  /** Flushes what was taken and calls `done` when it has been sent. */
  drain(done: () => void): void {
    this.#flushes.push(done);
    this.#input?.flush();
  }

  /** Sends the rest, then `closed`, as the last of the session. */
  sayClosed(): void {
    this.#packets.cut();
    this.#output.message(() => ({ type: 'closed', totals: this.totals }));
    // However full the network is: it is the last.
    this.#output.release();
  }

  /** Lets go of everything. Safe to call again. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#input?.close();
    this.#engine?.close();
    this.#client = undefined;
    this.#stream?.end();
    this.#log.info({ totals: this.totals }, 'session ended');
  }

  #attach(client: SessionClient): void {
    this.#client = client;
    this.#packets.restart();
    this.#output.attach(client);
    if (this.#input?.isPaused) client.onPause(true);
  }

  /** Whether tokens go in, and not audio. */
  get #isTokenInput(): boolean {
    return this.mode !== 'encode' && this.mode !== 'resynth';
  }

  /** Of the output: late subscribers begin in the middle of a stream. */
  get #firstFrameIndex(): number {
    return this.#subscribed?.firstFrameIndex ?? 0;
  }

  /** Tokens that are only passed on need no engine: they are encoded already. */
  async #openEngine(): Promise<EngineSession | undefined> {
    const { mode, output } = this.#open;
    if (mode === 'relay' || (mode === 'subscribe' && output.format === 'tokens')) return undefined;
    return this.#context.engine.openSession({
      mode: mode === 'subscribe' ? 'decode' : mode,
      quantizers: this.#quantizers,
      adaptiveMinimum: adaptiveMinimum(this.#range),
      ...engineFormats(this.#open, this.#model),
      onResult: (result) => this.#onResult(result),
    });
  }

  #createInput(engine: EngineSession | undefined): SessionInput {
    const { limits, hub, entropyTables } = this.#context;
    const { stream } = this.#open;
    const relaying = {
      quantizers: () => this.#quantizers,
      onFrames: (next: number) => this.#output.startAt(next),
      onResult: (result: EngineResult) => this.#onResult(result),
    };
    const host = {
      onPause: (paused: boolean) => this.#client?.onPause(paused),
      onError: (error: unknown) => this.#fail(TesseraError.from(error)),
    };
    if (stream !== undefined) {
      const joined = new StreamInput({
        ...host,
        hub,
        stream,
        engine,
        limits,
        ...relaying,
        onGap: (first, count) => {
          this.#packets.cut();
          this.#output.drop(first, count);
        },
        onStretchEnd: () => this.drain(() => undefined),
        onEnd: () => this.#onStreamEnd(),
      });
      this.#subscribed = joined;
      this.#output.startAt(joined.firstFrameIndex);
      return joined;
    }
    const shared = { engine, entropyTables, limits, host, model: this.#model };
    return createClientInput(this.#open, { ...shared, stream: this.#stream, ...relaying });
  }

  /** What of the frames that come out now is sound. */
  #soundRange(): SoundRange {
    if (this.#isTokenInput) {
      return { firstSampleIndex: this.#firstFrameIndex * this.#model.hop, endSampleIndex: Infinity };
    }
    return this.#sound.comingOut;
  }

  #setBitrate(bitrate: BitrateRange): void {
    if (this.mode === 'decode') {
      throw new TesseraError(
        'bad_options',
        'Mode decode takes no bitrate: the tokens that are sent decide it',
      );
    }
    checkRateControl(bitrate, this.#open.output.format);
    const range = sessionRange(bitrate, this.#model);
    this.#packets.setControl(bitrate.control, range);
    this.#nextRanges.push(range);
    if (this.#engine && !this.#subscribed)
      this.#engine.setQuantizers(range.maxQuantizers, adaptiveMinimum(range));
    else this.#onQuantizers(this.#subscribed?.nextFrameIndex ?? this.#output.nextFrameIndex);
  }

  #onResult(result: EngineResult): void {
    if (this.#isEnded) return;
    switch (result.kind) {
      case 'tokens':
        this.#context.metrics.outputFrames.inc({ mode: this.mode }, result.block.frameCount);
        this.#packets.add(result);
        this.#stream?.add(result.block);
        return;
      case 'pcm': {
        this.#context.metrics.outputFrames.inc({ mode: this.mode }, result.frameCount);
        const placed = { ...result, firstFrameIndex: this.#firstFrameIndex + result.firstFrameIndex };
        this.#packets.add(placed);
        return;
      }
      case 'heard':
        this.#context.metrics.inputSamples.inc({ mode: this.mode }, result.sampleCount);
        if (result.sampleCount > 0) this.#sound.addSamples(result.sampleCount);
        if (result.endsStretch) this.#sound.endStretch();
        return;
      case 'quantizers':
        this.#onQuantizers(result.fromFrameIndex);
        return;
      case 'flushed':
        this.#onFlushed();
        return;
      case 'failed':
        this.#fail(result.error);
    }
  }

  #onQuantizers(fromFrameIndex: number): void {
    const range = this.#nextRanges.shift();
    if (!range) return;
    this.#range = range;
    this.#quantizers = range.maxQuantizers;
    this.#packets.cut();
    const bitrate = this.#bitrate();
    this.#output.message(() => ({ type: 'bitrate', ...bitrate, fromFrameIndex }), { replaces: 'bitrate' });
  }

  #onFlushed(): void {
    this.#packets.cut();
    this.#sound.finishStretch();
    this.#stream?.endStretch();
    const asked = this.#flushes.shift();
    if (typeof asked === 'function') {
      asked();
    } else if (asked !== undefined && asked === this.#client) {
      this.#output.message(() => ({ type: 'flushed', totals: this.totals }), { onSent: asked.onFlushed });
    }
  }

  #onStreamEnd(): void {
    this.#isStreamEnded = true;
    this.#client?.onStreamEnd();
  }

  #fail(error: TesseraError): void {
    if (this.#isEnded) return;
    this.#log.warn({ code: error.code, reason: error.message }, 'session failed');
    const client = this.#client;
    if (client) client.onError(error);
    else this.end();
  }

  #bitrate(): ServerMessageOf<'opened'>['bitrate'] {
    const quantizers = this.#quantizers;
    return { ...this.#range, quantizers, bitsPerSecond: bitsPerSecond(quantizers, this.#model) };
  }

  #opened(): ServerMessageOf<'opened'> {
    return {
      type: 'opened',
      version: this.#open.version,
      sessionId: this.id,
      resumeToken: this.#resumeToken,
      model: this.#model,
      provider: this.#context.engine.model.provider,
      bitrate: this.#bitrate(),
      framesPerPacket: this.#packets.framesPerPacket,
      ...(this.#subscribed ? { firstFrameIndex: this.#firstFrameIndex } : {}),
      limits: sessionLimits(this.#context.limits),
    };
  }
}
