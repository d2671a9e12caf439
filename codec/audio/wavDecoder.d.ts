/** wav-decoder 1.3 ships no types; only what Tessera calls is declared. */
declare module 'wav-decoder' {
  export interface DecodedWav {
    readonly sampleRate: number;
    readonly numberOfChannels: number;
    /** Samples per channel. */
    readonly length: number;
    /** One array a channel. */
    readonly channelData: readonly Float32Array[];
  }

  const wavDecoder: {
    decode: {
      /** `symmetric: true` scales integers by a power of two, so that 16-bit samples come back exactly. */
      sync(file: ArrayBuffer, options?: { symmetric?: boolean }): DecodedWav;
    };
  };
  export default wavDecoder;
}
