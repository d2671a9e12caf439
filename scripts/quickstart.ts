import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodecModel } from '../codec/index.js';
import { demonstrate } from './demonstration.js';

const RECORDING = fileURLToPath(new URL('../../test/fixtures/speech-en-1.wav', import.meta.url));
const model = await CodecModel.load();
process.stdout.write(await demonstrate(model, RECORDING, join(process.cwd(), 'out')));
await model.close();
