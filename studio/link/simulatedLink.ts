import { Bottleneck, type LinkShape } from './bottleneck.js';

interface Held {
  readonly outMs: number;
  readonly deliver: () => void;
}

type Hold = (payloadBytes: number, deliver: () => void) => void;

/** A WebSocket whose messages, and whose end, are handed on by `hold`. */
export class HeldWebSocket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly #socket: WebSocket;

  constructor(url: string, protocols: string, hold: Hold = (_, deliver) => deliver()) {
    this.#socket = new WebSocket(url, protocols);
    this.#socket.onopen = (event) => this.onopen?.(event as never);
    this.#socket.onerror = (event) => this.onerror?.(event as never);
    this.#socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      const { data } = event;
      hold(typeof data === 'string' ? data.length : data.byteLength, () => this.onmessage?.(event as never));
    };
    this.#socket.onclose = (event) => hold(0, () => this.onclose?.(event as never));
  }

  get binaryType(): BinaryType {
    return this.#socket.binaryType;
  }
  set binaryType(type: BinaryType) {
    this.#socket.binaryType = type;
  }
  get readyState(): number {
    return this.#socket.readyState;
  }
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  /** As a WebSocket's. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** As a WebSocket's. */
  close(code?: number): void {
    this.#socket.close(code);
  }
}

/** A link without bounds. */
export const OPEN_LINK: LinkShape = { bitsPerSecond: Infinity, delayMs: 0 };
/** Around each message: of a WebSocket frame with a short payload, 2, of TCP with time stamps and IP, 52. */
const HEADER_BYTES = 54;

/**
 * A thin link between the server and this page, imitated by holding back what arrives. What the client acknowledges is
 * what has come through, so the server's rate control sees the link as it would see a real one. Only the way down is
 * imitated, as if each message were a packet of its own.
 */
export class SimulatedLink {
  readonly #bottleneck = new Bottleneck(OPEN_LINK);
  readonly #held: Held[] = [];
  #bytes = 0;
  #isOpen = true;

  /** Bytes that have entered, with the headers of packets. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether messages pass unhindered. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The shape from now on. */
  set shape(shape: LinkShape) {
    this.#bottleneck.shape = shape;
    this.#isOpen = shape === OPEN_LINK;
  }

  /** A `WebSocket` class whose messages come through this link; it has the handlers that the client uses. */
  socketClass(): typeof HeldWebSocket {
    const hold = this.#hold.bind(this);
    return class extends HeldWebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, hold);
      }
    };
  }

  #hold(payloadBytes: number, deliver: () => void): void {
    const bytes = payloadBytes === 0 ? 0 : payloadBytes + HEADER_BYTES;
    const nowMs = performance.now();
    const outMs = this.#bottleneck.enter(bytes, nowMs);
    this.#bytes += bytes;
    if (outMs <= nowMs && this.#held.length === 0) {
      deliver();
      return;
    }
    this.#held.push({ outMs, deliver });
    if (this.#held.length === 1) setTimeout(() => this.#release(), outMs - nowMs);
  }

  #release(): void {
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      const waitMs = first.outMs - performance.now();
      if (waitMs > 0) {
        setTimeout(() => this.#release(), waitMs);
        return;
      }
      this.#held.shift();
      first.deliver();
    }
  }
}
