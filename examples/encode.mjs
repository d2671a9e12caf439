// Tokens of a recording, one line of codes a frame: node examples/encode.mjs ws://127.0.0.1:8080/v1/stream speech.wav
import { readFile } from 'node:fs/promises';
import { connect } from 'tessera/client';

const [url, path] = process.argv.slice(2);
const session = await connect(url, {
  mode: 'encode',
  input: { format: 'container' },
  output: { framesPerPacket: 50 },
  bitrate: { maxBitsPerSecond: 1500 },
});
session.on('tokens', ({ firstFrameIndex, frameCount, quantizers, codes }) => {
  for (let frame = 0; frame < frameCount; frame += 1) {
    const ofFrame = Array.from(
      { length: quantizers },
      (_, quantizer) => codes[quantizer * frameCount + frame],
    );
    console.log(firstFrameIndex + frame, ...ofFrame);
  }
});
session.sendBytes(await readFile(path));
await session.flush();
await session.close();
