import { addNoise, amplify, bandPass, clip, inRoom } from './degradations.js';
import { atPeak, chords, drums, sampled, singing, SOUND_SECONDS, tone, whiteNoise } from './sounds.js';

/** Band of a telephone. */
const TELEPHONE_HZ = [300, 3400] as const;
/** Voices of the babble. */
const BABBLE_VOICES = 4;

/** Recordings that a condition may draw on. */
export interface SpeechSource {
  readonly sampleRate: number;
  readonly speech: Float32Array;
  /** Other voices. */
  readonly others: readonly Float32Array[];
}

/** Something that happens to speech. */
export interface SpeechCondition {
  readonly name: string;
  readonly apply: (source: SpeechSource) => Float32Array;
}

/** A sound that is no speech. */
export interface SoundCondition {
  readonly name: string;
  /** `music` has scores, `signal` only levels. */
  readonly kind: 'music' | 'signal';
  readonly create: (sampleRate: number) => Float32Array;
}

const room =
  (reverberationSeconds: number, directToReverberantDb: number) =>
  ({ speech, sampleRate }: SpeechSource): Float32Array =>
    inRoom(speech, sampleRate, { reverberationSeconds, directToReverberantDb, seed: 1 });

const white =
  (snrDb: number) =>
  ({ speech }: SpeechSource): Float32Array =>
    addNoise(speech, whiteNoise(speech.length, -20, 2), snrDb);

/** Other people talking. */
const babble =
  (snrDb: number) =>
  ({ speech, others }: SpeechSource): Float32Array => {
    const voices = others.slice(0, BABBLE_VOICES);
    const mixed = speech.map((_, at) =>
      voices.reduce((sum, voice) => sum + (voice[at % voice.length] ?? 0), 0),
    );
    return addNoise(speech, mixed, snrDb);
  };

/** A rumble as in a car: noise whose level falls by 6 dB an octave. */
const rumble =
  (snrDb: number) =>
  ({ speech }: SpeechSource): Float32Array => {
    let last = 0;
    const brown = whiteNoise(speech.length, -20, 3).map((sample) => (last = 0.995 * last + sample));
    return addNoise(speech, brown, snrDb);
  };

/** Every half second of speech is followed by a quarter second of digital zero. */
const interrupted = ({ speech, sampleRate }: SpeechSource): Float32Array =>
  speech.map((sample, at) => ((at / sampleRate) % 0.75 < 0.5 ? sample : 0));

/** Everything that is done to recordings. Levels beyond full scale are cut off, as the encoder does. */
export const SPEECH_CONDITIONS: readonly SpeechCondition[] = [
  { name: 'as recorded', apply: ({ speech }) => speech },
  { name: 'room, 0.3 s, near (direct +6 dB)', apply: room(0.3, 6) },
  { name: 'room, 0.6 s, far (direct 0 dB)', apply: room(0.6, 0) },
  { name: 'hall, 1.2 s, far (direct -3 dB)', apply: room(1.2, -3) },
  { name: 'white noise, 20 dB', apply: white(20) },
  { name: 'white noise, 10 dB', apply: white(10) },
  { name: 'white noise, 0 dB', apply: white(0) },
  { name: 'babble, 10 dB', apply: babble(10) },
  { name: 'babble, 0 dB', apply: babble(0) },
  { name: 'rumble, 0 dB', apply: rumble(0) },
  {
    name: 'room, 0.6 s, far, and babble, 10 dB',
    apply: (source) => babble(10)({ ...source, speech: room(0.6, 0)(source) }),
  },
  {
    name: 'telephone, 300 to 3,400 Hz',
    apply: ({ speech, sampleRate }) => bandPass(speech, sampleRate, TELEPHONE_HZ),
  },
  { name: '20 dB quieter', apply: ({ speech }) => amplify(speech, -20) },
  { name: '40 dB quieter', apply: ({ speech }) => amplify(speech, -40) },
  { name: '50 dB quieter', apply: ({ speech }) => amplify(speech, -50) },
  { name: 'peak at full scale', apply: ({ speech }) => atPeak(speech, 1) },
  { name: 'peak 10 dB over full scale, clipped', apply: ({ speech }) => clip(atPeak(speech, 10 ** 0.5)) },
  { name: 'peak 20 dB over full scale, clipped', apply: ({ speech }) => clip(atPeak(speech, 10)) },
  { name: 'offset of 0.2 (DC)', apply: ({ speech }) => clip(speech.map((sample) => sample + 0.2)) },
  {
    name: 'hum, 50 Hz, peak 0.1',
    apply: ({ speech, sampleRate }) =>
      speech.map((sample, at) => sample + 0.1 * Math.sin((2 * Math.PI * 50 * at) / sampleRate)),
  },
  { name: 'cut by digital zero', apply: interrupted },
];

const noiseAt =
  (levelDb: number) =>
  (sampleRate: number): Float32Array =>
    whiteNoise(SOUND_SECONDS * sampleRate, levelDb, 4);

const toneAt = (hz: number, peak: number) => (sampleRate: number) => tone(sampleRate, hz, peak);

/** Music, and what no microphone should send but some do. */
export const SOUND_CONDITIONS: readonly SoundCondition[] = [
  { name: 'singing, low voice', kind: 'music', create: (rate) => singing(rate, 131, [0, 4, 7, 12, 7, 4]) },
  { name: 'singing, high voice', kind: 'music', create: (rate) => singing(rate, 440, [0, 2, 4, 7, 9, 7]) },
  { name: 'plucked chords', kind: 'music', create: (rate) => chords(rate, [220, 174.6, 261.6, 196]) },
  { name: 'drums', kind: 'music', create: (rate) => drums(rate) },
  { name: 'sine, 100 Hz', kind: 'music', create: toneAt(100, 0.5) },
  { name: 'sine, 440 Hz', kind: 'music', create: toneAt(440, 0.5) },
  { name: 'sine, 1 kHz', kind: 'music', create: toneAt(1000, 0.5) },
  { name: 'sine, 3 kHz', kind: 'music', create: toneAt(3000, 0.5) },
  { name: 'sine, 7 kHz', kind: 'music', create: toneAt(7000, 0.5) },
  { name: 'digital zero', kind: 'signal', create: (rate) => sampled(rate, () => 0) },
  { name: 'noise at -90 dB', kind: 'signal', create: noiseAt(-90) },
  { name: 'noise at -80 dB', kind: 'signal', create: noiseAt(-80) },
  { name: 'noise at -60 dB', kind: 'signal', create: noiseAt(-60) },
  { name: 'noise at -10 dB', kind: 'signal', create: noiseAt(-10) },
  { name: 'noise, full scale', kind: 'signal', create: (rate) => atPeak(noiseAt(-10)(rate), 1) },
  { name: 'constant 1', kind: 'signal', create: (rate) => sampled(rate, () => 1) },
  { name: 'sine, 1 kHz, full scale', kind: 'signal', create: toneAt(1000, 1) },
  {
    name: 'square wave, 200 Hz, full scale',
    kind: 'signal',
    create: (rate) => sampled(rate, (seconds) => ((400 * seconds) % 2 < 1 ? 1 : -1)),
  },
  {
    name: 'square wave of half the rate, full scale',
    kind: 'signal',
    create: (rate) => sampled(rate, (seconds) => (Math.round(seconds * rate) % 2 === 0 ? 1 : -1)),
  },
  {
    name: 'clicks, full scale, 5 a second',
    kind: 'signal',
    create: (rate) => sampled(rate, (seconds) => (Math.round(seconds * rate) % (rate / 5) === 0 ? 1 : 0)),
  },
];
