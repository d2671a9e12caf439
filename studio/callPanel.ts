import { element, write } from './elements.js';
import { RateMeter } from './rateMeter.js';
import { Call } from './session/call.js';
import { wordsOf } from './words.js';

const READINGS_INTERVAL_MS = 500;
const ROOM_NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** The part of the page that calls another visitor, by the name of a room. */
export class CallPanel {
  readonly #quantizers: () => number;
  readonly #rates = { sent: new RateMeter(), received: new RateMeter() };
  #call: Call | undefined;
  /** Counts joins and leaves: an answer that comes too late sees that it is not wanted any more. */
  #turn = 0;

  /** `quantizers` gives the most codebooks that the slider allows; call {@link onQuantizers} when it moves. */
  constructor(quantizers: () => number) {
    this.#quantizers = quantizers;
    element('call-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join(element('room', HTMLInputElement).value.trim());
    });
    element('leave', HTMLButtonElement).addEventListener('click', () =>
      this.#leave('You have left the room.'),
    );
    setInterval(() => this.#showReadings(), READINGS_INTERVAL_MS);
  }

  /** The slider has moved. */
  onQuantizers(quantizers: number): void {
    this.#call?.setQuantizers(quantizers);
  }

  async #join(room: string): Promise<void> {
    if (!ROOM_NAME.test(room)) {
      write('call-status', 'A room has a name of letters, digits, - and _, 32 at most.');
      element('room', HTMLInputElement).focus();
      return;
    }
    this.#leave(`Entering ${room}…`);
    const turn = this.#turn;
    element('join', HTMLButtonElement).disabled = true;
    try {
      const isLocal = element('call-local', HTMLInputElement).checked;
      const call = await Call.join(
        room,
        { quantizers: this.#quantizers(), isLocal },
        {
          onPeer: (isThere) => {
            write('call-status', isThere ? `Talking in ${room}.` : `The other has left. Waiting in ${room}.`);
          },
          onEnd: (error) => this.#leave(wordsOf(error)),
        },
      );
      if (this.#turn !== turn) {
        call.leave();
        return;
      }
      this.#call = call;
      element('leave', HTMLButtonElement).disabled = false;
      element('call-readings', HTMLElement).hidden = false;
      write('call-status', `Waiting in ${room} for the other.`);
    } catch (error) {
      if (this.#turn === turn) this.#leave(wordsOf(error));
    }
  }

  #leave(words: string): void {
    this.#turn += 1;
    this.#call?.leave();
    this.#call = undefined;
    element('join', HTMLButtonElement).disabled = false;
    element('leave', HTMLButtonElement).disabled = true;
    element('call-readings', HTMLElement).hidden = true;
    write('call-status', words);
  }

  #showReadings(): void {
    const figures = this.#call?.figures;
    if (figures === undefined) return;
    const nowMs = performance.now();
    write('call-sent', (this.#rates.sent.at(nowMs, figures.bytesSent) / 1000).toFixed(1));
    write('call-received', (this.#rates.received.at(nowMs, figures.bytesReceived) / 1000).toFixed(1));
    write('call-buffer', String(Math.round(figures.bufferMs)));
    write('call-lost', String(figures.lostFrames));
  }
}
