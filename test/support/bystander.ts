import { encodePcm, type CodecModel } from '../../codec/index.js';
import { encodePcm as pcmBytes, type TokenBlock } from '../../protocol/index.js';
import { GatewayClient } from './gatewayClient.js';
import { differingCodes } from './tokenStreams.js';
import { readWavFixture } from './wavFixture.js';

/** A healthy session that streams while another one misbehaves, and must not notice. */
export class Bystander {
  readonly #client: GatewayClient;
  readonly #bytes: Uint8Array;
  readonly #expected: readonly TokenBlock[];

  private constructor(client: GatewayClient, bytes: Uint8Array, expected: readonly TokenBlock[]) {
    this.#client = client;
    this.#bytes = bytes;
    this.#expected = expected;
  }

  /** What the library makes of the speech that bystanders send. */
  static async expected(model: CodecModel): Promise<TokenBlock[]> {
    const blocks: TokenBlock[] = [];
    for await (const block of encodePcm(model, speech())) blocks.push(block);
    return blocks;
  }

  /** Opens a session and sends the first half. */
  static async start(port: number, expected: readonly TokenBlock[]): Promise<Bystander> {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'pcm_s16le', sampleRate: 24_000 },
      output: { format: 'tokens' },
    });
    const bystander = new Bystander(client, pcmBytes(speech(), 'pcm_s16le'), expected);
    client.sendAudio(bystander.#bytes.subarray(0, bystander.#half), 960);
    return bystander;
  }

  /** Sends the second half, ends in order, and tells the share of codes that are not the library's. */
  async finish(): Promise<number> {
    this.#client.sendAudio(this.#bytes.subarray(this.#half), 960);
    await this.#client.flush();
    await this.#client.close();
    return differingCodes(this.#client.tokens, this.#expected);
  }

  get #half(): number {
    return Math.floor(this.#bytes.length / 2);
  }
}

/** One second is enough to run beside the other session. */
function speech(): Float32Array {
  return readWavFixture('speech-th-1.wav').samples.subarray(24_000, 48_000);
}
