// The skeleton of a voice agent: hears tokens, answers with tokens, speaks them. Here it repeats what it heard after each
// pause; put a speech language model in the place of `answer`.
//   node examples/voiceAgent.mjs ws://127.0.0.1:8080/v1/stream speech.wav
import { readFile } from 'node:fs/promises';
import { connect } from 'tessera/client';

/** Frames in, frames out: the model goes here. */
async function* answer(heard) {
  yield* heard;
}

const [url, path] = process.argv.slice(2);
const ears = await connect(url, {
  mode: 'encode',
  input: { format: 'container' },
  bitrate: { maxQuantizers: 4 },
});
const mouth = await connect(url, { mode: 'decode' });
let spokenSamples = 0;
mouth.on('audio', ({ samples }) => (spokenSamples += samples.length));

const heard = [];
ears.on('tokens', (block) => heard.push(block));
ears.sendBytes(await readFile(path)); // in a real agent: what the telephone or the browser sends, as it comes
await ears.flush();

let nextFrameIndex = 0;
for await (const block of answer(heard)) {
  mouth.sendTokens({ ...block, firstFrameIndex: nextFrameIndex });
  nextFrameIndex += block.frameCount;
}
await mouth.flush();
console.log(`heard ${heard.length} packets, spoke ${(spokenSamples / mouth.model.sampleRate).toFixed(2)} s`);
await Promise.all([ears.close(), mouth.close()]);
