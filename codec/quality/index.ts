export { alignByCrossCorrelation, DEFAULT_MAX_LAG_MS, type AlignedPair } from './align.js';
export { pitchErrors, trackPitch, type PitchErrors } from './pitch.js';
export { scoreSpeech, type SpeechScores } from './score.js';
export type { Signal } from './signal.js';
export { logMelDistance, logSpectralDistance, SCORING_RATE_HZ } from './spectral.js';
export { extendedStoi, stoi } from './stoi.js';
export { segmentalSnr, waveformCorrelation } from './waveform.js';
