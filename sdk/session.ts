import type { BitrateRange, OpenMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import { encodeFrame, type ClientFrame, type GapFrame } from '../protocol/frames.js';
import { isPcmFormat } from '../protocol/options.js';
import { encodePcm } from '../protocol/pcm.js';
import type {
  ModelSummary,
  ServerMessage,
  ServerMessageOf,
  SessionTotals,
} from '../protocol/serverMessages.js';
import type { TokenBlock } from '../protocol/tokens.js';
import { Acknowledgements } from './acknowledgements.js';
import { AudioInput, type ClientInput } from './audioInput.js';
import { Connector, type ConnectorOptions } from './connector.js';
import { createInput } from './createInput.js';
import { Deferred } from './deferred.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { requireEntropyCoding } from './entropyCoding.js';
import { EventStreams, type ReadName } from './eventStreams.js';
import { Flush } from './flush.js';
import { LocalDecoder } from './local/localDecoder.js';
import { LocalEncoder, type LocalEncodeOptions, type LocalEncoding } from './local/localEncoder.js';
import { startMicrophone, type Microphone, type MicrophoneOptions } from './microphone.js';
import type { SessionOptions } from './options.js';
import { OutputReader } from './outputReader.js';
import type { MediaStreamLike } from './platform.js';
import { decodesLocally, startPlayer, type Player, type PlayOptions } from './player.js';
import { requireOpen } from './requireOpen.js';
import type { AudioChunk, SessionEvents, SessionStats } from './sessionEvents.js';
import type { ClientState } from './sessionState.js';
import { TokenInput } from './tokenInput.js';

const STATS_INTERVAL_MS = 250;
/** While input flows, a server from which nothing comes for so long is taken for lost. */
const SILENCE_MS = 5000;

/** A session with a Tessera server, over as many connections as it takes. Made by `connect`. */
export class Session {
  readonly #emitter = new Emitter<SessionEvents>();
  readonly #streams = new EventStreams();
  readonly #open: OpenMessage;
  readonly #connector: Connector;
  readonly #options: SessionOptions;
  #opened: ServerMessageOf<'opened'> | undefined;
  #bitrate: ServerMessageOf<'opened'>['bitrate'] | undefined;
  #input: ClientInput | undefined;
  #output: OutputReader | undefined;
  #flush: Flush | undefined;
  #totals: SessionTotals | undefined;
  #error: TesseraError | undefined;
  readonly #acknowledgements = new Acknowledgements((ack) => this.#connector.say(ack));
  #gapFrames = 0;
  #player: Player | undefined;
  #encoder: LocalEncoder | undefined;
  #decoder: LocalDecoder | undefined;
  readonly #microphones = new Set<Microphone>();
  readonly #timer = setInterval(() => this.#onTick(), STATS_INTERVAL_MS);
  readonly #whenOpen = new Deferred<Session>();
  readonly #whenClosed = new Deferred<SessionTotals | undefined>();

  private constructor(connection: ConnectorOptions, options: SessionOptions) {
    this.#open = connection.open;
    this.#options = options;
    this.#connector = new Connector(connection, {
      nextFrameIndex: () => this.#output?.nextOfServer ?? 0,
      onOpened: (opened) => this.#onOpened(opened),
      onMessage: (message) => this.#onMessage(message),
      onFrame: (bytes) => this.#onFrame(bytes),
      onState: (state) => this.#tell('state', state),
      onEnd: (error) => this.#onEnd(error),
    });
  }

  /** Use `connect`. */
  static connect(connection: ConnectorOptions, options: SessionOptions): Promise<Session> {
    return new Session(connection, options).#whenOpen.promise;
  }

  /** Where it stands. */
  get state(): ClientState {
    return this.#connector.state;
  }

  /** For logs and questions; another one where the server has lost the session and a new one took its place. */
  get id(): string {
    return requireOpen(this.#opened).sessionId;
  }

  /** The server's model. */
  get model(): ModelSummary {
    return requireOpen(this.#opened).model;
  }

  /** The range of quantizers, and how many of them are in force. */
  get bitrate(): ServerMessageOf<'opened'>['bitrate'] {
    return requireOpen(this.#bitrate);
  }

  /** Figures of now. */
  get stats(): SessionStats {
    const { sent, received } = this.#connector.bytes;
    return {
      state: this.state,
      nextFrameIndex: this.#output?.nextFrameIndex ?? 0,
      gapFrames: this.#gapFrames,
      bytesSent: sent,
      bytesReceived: received,
      bitsPerSecond: this.#bitrate?.bitsPerSecond ?? 0,
      ...(this.#player ? { playback: this.#player.stats } : {}),
      encodedOn: this.#encoder?.runtime,
      decodedOn: this.#decoder?.runtime,
    };
  }

  /** Calls `listener` for every event of that name. @returns what takes it back. */
  on<Name extends keyof SessionEvents>(
    name: Name,
    listener: (event: SessionEvents[Name]) => void,
  ): Unsubscribe {
    return this.#emitter.on(name, listener);
  }

  /** Tokens as they come, to the end of the session; throws what ended it. A reader more than 1,024 packets behind loses the oldest. */
  tokens(): AsyncIterableIterator<TokenBlock> {
    return this.#streams.read('tokens');
  }

  /** Samples as they come, likewise. */
  audio(): AsyncIterableIterator<AudioChunk> {
    return this.#streams.read('audio');
  }

  /** {@link stats}, four times a second. */
  statsStream(): AsyncIterableIterator<SessionStats> {
    return this.#streams.read('stats');
  }

  /** States as they are entered, beginning with the next. */
  states(): AsyncIterableIterator<ClientState> {
    return this.#streams.read('state');
  }

  /**
   * Sends the next samples, in [-1, 1], channels interleaved, at the rate that was asked for; after {@link encodeLocally}
   * mono, at the model's rate. Without a connection the newest are kept.
   * @throws TesseraError `bad_state` after the end or where raw audio is not what this session sends; encoded here, also
   * `bad_audio` and `input_overflow`.
   */
  send(pcm: Float32Array): void {
    this.#requireLive();
    if (this.#encoder) {
      this.#encoder.push(pcm);
      return;
    }
    const format = this.#open.input?.format ?? 'tokens';
    if (!isPcmFormat(format))
      throw new TesseraError('bad_state', `This session sends ${format}, not samples`);
    this.sendBytes(encodePcm(pcm, format));
  }

  /**
   * Sends the next bytes of the input in its format, such as those of a file. They must not change any more.
   * @throws TesseraError `bad_state` after the end, or where tokens are what this session sends.
   */
  sendBytes(bytes: Uint8Array): void {
    this.#requireLive();
    if (!(this.#input instanceof AudioInput))
      throw new TesseraError('bad_state', 'This session sends no audio');
    this.#sendFrames(this.#input.add(bytes));
  }

  /**
   * Sends the next tokens, in the order of their frames (mode `decode`); frames that were left out become a gap.
   * @throws TesseraError `bad_state` after the end or in another mode, `bad_tokens` for frames that were passed.
   */
  sendTokens(block: TokenBlock): void {
    this.#requireLive();
    if (!(this.#input instanceof TokenInput))
      throw new TesseraError('bad_state', 'This session sends no tokens');
    this.#sendFrames(this.#input.add(block, this.state === 'open'));
  }

  /**
   * From now on samples that are sent are encoded here, and only tokens go to the server (a session that sends tokens).
   * @throws TesseraError `bad_state` in other sessions and where it does so already, and what `LocalEncoder.create` throws.
   */
  async encodeLocally(options: LocalEncodeOptions = {}): Promise<LocalEncoding> {
    this.#requireLive();
    if (!(this.#input instanceof TokenInput) || this.#encoder) {
      throw new TesseraError('bad_state', 'Encode in a session that sends tokens, and once');
    }
    const encoder = await LocalEncoder.create({ ...options, modelUrl: this.#options.modelUrl }, this.model, {
      onBlock: (block) => {
        if (this.#isLive) this.sendTokens(block);
      },
      onError: (error) => this.#connector.fail(error),
    });
    this.#encoder = encoder;
    if (!this.#isLive) encoder.close();
    return encoder;
  }

  /**
   * Sends a microphone until it is stopped or the session ends. Asks for one where no stream is given.
   * @throws TesseraError `microphone_unavailable` (refused, or there is none), `unsupported_platform` outside of browsers,
   * `bad_state` where raw audio is not what this session sends; with `encode: 'local'` what {@link encodeLocally} throws.
   */
  async sendMicrophone(stream?: MediaStreamLike, options: MicrophoneOptions = {}): Promise<Microphone> {
    this.#requireLive();
    if (options.encode === 'local' && !this.#encoder) await this.encodeLocally(options);
    const { format = 'tokens', sampleRate = this.model.sampleRate, channels = 1 } = this.#open.input ?? {};
    const encoder = this.#encoder;
    encoder?.requireRealTime();
    if (encoder === undefined && (!isPcmFormat(format) || channels !== 1)) {
      throw new TesseraError('bad_state', 'A microphone needs a session with raw mono audio as input');
    }
    const microphone = await startMicrophone(stream, options, {
      sampleRate,
      pieceSamples: Math.round(sampleRate / this.model.frameRate),
      onSamples: (samples) => {
        if (encoder) encoder.pushLive(samples);
        else if (this.#isLive) this.send(samples);
      },
    });
    this.#microphones.add(microphone);
    return microphone;
  }

  /**
   * Plays what comes, from now on, until it is stopped or the session ends. A session that gets tokens decodes them in the
   * page, with `decode: 'local'`.
   * @throws TesseraError `unsupported_platform` outside of browsers, `bad_state` where it plays already; what comes has to
   * be sound, or tokens with `decode: 'local'`. For that also what `LocalDecoder.create` throws.
   */
  async play(options: PlayOptions = {}): Promise<Player> {
    this.#requireLive();
    if (this.#player) throw new TesseraError('bad_state', 'This session is being played already');
    this.#decoder = decodesLocally(options, this.#open.output.format)
      ? await LocalDecoder.create({ ...options, modelUrl: this.#options.modelUrl }, this.model, {
          onTokens: (listener) => this.on('tokens', listener),
          onDecoded: (decoded) => this.#onPcm(decoded),
          onError: (error) => this.#emitter.emit('error', error),
        })
      : undefined;
    this.#player = await startPlayer(options, this.model.sampleRate, {
      onStop: () => {
        this.#player = undefined;
        this.#decoder?.close();
        this.#decoder = undefined;
      },
    });
    return this.#player;
  }

  /** Another range of bitrates, from the next frame on: the event `bitrate` tells when it holds. Encoded here, at once. */
  setBitrate(bitrate: BitrateRange): void {
    this.#requireLive();
    if (this.#encoder) this.#encoder.setBitrate(bitrate);
    else {
      (this.#open as { bitrate?: BitrateRange }).bitrate = bitrate;
      this.#connector.say({ type: 'bitrate', bitrate });
    }
  }

  /**
   * Has everything that was sent so far come out, and ends this stretch of sound (a file: the input).
   * @returns the session's totals. A second call before that joins the first.
   */
  flush(): Promise<SessionTotals> {
    this.#requireLive();
    const say = (): void => this.#connector.say({ type: 'flush' });
    return (this.#flush ??= new Flush(say, this.#encoder?.flush())).answer.promise;
  }

  /** Ends the session; what was not flushed is given up. @returns its totals, where the server still told them. */
  close(): Promise<SessionTotals | undefined> {
    this.#connector.close();
    return this.#whenClosed.promise;
  }

  get #isLive(): boolean {
    return this.state === 'open' || this.state === 'reconnecting';
  }

  #requireLive(): void {
    if (!this.#isLive) throw this.#error ?? new TesseraError('bad_state', 'The session is over');
  }

  #tell<Name extends ReadName>(name: Name, event: SessionEvents[Name]): void {
    this.#streams.push(name, event);
    this.#emitter.emit(name, event);
  }

  #onOpened(opened: ServerMessageOf<'opened'>): void {
    const before = this.#opened;
    this.#opened = opened;
    this.#bitrate = opened.bitrate;
    try {
      requireEntropyCoding(this.#options.coding, opened.model);
      if (before === undefined || this.#input === undefined || this.#output === undefined) {
        const { coding, maxInputBufferMs } = this.#options;
        this.#output = new OutputReader(opened, this.#open.output.format, coding?.tables);
        this.#input = createInput(this.#open.input, opened, maxInputBufferMs, coding?.tables);
        this.#whenOpen.resolve(this);
        return;
      }
      if (opened.model.digest !== before.model.digest) {
        throw new TesseraError('model_mismatch', 'The server came back with another model: connect anew');
      }
      if (opened.resumed) {
        this.#sendFrames(this.#input.resume(opened.resumed.inputByteOffset));
      } else {
        const { frames, frameBase } = this.#input.restart(this.#output.nextFrameIndex);
        this.#onGap(this.#output.restart(opened, frameBase));
        this.#sendFrames(frames);
      }
    } catch (error) {
      this.#connector.fail(TesseraError.from(error));
      return;
    }
    this.#emitter.emit('bitrate', { ...opened.bitrate, fromFrameIndex: this.#output.nextFrameIndex });
    this.#flush?.repeat();
  }

  #sendFrames(frames: readonly ClientFrame[]): void {
    for (const frame of frames) this.#connector.send(encodeFrame(frame, this.model));
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'bitrate':
        this.#bitrate = message;
        this.#emitter.emit('bitrate', message);
        return;
      case 'flushed':
        // The last packet of a stretch ends before its last frame does.
        this.#output?.reach(message.totals.frames);
        this.#flush?.answer.resolve(message.totals);
        this.#flush = undefined;
        return;
      case 'closed':
        this.#totals = message.totals;
        return;
      case 'ack_timing':
        this.#acknowledgements.follow({ ...message, frameMs: 1000 / this.model.frameRate });
        return;
      default:
    }
  }

  #onFrame(bytes: Uint8Array): void {
    for (const output of requireOpen(this.#output).read(bytes)) {
      if (output.kind === 'tokens') this.#tell('tokens', output);
      else if (output.kind === 'gap') this.#onGap(output);
      else this.#onPcm(output);
    }
    this.#acknowledge();
  }

  #onPcm({ firstSampleIndex, samples }: Omit<AudioChunk, 'sampleRate'>): void {
    this.#player?.push({ firstSampleIndex, samples });
    this.#tell('audio', { firstSampleIndex, samples, sampleRate: this.model.sampleRate });
  }

  #onGap(gap: GapFrame | undefined): void {
    if (gap === undefined) return;
    this.#gapFrames += gap.frameCount;
    this.#emitter.emit('gap', gap);
  }

  #acknowledge(): void {
    const { bufferMs } = this.#player?.stats ?? { bufferMs: 0 };
    this.#acknowledgements.note(this.#output?.nextOfServer ?? 0, bufferMs, this.#open.bitrate?.control);
  }

  #onTick(): void {
    if (this.state === 'connecting') return;
    this.#tell('stats', this.stats);
    // A session in which nothing is said must not be taken for a dead one.
    if (this.#acknowledgements.ageMs > requireOpen(this.#opened).limits.idleTimeoutMs / 3)
      this.#acknowledge();
    const isSilent = this.#connector.silenceMs > SILENCE_MS && this.#open.mode !== 'relay';
    if (this.#microphones.size > 0 && isSilent) this.#connector.renew();
  }

  #onEnd(error: TesseraError | undefined): void {
    clearInterval(this.#timer);
    this.#error = error;
    for (const microphone of this.#microphones) microphone.stop();
    const over = error ?? new TesseraError('bad_state', 'The session was closed');
    this.#whenOpen.reject(over);
    this.#flush?.answer.reject(over);
    this.#encoder?.close();
    this.#player?.finish();
    this.#streams.end(error);
    if (error) this.#emitter.emit('error', error);
    this.#whenClosed.resolve(this.#totals);
  }
}
