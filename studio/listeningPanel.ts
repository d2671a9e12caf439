import { bitsPerSecond } from '../protocol/options.js';
import { TesseraError, type ModelSummary } from '../sdk/index.js';
import type { AbStatus } from './audio/abTracks.js';
import { microphoneSource, recordingSource, type Source } from './audio/sources.js';
import { element, write } from './elements.js';
import { LINK_STEPS } from './link/linkSteps.js';
import { OPEN_LINK, SimulatedLink } from './link/simulatedLink.js';
import { RateMeter } from './rateMeter.js';
import { askForModel } from './session/codecStream.js';
import { Listening } from './session/listening.js';
import { LinkChart } from './views/linkChart.js';
import { ViewsPanel } from './views/viewsPanel.js';
import { StudioError, wordsOf } from './words.js';

/** Where it starts, before the slider is touched. */
const FIRST_BITS_PER_SECOND = 3000;
const READINGS_INTERVAL_MS = 250;
/** Between drawings: half the frames of most screens are smooth enough, and spare a phone's battery. */
const DRAWING_INTERVAL_MS = 30;
/** The same where motion is to be reduced. */
const REDUCED_MOTION_INTERVAL_MS = 500;

/** The studio's main part: a source, what is heard of it, the controls and the views. */
export class ListeningPanel {
  readonly #model: ModelSummary;
  readonly #views: ViewsPanel;
  readonly #link = new SimulatedLink();
  readonly #chart = new LinkChart(element('link-chart', HTMLCanvasElement));
  readonly #wireRate = new RateMeter();
  readonly #bitrate = element('bitrate', HTMLInputElement);
  readonly #linkSlider = element('link', HTMLInputElement);
  #listening: Listening | undefined;
  /** Counts what was started or stopped: an answer that comes too late sees that it is not wanted any more. */
  #turn = 0;
  #status: AbStatus | undefined;
  #quantizersInForce: number | undefined;
  /** Starts the present source anew. */
  #again: (() => Promise<void>) | undefined;

  /** Asks the server for its model, then makes the panel. @throws TesseraError where there is no server. */
  static async connect(onQuantizers: (quantizers: number) => void): Promise<ListeningPanel> {
    return new ListeningPanel(await askForModel(), onQuantizers);
  }

  private constructor(model: ModelSummary, onQuantizers: (quantizers: number) => void) {
    this.#model = model;
    this.#bitrate.addEventListener('input', () => onQuantizers(this.quantizers));
    this.#views = new ViewsPanel(model);
    write('model', `${model.name} ${model.version}`);
    write(
      'lead',
      `${model.frameRate} frames a second, a few codes each: live speech at ${this.#kbps(1)} to ${this.#kbps(model.quantizers)} kbit/s. Choose a voice and listen to both sides.`,
    );
    const pcmKbps = (16 * model.sampleRate) / 1000;
    write('original-rate', `16-bit PCM at ${model.sampleRate / 1000} kHz, ${pcmKbps} kbit/s`);
    this.#setUpBitrate();
    this.#setUpLink();
    this.#setUpSources();
    for (const track of ['original', 'resynthesis'] as const) {
      element(`hear-${track}`, HTMLInputElement).addEventListener('change', () =>
        this.#listening?.hear(track),
      );
    }
    element('local', HTMLInputElement).addEventListener('change', () => void this.#again?.());
    setInterval(() => this.#showReadings(), READINGS_INTERVAL_MS);
    this.#animate();
    write('status', 'Ready.');
  }

  /** The most codebooks that the slider allows. */
  get quantizers(): number {
    return this.#bitrate.valueAsNumber;
  }

  get #track(): 'original' | 'resynthesis' {
    return element('hear-original', HTMLInputElement).checked ? 'original' : 'resynthesis';
  }

  /** Where decoding in the page is asked for. */
  get #onDownload(): ((share: number) => void) | undefined {
    if (!element('local', HTMLInputElement).checked) return undefined;
    const progress = element('local-progress', HTMLProgressElement);
    return (share) => {
      progress.hidden = share >= 1;
      progress.value = share;
      if (share < 1) write('status', `Fetching the decoder, ${Math.round(100 * share)}%…`);
    };
  }

  /** Takes the colours of the page anew. */
  recolour(): void {
    this.#views.recolour();
  }

  #setUpBitrate(): void {
    const { quantizers } = this.#model;
    this.#bitrate.max = String(quantizers);
    const first = Math.round(FIRST_BITS_PER_SECOND / bitsPerSecond(1, this.#model));
    this.#bitrate.valueAsNumber = Math.min(quantizers, Math.max(1, first));
    this.#bitrate.disabled = false;
    const show = (): void => {
      const count = this.#bitrate.valueAsNumber;
      write('bitrate-kbps', this.#kbps(count));
      this.#bitrate.setAttribute(
        'aria-valuetext',
        `${this.#kbps(count)} kilobit per second, ${count} of ${quantizers} codebooks`,
      );
      const ratio = Math.round((16 * this.#model.sampleRate) / bitsPerSecond(count, this.#model));
      write('bitrate-note', `${count} of ${quantizers} codebooks a frame, ${ratio} times less than PCM`);
    };
    this.#bitrate.addEventListener('input', () => {
      show();
      this.#listening?.setQuantizers(this.#bitrate.valueAsNumber);
    });
    show();
  }

  #setUpLink(): void {
    this.#linkSlider.max = String(LINK_STEPS.length);
    this.#linkSlider.valueAsNumber = LINK_STEPS.length;
    const show = (): void => {
      const step = LINK_STEPS[this.#linkSlider.valueAsNumber];
      this.#link.shape = step ?? OPEN_LINK;
      const words = step ? `${step.bitsPerSecond / 1000} kbit/s, ${step.delayMs} ms` : 'no limit';
      write('link-words', words);
      this.#linkSlider.setAttribute('aria-valuetext', words);
    };
    this.#linkSlider.addEventListener('input', () => {
      const wasOpen = this.#link.isOpen;
      show();
      // The size of packets under rate control is agreed on when a session opens.
      if (wasOpen !== this.#link.isOpen) void this.#again?.();
    });
    show();
  }

  #setUpSources(): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-sample]')) {
      const { sample = '', name = '' } = button.dataset;
      button.addEventListener('click', () => {
        void this.start(button, name, async (context) => {
          const response = await fetch(`/studio/${sample}`).catch((cause: unknown) => {
            throw new TesseraError('connection_failed', 'The sample could not be fetched', { cause });
          });
          if (!response.ok)
            throw new StudioError('The sample is missing on this server. Choose a file instead.');
          return recordingSource(context, await response.blob());
        });
      });
    }
    const microphone = element('microphone', HTMLButtonElement);
    microphone.addEventListener('click', () => {
      void this.start(microphone, 'your microphone; use headphones, or it hears itself', microphoneSource);
    });
    const input = element('file', HTMLInputElement);
    input.addEventListener('change', () => {
      const file = input.files?.[0];
      // The same file can then be chosen again.
      if (file) void this.#startFile(file).finally(() => (input.value = ''));
    });
    element('stop', HTMLButtonElement).addEventListener('click', () => this.stop('Stopped.'));
    this.#setUpDrop();
  }

  #setUpDrop(): void {
    const veil = element('drop', HTMLElement);
    const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    document.addEventListener('dragover', (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      veil.hidden = false;
    });
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) veil.hidden = true;
    });
    document.addEventListener('drop', (event) => {
      veil.hidden = true;
      if (!hasFile(event)) return;
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) void this.#startFile(file);
    });
  }

  #startFile(file: File): Promise<void> {
    const label = document.querySelector<HTMLElement>('label[for="file"]');
    return this.start(label, file.name, (context) => recordingSource(context, file));
  }

  /** Ends what is heard, then starts another source; `button` shows which. Failures are shown in words. */
  async start(
    button: HTMLElement | null,
    name: string,
    openSource: (context: AudioContext) => Promise<Source>,
  ): Promise<void> {
    this.stop('');
    this.#again = () => this.start(button, name, openSource);
    const turn = this.#turn;
    hideAlert();
    write('status', `Opening ${name}…`);
    // Made within the click, so that the browser lets it sound.
    const context = new AudioContext({ sampleRate: this.#model.sampleRate, latencyHint: 'interactive' });
    void context.resume();
    try {
      this.#views.clear();
      const listening = await Listening.start(
        context,
        openSource,
        {
          link: this.#link,
          views: this.#views,
          quantizers: this.quantizers,
          isAdaptive: !this.#link.isOpen,
          onDownload: this.#onDownload,
        },
        {
          onStatus: (status, peaks) => {
            this.#status = status;
            showLevel('original', peaks.original);
            showLevel('resynthesis', peaks.resynthesis);
          },
          onQuantizers: (quantizers) => (this.#quantizersInForce = quantizers),
          onConnection: (isThere) => {
            write('status', isThere ? `Playing ${name}.` : 'The connection broke. Trying again…');
          },
          onEnd: (error) => {
            if (this.#turn !== turn) return;
            this.stop('Stopped.');
            showAlert(wordsOf(error));
          },
        },
      );
      if (this.#turn !== turn) {
        listening.stop();
        return;
      }
      this.#listening = listening;
      // They may have been moved since.
      listening.setQuantizers(this.quantizers);
      listening.hear(this.#track);
      button?.setAttribute('aria-pressed', 'true');
      button?.classList.add('is-active');
      element('stop', HTMLButtonElement).disabled = false;
      write('status', `Playing ${name}.`);
    } catch (error) {
      if (this.#turn !== turn) return;
      write('status', 'Stopped.');
      showAlert(wordsOf(error));
    }
  }

  /** Ends what is heard, and says `words`. */
  stop(words: string): void {
    this.#turn += 1;
    this.#listening?.stop();
    this.#listening = undefined;
    this.#again = undefined;
    element('local-progress', HTMLProgressElement).hidden = true;
    this.#status = undefined;
    for (const pressed of document.querySelectorAll('#sources [aria-pressed], #sources .is-active')) {
      pressed.removeAttribute('aria-pressed');
      pressed.classList.remove('is-active');
    }
    element('stop', HTMLButtonElement).disabled = true;
    showLevel('original', 0);
    showLevel('resynthesis', 0);
    if (words) write('status', words);
  }

  #kbps(quantizers: number): string {
    return String(Number((bitsPerSecond(quantizers, this.#model) / 1000).toFixed(2)));
  }

  #showReadings(): void {
    const wire = this.#wireRate.at(performance.now(), this.#link.bytes);
    const status = this.#status;
    if (status === undefined || this.#quantizersInForce === undefined) return;
    const toMs = (samples: number): string => String(Math.round((1000 * samples) / this.#model.sampleRate));
    const bits = bitsPerSecond(this.#quantizersInForce, this.#model);
    write('reading-codes', this.#kbps(this.#quantizersInForce));
    write('reading-wire', (wire / 1000).toFixed(1));
    write('reading-delay', toMs(status.inputEnd - status.head));
    write('reading-buffer', toMs(status.buffered));
    write('reading-stalls', String(status.stalls));
    write(
      'resynthesis-rate',
      `${this.#quantizersInForce} of ${this.#model.quantizers} codebooks, ${this.#kbps(this.#quantizersInForce)} kbit/s`,
    );
    write('token-note', `${this.#model.frameRate} frames a second, codebooks of ${this.#model.codebookSize}`);
    const step = LINK_STEPS[this.#linkSlider.valueAsNumber];
    this.#chart.push({ bitsPerSecond: bits, linkBitsPerSecond: step?.bitsPerSecond ?? Infinity });
  }

  #animate(): void {
    const isReduced = matchMedia('(prefers-reduced-motion: reduce)');
    let drawnAtMs = -Infinity;
    const draw = (nowMs: number): void => {
      requestAnimationFrame(draw);
      const intervalMs = isReduced.matches ? REDUCED_MOTION_INTERVAL_MS : DRAWING_INTERVAL_MS;
      if (nowMs - drawnAtMs < intervalMs) return;
      drawnAtMs = nowMs;
      const status = this.#status;
      if (status || this.#turn === 0) this.#views.draw(status?.inputEnd ?? 0, status?.head);
      const style = getComputedStyle(document.documentElement);
      const [link = '', codes = '', line = ''] = ['--soft', '--tile', '--line'].map((name) =>
        style.getPropertyValue(name),
      );
      this.#chart.draw(1.35 * bitsPerSecond(this.#model.quantizers, this.#model), link, codes, line);
    };
    requestAnimationFrame(draw);
  }
}

/** Shows a failure in words. */
export function showAlert(words: string): void {
  const alert = element('alert', HTMLElement);
  alert.textContent = words;
  alert.hidden = false;
}

function hideAlert(): void {
  element('alert', HTMLElement).hidden = true;
}

const LOWEST_LEVEL_DB = -60;

function showLevel(track: 'original' | 'resynthesis', peak: number): void {
  const bar = element(`${track}-level`, HTMLElement);
  const db = Math.max(LOWEST_LEVEL_DB, 20 * Math.log10(peak + 1e-9));
  bar.style.transform = `scaleY(${(1 - db / LOWEST_LEVEL_DB).toFixed(3)})`;
  bar.parentElement?.setAttribute('aria-valuenow', String(Math.round(db)));
}
