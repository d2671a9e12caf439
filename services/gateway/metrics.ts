import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RunFigures } from '../engine/index.js';

/** Of runs, in seconds: dense around 20 to 80 ms, one to four frames of time. */
const RUN_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1];

/** What is counted when it is asked for, not when it changes. */
export interface MetricSources {
  /** Sessions by mode and by `attached` or `waiting`. */
  readonly sessions: () => Iterable<{ readonly mode: string; readonly isAttached: boolean }>;
  readonly connections: () => number;
  readonly streams: () => number;
  readonly subscribers: () => number;
  readonly queuedFrames: () => number;
  readonly capacity: () => number;
  readonly threadBusyShare: () => number;
  readonly isReady: () => boolean;
}

/** The gateway's figures, in a registry of their own: `/metrics` prints them, process figures and event loop lag included. */
export class GatewayMetrics {
  readonly registry = new Registry();
  /** Samples that went to the codec, at the model's rate. */
  readonly inputSamples = this.#counter('tessera_input_samples_total', 'Samples taken, at the model rate', [
    'mode',
  ]);
  readonly outputFrames = this.#counter('tessera_output_frames_total', 'Frames that came out of the codec', [
    'mode',
  ]);
  readonly droppedFrames = this.#counter('tessera_dropped_frames_total', 'Frames sent as gaps', []);
  readonly sessionsOpened = this.#counter('tessera_sessions_opened_total', 'Sessions opened', ['mode']);
  readonly sessionsResumed = this.#counter('tessera_sessions_resumed_total', 'Sessions resumed', []);
  readonly errors = this.#counter('tessera_errors_total', 'Sessions and handshakes ended by an error', [
    'code',
  ]);
  readonly #runSeconds = new Histogram({
    name: 'tessera_run_seconds',
    help: 'Duration of one run of the encoder or decoder',
    labelNames: ['graph'],
    buckets: RUN_BUCKETS,
    registers: [this.registry],
  });
  readonly #runSessions = new Histogram({
    name: 'tessera_run_sessions',
    help: 'Sessions in one run',
    labelNames: ['graph'],
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Adds what is read off the service whenever the figures are asked for. To be called once. */
  watch(sources: MetricSources): void {
    const registers = [this.registry];
    new Gauge({
      name: 'tessera_sessions',
      help: 'Sessions by mode and state',
      labelNames: ['mode', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { mode, isAttached } of sources.sessions()) {
          this.inc({ mode, state: isAttached ? 'attached' : 'waiting' });
        }
      },
    });
    gauge(registers, 'tessera_connections', 'WebSocket connections', sources.connections);
    gauge(registers, 'tessera_streams', 'Streams that are published', sources.streams);
    gauge(registers, 'tessera_subscribers', 'Sessions that get a published stream', sources.subscribers);
    gauge(registers, 'tessera_queued_frames', 'Frames of input that wait for a run', sources.queuedFrames);
    gauge(registers, 'tessera_capacity', 'Full-duplex sessions that the engine carries', sources.capacity);
    gauge(
      registers,
      'tessera_socket_thread_busy',
      'Share of the last second that the thread of all sockets was busy',
      sources.threadBusyShare,
    );
    gauge(registers, 'tessera_ready', '1 while sessions can be opened', () => Number(sources.isReady()));
  }

  /** Counts a run of the engine. */
  countRun({ graph, sessions, durationMs }: RunFigures): void {
    this.#runSeconds.observe({ graph }, durationMs / 1000);
    this.#runSessions.observe({ graph }, sessions);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}
