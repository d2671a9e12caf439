import { bitsPerCode } from './bitPacking.js';
import type { BitrateRange, InputFormat, OpenMessage, OutputFormat } from './clientMessages.js';
import { TesseraError } from './errors.js';
import { PROTOCOL_VERSION } from './limits.js';
import { PCM_FORMATS, type PcmFormat } from './pcm.js';
import type { ModelSummary, SessionLimits } from './serverMessages.js';

/** A range of codebooks, 1 <= minQuantizers <= maxQuantizers <= the model's. */
export interface QuantizerRange {
  readonly minQuantizers: number;
  readonly maxQuantizers: number;
}

/** Whether a format is raw samples. */
export function isPcmFormat(format: InputFormat | OutputFormat): format is PcmFormat {
  return (PCM_FORMATS as readonly string[]).includes(format);
}

/**
 * Checks what no single field of `open` shows: the version, that mode, input and output fit together, that raw PCM
 * says its sample rate and nothing else does, that packets are within the limit.
 * @throws TesseraError `unsupported_version` or `bad_options`, with a sentence that says what to send instead.
 */
export function checkOpenOptions(open: OpenMessage, limits: Pick<SessionLimits, 'maxFramesPerPacket'>): void {
  if (open.version !== PROTOCOL_VERSION) {
    throw new TesseraError(
      'unsupported_version',
      `Version ${open.version} of the protocol is not spoken here; open with version ${PROTOCOL_VERSION}`,
    );
  }
  const { mode, input, output } = open;
  checkStreamOptions(open);
  checkCoding(open);
  checkRateControl(open.bitrate, output.format);
  if (mode === 'subscribe') {
    checkFramesPerPacket(open, limits);
    return;
  }
  if (input === undefined) throw badOptions(`Mode ${mode} needs input: say what will be sent`);
  if (mode === 'decode') {
    if (input.format !== 'tokens')
      throw badOptions(`Mode decode takes "tokens" as input.format, not "${input.format}"`);
    if (open.bitrate) throw badOptions('Mode decode takes no bitrate: the tokens that are sent decide it');
  } else if ((input.format === 'tokens') !== (mode === 'relay')) {
    throw badOptions(
      mode === 'relay'
        ? `Mode relay takes "tokens" as input.format, not "${input.format}"; use mode encode`
        : `Mode ${mode} takes audio as input.format, not "tokens"; use mode decode`,
    );
  }
  const isForTokens = mode === 'encode' || mode === 'relay';
  if (isForTokens && output.format !== 'tokens') {
    throw badOptions(
      `Mode ${mode} gives "tokens" as output.format, not "${output.format}"; use mode resynth`,
    );
  }
  if (!isForTokens && output.format === 'tokens') {
    throw badOptions(`Mode ${mode} gives audio: output.format must be one of ${PCM_FORMATS.join(', ')}`);
  }
  if (isPcmFormat(input.format)) {
    if (input.sampleRate === undefined)
      throw badOptions(`Input ${input.format} needs input.sampleRate in Hz`);
  } else if (input.sampleRate !== undefined || input.channels !== undefined) {
    throw badOptions(
      `Input ${input.format} states its own sample rate and channels: leave them out of input`,
    );
  }
  checkFramesPerPacket(open, limits);
}

/** `subscribe` names a stream and sends nothing; `encode` can publish, `relay` has to. */
function checkStreamOptions({ mode, input, publish, stream }: OpenMessage): void {
  if (publish && mode !== 'encode' && mode !== 'relay') {
    throw badOptions(`Only modes encode and relay can publish, not ${mode}`);
  }
  if (mode === 'relay' && !publish) throw badOptions('Mode relay needs publish: the name of the stream');
  if (mode !== 'subscribe') {
    if (stream !== undefined) throw badOptions(`Mode ${mode} takes no stream; use mode subscribe`);
    return;
  }
  if (stream === undefined) throw badOptions('Mode subscribe needs stream: the name of what to get');
  if (input) throw badOptions('Mode subscribe takes no input: leave it out');
}

/** Entropy coding is for tokens, and packets of so many bits are for entropy coding. */
function checkCoding({ input, output, bitrate }: OpenMessage): void {
  if (output.coding && output.format !== 'tokens') {
    throw badOptions(`Output ${output.format} takes no coding: it is for tokens`);
  }
  if (input?.coding && input.format !== 'tokens') {
    throw badOptions(`Input ${input.format} takes no coding: it is for tokens`);
  }
  if (output.bitsPerPacket === undefined) return;
  if (output.coding !== 'entropy') throw badOptions('output.bitsPerPacket needs output.coding "entropy"');
  if (bitrate?.control === 'adaptive') {
    throw badOptions('Rate control chooses the size of packets: leave output.bitsPerPacket out');
  }
}

function checkFramesPerPacket(
  { output }: OpenMessage,
  limits: Pick<SessionLimits, 'maxFramesPerPacket'>,
): void {
  if ((output.framesPerPacket ?? 1) > limits.maxFramesPerPacket) {
    throw badOptions(
      `output.framesPerPacket is ${output.framesPerPacket}, above the limit of ${limits.maxFramesPerPacket}`,
    );
  }
}

/**
 * Checks that the link decides only where it can: with tokens as output.
 * @throws TesseraError `bad_options`
 */
export function checkRateControl(range: BitrateRange | undefined, format: OutputFormat): void {
  if (range?.control === 'adaptive' && format !== 'tokens') {
    throw badOptions(
      'bitrate.control "adaptive" needs tokens as output: audio takes the same at any bitrate',
    );
  }
}

/** Bits of codes a second at so many codebooks, without headers. */
export function bitsPerSecond(
  quantizers: number,
  model: Pick<ModelSummary, 'sampleRate' | 'hop' | 'codebookSize'>,
): number {
  return (quantizers * bitsPerCode(model.codebookSize) * model.sampleRate) / model.hop;
}

/**
 * The codebooks that a bitrate range allows on a model. No range, or a bound that is left out, means all that the model
 * has; a maximum above that is lowered to it. Bits count the codes alone, as {@link bitsPerSecond} does.
 * @throws TesseraError `bad_options` when both units are given or no number of codebooks is in the range.
 */
export function resolveBitrate(
  range: BitrateRange | undefined,
  model: Pick<ModelSummary, 'sampleRate' | 'hop' | 'codebookSize' | 'quantizers'>,
): QuantizerRange {
  const { minQuantizers, maxQuantizers, minBitsPerSecond, maxBitsPerSecond } = range ?? {};
  const inQuantizers = minQuantizers !== undefined || maxQuantizers !== undefined;
  const inBits = minBitsPerSecond !== undefined || maxBitsPerSecond !== undefined;
  if (inQuantizers && inBits) {
    throw badOptions('bitrate is given in quantizers and in bits per second: give one of them');
  }
  const step = bitsPerSecond(1, model);
  const minimum = minQuantizers ?? Math.max(1, Math.ceil((minBitsPerSecond ?? 0) / step));
  const maximum = Math.min(
    model.quantizers,
    maxQuantizers ?? (maxBitsPerSecond === undefined ? Infinity : Math.floor(maxBitsPerSecond / step)),
  );
  if (minimum > maximum) {
    throw badOptions(
      `No bitrate of the model is within the range: it has 1 to ${model.quantizers} quantizers of ${step} bits per second each`,
    );
  }
  return { minQuantizers: minimum, maxQuantizers: maximum };
}

function badOptions(message: string): TesseraError {
  return new TesseraError('bad_options', message);
}
